import type { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect } from 'vitest';

/*
 * Files that share a process would meet each other's threads: each has to end its own. One that can't, or that measures the
 * process, has one for itself, which it has if vitest.config.ts lists it.
 */

const alive = new Set<Worker>();
const onWorker = (worker: Worker) => {
  alive.add(worker);
  worker.once('exit', () => alive.delete(worker));
};

beforeAll(() => {
  process.on('worker', onWorker);
});

afterAll(async () => {
  process.off('worker', onWorker);
  // Those that are ending have some more to do.
  const ends = [...alive].map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
  await Promise.race([Promise.all(ends), new Promise((resolve) => setTimeout(resolve, 10_000).unref())]);
  expect(alive.size, 'threads that a file leaves running in a process that it shares').toBe(0);
});
