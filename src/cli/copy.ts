import type { Command } from 'commander';
import yoctoSpinner from 'yocto-spinner';
import { CALLER_MODES, SCHEDULES } from '../copy/options.js';
import { KERNEL_NAMES } from '../copy/transfer.js';
import { type CopySweep, FRAME_ORDERS, sweepCopies } from '../experiments/copy-sweep.js';
import { copyTable } from '../report/copy-table.js';
import { machineFacts } from '../report/machine.js';
import { count, folioSizes, size, threadCounts, words } from './arguments.js';

interface CopyArguments {
  folioSize: CopySweep['folioBytes'];
  total: number;
  threads: CopySweep['threads'];
  order: CopySweep['orders'];
  schedule: CopySweep['schedules'];
  caller: CopySweep['callers'];
  kernel: CopySweep['kernels'];
  runs: number;
  input?: string;
  json?: boolean;
}

/** Adds `mtcopy copy`. Where an option takes a list, every combination is measured, in turns. */
export function addCopyCommand(program: Command): void {
  program
    .command('copy')
    .description('copy folios from node 0 to node 1 and show how fast that was; lists measure every combination')
    .option('--folio-size <sizes>', 'bytes of a folio, 4K to 4M (default: 2M)', folioSizes)
    .option('--total <size>', 'bytes to copy in a run (default: 512M)', size)
    .option('--threads <counts>', 'threads that copy, 1 to 64 or auto (default: 1,2,4)', threadCounts)
    .option('--order <orders>', 'frames in memory: sequential (default), shuffled', words(...FRAME_ORDERS))
    .option('--schedule <schedules>', 'static or dynamic (default)', words(...SCHEDULES))
    .option('--caller <modes>', 'waits, or helps (default) and is one of the threads', words(...CALLER_MODES))
    .option('--kernel <kernels>', 'auto (default), memory.copy, typed-array', words(...KERNEL_NAMES))
    .option('--runs <count>', 'measured runs of each combination (default: 7)', count)
    .option('--input <file>', 'fill the source with this file, repeated as needed (default: a pattern)')
    .option('--json', 'print one JSON object and nothing else')
    .action((options: Partial<CopyArguments>) => copy({ ...DEFAULTS, ...options }));
}

const DEFAULTS: CopyArguments = {
  folioSize: folioSizes('2M'),
  total: size('512M'),
  threads: [1, 2, 4],
  order: ['sequential'],
  schedule: ['dynamic'],
  caller: ['helps'],
  kernel: ['auto'],
  runs: 7,
};

async function copy({ folioSize, order, schedule, caller, kernel, json, ...rest }: CopyArguments): Promise<void> {
  const sweep = {
    folioBytes: folioSize,
    orders: order,
    schedules: schedule,
    callers: caller,
    kernels: kernel,
    ...rest,
  };
  const spinner = process.stderr.isTTY ? yoctoSpinner({ text: 'filling memory' }).start() : undefined;
  try {
    const results = await sweepCopies(sweep, (done, runs) => {
      if (spinner) spinner.text = `run ${done + 1} of ${runs}`;
    });
    spinner?.stop();
    if (json) console.log(JSON.stringify({ command: 'copy', machine: machineFacts(), results }));
    else console.log(copyTable(results, sweep.total));
  } finally {
    spinner?.stop();
  }
}
