import { afterAll, beforeAll, expect } from 'vitest';

/*
 * Files that share a process would meet each other's threads: each has to start none, or to have a process of its own, which
 * it has if vitest.config.ts doesn't list it.
 */

let threads = 0;
const onWorker = () => {
  threads++;
};

beforeAll(() => {
  threads = 0;
  process.on('worker', onWorker);
});

afterAll(() => {
  process.off('worker', onWorker);
  expect(threads, 'threads of a file that shares its process').toBe(0);
});
