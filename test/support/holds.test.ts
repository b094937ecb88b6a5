import threads, { type Worker } from 'node:worker_threads';
import { Machine } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { BELL, cpuWords, createCpuArea } from '#src/cpu/cpu-area.js';
import { holdThreads } from './holds.js';
import { program } from './programs.js';

/** A thread that stores 1, 2, 3 and so on to the first of `words`, and counts in the second how often it has. */
const COUNTS = `
  const { words, to } = require('node:worker_threads').workerData;
  for (let i = 1; i <= to; i++) {
    Atomics.store(words, 0, i);
    words[1]++;
  }`;
const NESTED = `
  const { Worker, workerData } = require('node:worker_threads');
  new Worker(${JSON.stringify(COUNTS)}, { eval: true, workerData });`;

const newWords = (length = 2) => new Int32Array(new SharedArrayBuffer(length * 4));
const start = (words: Int32Array, code = COUNTS) =>
  new threads.Worker(code, { eval: true, workerData: { words, to: 5 } });
const ended = (worker: Worker) => new Promise((resolve) => worker.once('exit', resolve));

describe('a hold', () => {
  it.each([
    ['before', 2, [2, 2]],
    ['after', 3, [3, 2]],
  ] as const)('stops a thread %s the n-th operation, until it is let go', async (when, _, seen) => {
    using holds = holdThreads();
    const words = newWords();
    const hold = holds.at({ operation: 'store', array: words, index: 0, nth: 3, when });
    const worker = start(words);
    expect(await hold.held()).toBe(worker.threadId);
    expect([hold.isHeld, ...words]).toEqual([true, ...seen]);
    const end = ended(worker);
    hold.go();
    await end;
    expect([hold.isHeld, ...words]).toEqual([false, 5, 5]);
  });

  it('can end the thread there', async () => {
    using holds = holdThreads();
    const words = newWords();
    const hold = holds.at({ operation: 'store', array: words, nth: 2 });
    const end = ended(start(words));
    await hold.held();
    await hold.end();
    await end;
    expect(Array.from(words)).toEqual([1, 1]);
  });

  it('takes no other operation, array, index, value or thread', async () => {
    using holds = holdThreads();
    const words = newWords();
    const hold = holds.at({ operation: 'store', array: words, index: 0, value: 4 });
    const others = [
      holds.at({ operation: 'load', array: words }),
      holds.at({ operation: 'store', array: newWords(3) }),
      holds.at({ operation: 'store', array: words.subarray(1) }),
      holds.at({ operation: 'store', array: words, index: 1 }),
      holds.at({ operation: 'store', array: words, value: 6 }),
      holds.at({ operation: 'store', array: words, nth: 6 }),
      holds.at({ operation: 'store', thread: 2 ** 30 }),
    ];
    const end = ended(start(words));
    await hold.held();
    expect([words[0], others.map(({ isHeld }) => isHeld)]).toEqual([3, others.map(() => false)]);
    hold.go();
    await end;
    expect(words[0]).toBe(5);
  });

  it('takes one of several threads, once', async () => {
    using holds = holdThreads();
    const words = newWords();
    const hold = holds.at({ operation: 'store', array: words });
    const workers = [start(words), start(words)];
    const ends = workers.map(ended);
    const held = await hold.held();
    await Promise.race(ends);
    expect([hold.isHeld, ...words, workers.map(({ threadId }) => threadId)]).toEqual([
      true,
      5,
      5,
      expect.arrayContaining([held, -1]),
    ]);
    hold.go();
    await Promise.all(ends);
    expect(Array.from(words)).toEqual([5, 10]);
  });

  it('holds nobody who comes after it was let go or disposed of', async () => {
    using holds = holdThreads();
    const words = newWords();
    holds.at({ operation: 'store', array: words }).go();
    {
      using _ = holds.at({ operation: 'store', array: words, nth: 2 });
    }
    await ended(start(words));
    expect(Array.from(words)).toEqual([5, 5]);
  });

  it('reaches threads of threads', async () => {
    using holds = holdThreads();
    const words = newWords();
    const hold = holds.at({ operation: 'store', array: words, index: 0, nth: 3 });
    const end = ended(start(words, NESTED));
    await hold.held();
    expect(words[0]).toBe(2);
    hold.go();
    await end;
    expect(words[0]).toBe(5);
  });

  it("reaches Piscina's threads, whose array is known by one of the same layout", async () => {
    using holds = holdThreads();
    await using machine = await Machine.boot({ nodes: ['16M'], cpus: 2 });
    const mm = machine.createAddressSpace();
    const { address } = mm.mmap({ length: '4K', populate: true });
    // The CPU looks at its bell as it is made and as it is entered, and then before its first access.
    using hold = holds.at({ operation: 'load', array: createCpuArea(2), index: cpuWords(1) + BELL, nth: 3 });
    const run = (cpu: number) => machine.cpus.run(mm, program('access'), { cpu, args: [['store8', address + cpu, 7]] });
    const held = run(1);
    await hold.held();
    await run(0);
    expect(Array.from(await mm.read(address, 2))).toEqual([7, 0]);
    hold.go();
    await held;
    expect(Array.from(await mm.read(address, 2))).toEqual([7, 7]);
  });

  it('is over with what made it: threads that are started then have the real Atomics', async () => {
    const { Worker } = threads;
    const words = newWords();
    const holds = holdThreads();
    const hold = holds.at({ operation: 'store', array: words });
    const end = ended(start(words));
    await hold.held();
    holds[Symbol.dispose]();
    await end;
    const tells = "require('node:worker_threads').parentPort.postMessage(String(Atomics))";
    const worker = new threads.Worker(tells, { eval: true });
    expect(await new Promise((resolve) => worker.once('message', resolve))).toBe('[object Atomics]');
    expect([threads.Worker, threads.getEnvironmentData('mtcopy:holds')]).toEqual([Worker, undefined]);
  });
});
