import type { Command } from 'commander';
import { BATCH_UNITS, ErrnoError, FLOWS, MIGRATOR_NAMES, STORES } from 'mtcopy';
import {
  compareBatching,
  comparePmbenchFlows,
  type OnCopiers,
  PATTERNS,
  PMBENCH_CALLS,
  type PmbenchComparison,
  pmbenchParts,
  SWEEP_CALLERS,
} from 'mtcopy/experiments';
import { count, folioSize, number, threadCount, word, words } from './arguments.js';
import { checkBatches, checkEffects, checkStores } from './effects.js';
import { addExamples } from './examples.js';
import { addBaselineOption, addOutputOptions, type Invocation, type OutputArguments, present } from './present.js';
import { addProfileOption, type ProfileArguments, setByProfile, storesByProfile } from './profile.js';
import { addSetOption, partsWithSet, undecided, withSet } from './settings.js';
import { addTraceOption } from './trace.js';

interface PmbenchArguments extends Omit<PmbenchComparison, 'folioBytes' | 'flows'>, OutputArguments, ProfileArguments {
  folioSize: number;
  flow?: PmbenchComparison['flows'];
}

/** Adds `mtcopy pmbench`. Where several flows are given, they are measured in turns. */
export function addPmbenchCommand(program: Command, invocation: Invocation): void {
  const command = program
    .command('pmbench')
    .description('load and store on CPUs while the pages are migrated between two nodes, and show what both cost')
    .option('--cpus <count>', 'CPUs that access the area, 1 to 64 (default: 2)', count)
    .option('--pages <count>', 'pages of 4K that the area has (default: 65536)', count)
    .option('--folio-size <size>', 'bytes of a folio, 4K to 4M (default: 4K)', folioSize)
    .option('--pattern <pattern>', 'pages accessed: uniform (default), normal, linear', word(...PATTERNS))
    .option('--write-ratio <ratio>', 'stores among the accesses, 0 to 1 (default: 0.5)', number)
    .option('--flow <flows>', `of ${FLOWS.join(', ')} (default: serial,vanilla)`, words(...FLOWS))
    .option('--migrator <name>', 'what copies: kernel (default), mtcopy, dcbm', word(...MIGRATOR_NAMES))
    .option('--threads <count>', 'worker threads of mtcopy alone, 1 to 64 or auto (default: auto)', threadCount)
    .option('--caller <mode>', 'of mtcopy: waits (default), or helps: one thread more', word(...SWEEP_CALLERS))
    .option(
      '--call <call>',
      'what moves them: move_pages (default), migrate_pages: all at once',
      word(...PMBENCH_CALLS),
    )
    .option('--batch-limit <count>', 'pages or folios of a batch, 1 to 1048576 (default: 512)', count)
    .option('--batch-unit <unit>', 'what that counts: pages (default), folios', word(...BATCH_UNITS))
    .option(
      '--stores <stores>',
      'whether copies are kept in the caches: auto (default), cached, streaming',
      word(...STORES),
    )
    .option('--seconds <seconds>', 'measured with each flow (default: 5)', number)
    .option('--runs <count>', 'runs that these are cut into, in turns with the other flows (default: 4)', count)
    .option('--warmup <seconds>', 'run with each flow before anything counts (default: 0)', number)
    .option('--seed <number>', 'what the CPUs draw pages by, 0 to 1048576 (default: 0)', number)
    .action((options: Partial<PmbenchArguments>) => {
      const set = setByProfile(options, options.folioSize === undefined ? undefined : [options.folioSize]);
      const stores = storesByProfile(options, options.folioSize === undefined ? undefined : [options.folioSize]);
      const complete = { ...undecided(DEFAULTS, set), ...stores, ...options, ...(set && { set }) };
      return pmbench(invocation, complete, (copiers) => {
        checkEffects(options, copiers);
        checkStores(options, complete.flow, copiers);
        checkBatches(options, { flows: complete.flow, folioSizes: [complete.folioSize] });
      });
    });
  addProfileOption(command);
  addSetOption(command);
  addBaselineOption(command);
  addOutputOptions(command);
  addTraceOption(command);
  addExamples(command, {
    'pmbench --flow serial,vanilla --cpus 2': 'What batched TLB flushes save',
    'pmbench --folio-size 2M --migrator mtcopy --threads 2 --flow vanilla,pre-copy':
      'Threads that copy beside programs',
  });
}

const DEFAULTS: PmbenchArguments = {
  cpus: 2,
  pages: 65536,
  folioSize: folioSize('4K'),
  pattern: 'uniform',
  writeRatio: 0.5,
  flow: ['serial', 'vanilla'],
  migrator: 'kernel',
  threads: 'auto',
  seconds: 5,
};

const COMPARABLE = {
  context: ['set'],
  settings: [
    'flow',
    'migrator',
    'threads',
    'caller',
    'channels',
    'cpus',
    'pages',
    'folioBytes',
    'pattern',
    'writeRatio',
    'call',
    'batchLimit',
    'batchUnit',
    'copyStores',
    'seed',
  ],
  figure: 'pagesMigratedPerSecond',
};

async function pmbench(invocation: Invocation, options: PmbenchArguments, onCopiers: OnCopiers): Promise<void> {
  const { folioSize, flow, json, csv, markdown, progress, trace, baseline, profile, forceProfile, ...rest } = options;
  const load = { folioBytes: folioSize, flows: flow, ...rest };
  const { set } = rest;
  const { results } = await present('pmbench', invocation, options, {
    preparing: 'populating memory',
    measure: async (control) => {
      const results = await comparePmbenchFlows(load, { ...control, onCopiers });
      return withSet(set, { results, comparison: compareBatching(results) });
    },
    rows: ({ results }) => results,
    parts: ({ results, comparison }) => partsWithSet(set, pmbenchParts(results, comparison)),
    comparable: COMPARABLE,
  });
  const wrong = results.filter(({ lostUpdates }) => lostUpdates !== 0);
  if (wrong.length === 0) return;
  const counts = wrong.map(({ flow, lostUpdates, stores }) => `${lostUpdates} of ${stores} with ${flow}`);
  throw new ErrnoError('EIO', `stores were lost: ${counts.join(', ')}`);
}
