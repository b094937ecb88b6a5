import { type Checks, checkOptions, formatSize, KiB, listOf, MiB, oneOf, wholeNumber } from 'mtcopy';
import { checkTotal, count, folioSizes } from './checks.js';
import { collectGarbage } from './collect-garbage.js';
import { combine } from './combine.js';
import type { MovedMemory } from './moved-memory.js';
import { bootMoved, type Mover, moveBy, moverText, WAY_NAMES, type WayName } from './movers.js';

/** What a task returns to tinybench, in milliseconds. */
export interface TaskTime {
  /** The migration alone: what its statistics are of. */
  readonly overriddenDuration: number;
  /** With what isn't timed, such as the verification: what is taken from the `time` that a task has. */
  readonly overriddenIterationCost: number;
}

/** What of tinybench's `Bench` is needed to add tasks to it. */
export interface TaskBench {
  /** Adds a task, as `Bench` does. */
  add(
    name: string,
    run: () => Promise<TaskTime>,
    options: { async: true; beforeAll: () => Promise<void>; afterAll: () => Promise<void> },
  ): unknown;
}

/** What to migrate, and how. */
export interface ThroughputTaskOptions {
  /** Bytes that a run moves: whole folios of each size. Default: 64 MiB. */
  readonly total?: number | undefined;
  /** Sizes of a folio, in bytes: powers of two from 4 KiB to 4 MiB. Default: 4 KiB and 2 MiB. */
  readonly folioBytes?: readonly number[] | undefined;
  /** Ways to move them, of {@link WAYS}. Default: all. */
  readonly ways?: readonly WayName[] | undefined;
  /** Threads or channels, 1 to 16; the baseline has none, and one task a size. Default: 1 and 2. */
  readonly counts?: readonly number[] | undefined;
}

/** Channels of the device, and threads with which they are compared. */
const MAX_COUNT = 16;
const OPTIONS: Checks<ThroughputTaskOptions> = {
  total: count,
  folioBytes: folioSizes,
  ways: listOf(oneOf(WAY_NAMES)),
  counts: listOf(wholeNumber(1, MAX_COUNT)),
};

/**
 * Adds a task to a tinybench `Bench` for each folio size, way and count of the published throughput tables, with names such as
 * `2M mtcopy×2`. A run moves everything to the other node of a machine of its own, which is booted before the task's runs, and
 * closed after them, and verifies every byte outside of the time that tinybench is told. Not for a bench with `concurrency`:
 * runs of one task move the same memory.
 *
 * @throws ErrnoError EINVAL for an option that is wrong, or a total that is no multiple of a folio size. The tasks: ENOMEM for
 * more memory than there is; EIO if anything came out wrong
 * @returns the names of the tasks, in the order in which they were added
 */
export function addThroughputTasks(bench: TaskBench, options: ThroughputTaskOptions = {}): string[] {
  const checked = checkOptions(options, OPTIONS);
  const { total = 64 * MiB, folioBytes = [4 * KiB, 2 * MiB], ways = WAY_NAMES, counts = [1, 2] } = checked;
  for (const bytes of folioBytes) checkTotal(total, bytes);
  const movers = ways.flatMap((way): Mover[] =>
    way === 'baseline' ? [{ way, count: 0 }] : counts.map((count) => ({ way, count })),
  );
  return combine(folioBytes, movers).map(([bytes, mover]) => {
    const name = `${formatSize(bytes)} ${moverText(mover)}`;
    addTask(bench, name, total, bytes, mover);
    return name;
  });
}

function addTask(bench: TaskBench, name: string, total: number, folioBytes: number, mover: Mover): void {
  let memory: MovedMemory | undefined;
  const close = async () => {
    await memory?.machine.close();
    memory = undefined;
    collectGarbage();
  };
  const beforeAll = async () => {
    // What a run that failed has left.
    await close();
    memory = await bootMoved(total, folioBytes);
    // Touches all frames of both nodes, and has the threads started.
    for (let i = 0; i < 2; i++) await moveBy(memory, mover);
  };
  const run = async () => {
    const began = performance.now();
    const { ns } = await moveBy(memory as MovedMemory, mover);
    return { overriddenDuration: ns / 1e6, overriddenIterationCost: performance.now() - began };
  };
  bench.add(name, run, { async: true, beforeAll, afterAll: close });
}
