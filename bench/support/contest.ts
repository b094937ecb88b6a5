import { Bench } from 'tinybench';
import { inTurns } from './in-turns.js';

export interface ContestOptions {
  /** Passes of each task that count. */
  readonly rounds: number;
  /** Runs in a pass; its result is their median. Default: 1. */
  readonly iterations?: number;
}

/**
 * Runs tinybench tasks in turns. tinybench itself runs a task to its end before the next begins, and on a machine whose
 * bandwidth changes from one second to the next that compares seconds, not tasks. So each task is run again and again
 * in short passes, and tinybench times the runs inside a pass. A run before each pass is not counted: it wakes threads
 * that have left an engine meanwhile, and clears the caches of what the contestant before left there.
 *
 * @returns nanoseconds a pass, by task
 */
export function contest<Name extends string>(
  tasks: Readonly<Record<Name, () => unknown>>,
  { rounds, iterations = 1 }: ContestOptions,
): Promise<Record<Name, number[]>> {
  const bench = new Bench({ time: 0, iterations, warmupTime: 0, warmupIterations: 1, throws: true });
  // Said to be asynchronous, so that tinybench doesn't call it once more to find out.
  for (const name of Object.keys(tasks) as Name[]) bench.add(name, tasks[name], { async: true });
  return passesInTurns<Name>(bench, rounds);
}

/** As {@link contest}, of the tasks that a bench has. One without `warmup` leaves that to their own preparation. */
export function passesInTurns<Name extends string>(bench: Bench, rounds: number): Promise<Record<Name, number[]>> {
  const passes = {} as Record<Name, () => Promise<number>>;
  for (const task of bench.tasks) {
    passes[task.name as Name] = async () => {
      task.reset();
      if (bench.warmup) await task.warmup();
      await task.run();
      if (task.result.state !== 'completed') throw new Error(`${task.name} did not complete`);
      return task.result.latency.p50 * 1e6;
    };
  }
  return inTurns(passes, rounds);
}
