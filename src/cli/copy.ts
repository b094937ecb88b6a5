import type { Command } from 'commander';
import { type CallerMode, COPY_METHODS, ErrnoError, FRAMES, SCHEDULES } from 'mtcopy';
import { type CopySweep, copyTable, SWEEP_CALLERS, type SweepCaller, sweepCopies } from 'mtcopy/experiments';
import { count, folioSizes, size, threadCounts, words } from './arguments.js';
import { addJsonOption, present } from './present.js';
import { addProfileOption, type ProfileArguments, tunedBy } from './profile.js';

interface CopyArguments extends ProfileArguments {
  folioSize: CopySweep['folioBytes'];
  total: number;
  threads: CopySweep['threads'];
  frames: CopySweep['frames'];
  schedule: CopySweep['schedules'];
  caller: CopySweep['callers'];
  method: CopySweep['methods'];
  distribution?: CopySweep['distribution'];
  unitBytes?: CopySweep['unitBytes'];
  runs: number;
  input?: string;
  json?: boolean;
}

/** Adds `mtcopy copy`. Where an option takes a list, every combination is measured, in turns. */
export function addCopyCommand(program: Command): void {
  const command = program
    .command('copy')
    .description('copy folios from node 0 to node 1 and show how fast that was; lists measure every combination')
    .option('--folio-size <sizes>', 'bytes of a folio, 4K to 4M (default: 2M)', folioSizes)
    .option('--total <size>', 'bytes to copy in a run (default: 512M)', size)
    .option('--threads <counts>', 'worker threads, 1 to 64 or auto (default: 1,2,4)', threadCounts)
    .option('--frames <kinds>', 'how frames lie: sequential (default), shuffled', words(...FRAMES))
    .option('--schedule <schedules>', 'static or dynamic (default)', words(...SCHEDULES))
    .option('--caller <modes>', 'waits (default), or helps: one thread more', words(...SWEEP_CALLERS))
    .option('--method <methods>', 'auto (default), memory.copy, typed-array', words(...COPY_METHODS))
    .option('--runs <count>', 'measured runs of each combination (default: 7)', count)
    .option('--input <file>', 'fill the source with this file, repeated as needed (default: a pattern)')
    .action((options: Partial<CopyArguments>) => copy({ ...DEFAULTS, ...byProfile(options), ...options }));
  addProfileOption(command);
  addJsonOption(command);
}

const DEFAULTS: CopyArguments = {
  folioSize: folioSizes('2M'),
  total: size('512M'),
  threads: [1, 2, 4],
  frames: ['sequential'],
  schedule: ['dynamic'],
  caller: ['waits'],
  method: ['auto'],
  runs: 7,
};

/** What a profile says and no other option does. How a batch is shared out goes with the schedule. */
function byProfile(options: Partial<CopyArguments>): Partial<CopyArguments> {
  const engine = tunedBy(options, options.folioSize)?.engine;
  if (!engine) return {};
  const { threads, schedule, distribution, unitBytes, caller, method } = engine;
  const says = { threads: [threads], schedule: [schedule], caller: [sweepCaller(caller)], method: [method] };
  if (Object.keys(says).every((name) => Object.hasOwn(options, name))) {
    throw new ErrnoError('EINVAL', '--profile: means nothing, for other options say all that it does');
  }
  return { ...says, ...(options.schedule === undefined && { distribution, unitBytes }) };
}

/** Of asynchronous calls: by itself the caller waits. */
function sweepCaller(caller: CallerMode): SweepCaller {
  return caller === 'helps' ? caller : 'waits';
}

async function copy(all: CopyArguments): Promise<void> {
  const { folioSize, schedule, caller, method, json, profile, forceProfile, ...rest } = all;
  const sweep = { folioBytes: folioSize, schedules: schedule, callers: caller, methods: method, ...rest };
  await present('copy', json, {
    preparing: 'filling memory',
    measure: async (control) => ({ results: await sweepCopies(sweep, control) }),
    text: ({ results }) => copyTable(results, sweep.total),
  });
}
