import type { Command } from 'commander';
import yoctoSpinner from 'yocto-spinner';
import { ErrnoError } from '../errno.js';
import {
  changeByBatching,
  comparePmbenchFlows,
  type PmbenchComparison,
  PUBLISHED_CHANGE,
} from '../experiments/pmbench-flows.js';
import { MIGRATOR_NAMES } from '../machine.js';
import { FLOWS } from '../migrate/modes.js';
import { machineFacts } from '../report/machine.js';
import { pmbenchTable } from '../report/pmbench-table.js';
import { PATTERNS } from '../workloads/access-pattern.js';
import { count, folioSize, number, threadCount, word, words } from './arguments.js';

interface PmbenchArguments extends Omit<PmbenchComparison, 'folioBytes' | 'flows'> {
  folioSize: number;
  flow: PmbenchComparison['flows'];
  json?: boolean;
}

/** Adds `mtcopy pmbench`. Where several flows are given, they are measured in turns. */
export function addPmbenchCommand(program: Command): void {
  program
    .command('pmbench')
    .description('load and store on CPUs while the pages are migrated between two nodes, and show what both cost')
    .option('--cpus <count>', 'CPUs that access the area, 1 to 64 (default: 2)', count)
    .option('--pages <count>', 'pages of 4K that the area has (default: 65536)', count)
    .option('--folio-size <size>', 'bytes of a folio, 4K to 4M (default: 4K)', folioSize)
    .option('--pattern <pattern>', 'pages accessed: uniform (default), normal, linear', word(...PATTERNS))
    .option('--write-ratio <ratio>', 'stores among the accesses, 0 to 1 (default: 0.5)', number)
    .option('--flow <flows>', `of ${FLOWS.join(', ')} (default: serial,vanilla)`, words(...FLOWS))
    .option('--migrator <name>', 'what copies: kernel (default), mtcopy', word(...MIGRATOR_NAMES))
    .option('--threads <count>', 'threads of mtcopy alone, 1 to 64 or auto (default: auto)', threadCount)
    .option('--seconds <seconds>', 'measured with each flow (default: 5)', number)
    .option('--json', 'print one JSON object and nothing else')
    .action((options: Partial<PmbenchArguments>) => pmbench({ ...DEFAULTS, ...options }));
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

async function pmbench({ folioSize, flow, json, ...rest }: PmbenchArguments): Promise<void> {
  const spinner = process.stderr.isTTY ? yoctoSpinner({ text: 'populating memory' }).start() : undefined;
  try {
    const results = await comparePmbenchFlows({ folioBytes: folioSize, flows: flow, ...rest }, (done, runs) => {
      if (spinner) spinner.text = `run ${done + 1} of ${runs}`;
    });
    spinner?.stop();
    const measured = changeByBatching(results);
    const comparison = measured && { measured, published: PUBLISHED_CHANGE };
    if (json) console.log(JSON.stringify({ command: 'pmbench', machine: machineFacts(), results, comparison }));
    else console.log(pmbenchTable(results, comparison));
    const wrong = results.filter(({ lostUpdates }) => lostUpdates !== 0);
    if (wrong.length > 0) {
      const counts = wrong.map(({ flow, lostUpdates, stores }) => `${lostUpdates} of ${stores} with ${flow}`);
      throw new ErrnoError('EIO', `stores were lost: ${counts.join(', ')}`);
    }
  } finally {
    spinner?.stop();
  }
}
