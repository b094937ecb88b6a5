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
  const passes = {} as Record<Name, () => Promise<number>>;
  for (const name of Object.keys(tasks) as Name[]) {
    // Said to be asynchronous, so that tinybench doesn't call it once more to find out.
    bench.add(name, tasks[name], { async: true });
    passes[name] = async () => {
      const task = bench.getTask(name);
      task?.reset();
      await task?.warmup();
      await task?.run();
      if (task?.result.state !== 'completed') throw new Error(`${name} did not complete`);
      return task.result.latency.p50 * 1e6;
    };
  }
  return inTurns(passes, rounds);
}
