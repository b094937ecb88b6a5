import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import { FLOWS, FRAMES, formatSize, MIGRATOR_NAMES } from 'mtcopy';
import { type MigrateSweep, migrateTable, SWEEP_CALLERS, type SysfsSetting, sweepMigrations } from 'mtcopy/experiments';
import { count, counts, folioSizes, size, threadCounts, word, words } from './arguments.js';
import { addJsonOption, present } from './present.js';
import { addSetOption, textWithSet, undecided, withSet } from './settings.js';

interface MigrateArguments {
  folioSize: MigrateSweep['folioBytes'];
  count: number;
  total?: number;
  migrator?: MigrateSweep['migrators'];
  threads?: MigrateSweep['threads'];
  caller?: MigrateSweep['caller'];
  inFlight: MigrateSweep['inFlight'];
  flow?: MigrateSweep['flows'];
  frames: MigrateSweep['frames'];
  runs: number;
  input?: string;
  set?: readonly SysfsSetting[];
  json?: boolean;
}

/** Adds `mtcopy migrate`. Where an option takes a list, every combination is measured, in turns. */
export function addMigrateCommand(program: Command): void {
  const command = program
    .command('migrate')
    .description('move memory between node 0 and node 1 with move_pages(2) and show how fast that was')
    .option('--folio-size <sizes>', 'bytes of a folio, 4K to 4M (default: 4K,2M)', folioSizes)
    .option('--count <folios>', 'folios of anonymous memory (default: 512)', count)
    .addOption(
      new Option('--total <size>', 'bytes of anonymous memory, instead of --count').argParser(size).conflicts('count'),
    )
    .option('--migrator <migrators>', 'what copies: kernel, mtcopy (default: both)', words(...MIGRATOR_NAMES))
    .option('--in-flight <counts>', 'batches that mtcopy has under way at once, 1 to 4 (default: 1)', counts)
    .option('--threads <counts>', 'worker threads of mtcopy alone, 1 to 64 or auto (default: 1,2)', threadCounts)
    .option('--caller <mode>', 'of mtcopy: waits (default), or helps: one thread more', word(...SWEEP_CALLERS))
    .option('--flow <flows>', `${FLOWS.join(', ')} (default: vanilla,pre-copy)`, words(...FLOWS))
    .option('--frames <kinds>', 'how frames lie: sequential (default), shuffled', words(...FRAMES))
    .option('--runs <count>', 'measured runs of each combination (default: 7)', count)
    .option('--input <file>', "move this file's page cache too")
    .action((options: Partial<MigrateArguments>) => migrate({ ...undecided(DEFAULTS, options.set), ...options }));
  addSetOption(command);
  addJsonOption(command);
}

const DEFAULTS: MigrateArguments = {
  folioSize: folioSizes('4K,2M'),
  count: 512,
  migrator: MIGRATOR_NAMES,
  threads: [1, 2],
  inFlight: [1],
  flow: ['vanilla', 'pre-copy'],
  frames: ['sequential'],
  runs: 7,
};

async function migrate({ folioSize, migrator, flow, json, ...rest }: MigrateArguments): Promise<void> {
  const sweep = { folioBytes: folioSize, migrators: migrator, flows: flow, ...rest };
  const { set } = rest;
  await present('migrate', json, {
    preparing: 'filling memory',
    measure: async (onProgress) => withSet(set, { results: await sweepMigrations(sweep, onProgress) }),
    text: ({ results }) => textWithSet(set, migrateTable(results, whatMoved(sweep))),
  });
}

function whatMoved({ total, count, input }: MigrateSweep): string {
  const anonymous = total === undefined ? `${count} folios` : formatSize(total);
  return `${anonymous} of anonymous memory${input === undefined ? '' : ` and the page cache of ${basename(input)}`}`;
}
