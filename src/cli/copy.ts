import type { Command } from 'commander';
import { type CallerMode, COPY_METHODS, DISTRIBUTIONS, ErrnoError, FRAMES, SCHEDULES } from 'mtcopy';
import { type CopySweep, copyParts, loopOf, SWEEP_CALLERS, type SweepCaller, sweepCopies } from 'mtcopy/experiments';
import { count, folioSizes, natural, size, threadCounts, unitSizes, words } from './arguments.js';
import { checkSeed, checkShapes } from './effects.js';
import { addExamples } from './examples.js';
import { addBaselineOption, addOutputOptions, type Invocation, type OutputArguments, present } from './present.js';
import { addProfileOption, type ProfileArguments, tunedBy } from './profile.js';

interface CopyArguments extends OutputArguments, ProfileArguments {
  folioSize: CopySweep['folioBytes'];
  total: number;
  threads: CopySweep['threads'];
  frames: CopySweep['frames'];
  schedule: CopySweep['schedules'];
  caller: CopySweep['callers'];
  method: CopySweep['methods'];
  distribution?: CopySweep['distributions'];
  unit?: CopySweep['unitBytes'];
  runs: number;
  warmup?: number;
  seed?: number;
  input?: string;
}

/** Adds `mtcopy copy`. Where an option takes a list, every combination is measured, in turns. */
export function addCopyCommand(program: Command, invocation: Invocation): void {
  const command = program
    .command('copy')
    .description('copy folios from node 0 to node 1 and show how fast that was; lists measure every combination')
    .option('--folio-size <sizes>', 'bytes of a folio, 4K to 4M (default: 2M)', folioSizes)
    .option('--total <size>', 'bytes to copy in a run (default: 512M)', size)
    .option('--threads <counts>', 'worker threads, 1 to 64 or auto (default: 1,2,4)', threadCounts)
    .option('--frames <kinds>', 'how frames lie: sequential (default), shuffled', words(...FRAMES))
    .option('--schedule <schedules>', 'static or dynamic (default)', words(...SCHEDULES))
    .option(
      '--distribution <kinds>',
      'of static: auto (default), folios whole, chunks of each',
      words(...DISTRIBUTIONS),
    )
    .option('--unit <sizes>', 'of dynamic: bytes that a thread claims at once, 64K to 1G or auto (default)', unitSizes)
    .option('--caller <modes>', 'waits (default), or helps: one thread more', words(...SWEEP_CALLERS))
    .option('--method <methods>', 'auto (default), streaming, memory.copy, typed-array', words(...COPY_METHODS))
    .option('--runs <count>', 'measured runs of each combination (default: 7)', count)
    .option('--warmup <rounds>', 'runs of each combination before them, which do not count (default: 1)', natural)
    .option('--seed <number>', 'of the order of shuffled frames, and of the pattern (default: 1)', natural)
    .option('--input <file>', 'fill the source with this file, repeated as needed (default: a pattern)')
    .action((options: Partial<CopyArguments>) => {
      const complete = { ...DEFAULTS, ...byProfile(options), ...options };
      checkShapes(options, complete.schedule);
      return copy(invocation, complete);
    });
  addProfileOption(command);
  addBaselineOption(command);
  addOutputOptions(command);
  addExamples(command, {
    'copy --folio-size 4K,2M --threads 1,2,4': 'Small folios and large ones, with more and more threads',
    'copy --schedule static,dynamic --distribution folios,chunks --unit 256K,4M': 'How a batch is shared out',
    'copy --total 1G --frames shuffled --caller waits,helps --runs 15': 'A fragmented machine, and a caller that helps',
    'copy --json > before.json': 'Keep a run to compare a later one with, by --baseline before.json',
  });
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
  const { threads, schedule, distribution, unitBytes, caller } = engine;
  const says = { threads: [threads], schedule: [schedule], caller: [sweepCaller(caller)], method: [loopOf(engine)] };
  if (Object.keys(says).every((name) => Object.hasOwn(options, name))) {
    throw new ErrnoError('EINVAL', '--profile: means nothing, for other options say all that it does');
  }
  return { ...says, ...(options.schedule === undefined && { distribution: [distribution], unit: [unitBytes] }) };
}

/** Of asynchronous calls: by itself the caller waits. */
function sweepCaller(caller: CallerMode): SweepCaller {
  return caller === 'helps' ? caller : 'waits';
}

const COMPARABLE = {
  context: [],
  settings: ['folioBytes', 'folios', 'frames', 'method', 'schedule', 'distribution', 'unitBytes', 'threads', 'caller'],
  figure: 'gbps.median',
};

async function copy(invocation: Invocation, options: CopyArguments): Promise<void> {
  const { folioSize, total, threads, frames, schedule, caller, method, runs, warmup, seed, input, distribution, unit } =
    options;
  checkSeed(seed, input, frames);
  const lists = {
    distributions: distribution,
    unitBytes: unit,
    folioBytes: folioSize,
    threads,
    frames,
    schedules: schedule,
    callers: caller,
    methods: method,
  };
  await present('copy', invocation, options, {
    preparing: 'filling memory',
    measure: async (control) => ({
      results: await sweepCopies({ ...lists, total, runs, warmUps: warmup, seed, input }, control),
    }),
    rows: ({ results }) => results,
    parts: ({ results }) => copyParts(results, total),
    comparable: COMPARABLE,
  });
}
