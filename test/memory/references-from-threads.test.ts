import { once } from 'node:events';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { PhysicalMemory } from 'mtcopy';
import { afterEach, describe, expect, it } from 'vitest';
import { PG } from '#src/memory/page-metadata.js';

const FOLIO_MODULE = pathToFileURL(createRequire(import.meta.url).resolve('#src/memory/folio.js')).href;

/** What a worker runs, with the Folio that is shipped: `work` counts what it did in `tally`. */
const workerCode = (work: string) => `
  const { parentPort, workerData } = require('node:worker_threads');
  const { page, bytes, pfns, rounds, module, start, threads } = workerData;
  import(module).then(({ Folio }) => {
    // Dropping a reference that isn't the last is all that putFolio does in a thread that doesn't allocate.
    const putFolio = (of) => Atomics.sub(page.refcount, of, 1);
    const [folio, ...others] = pfns.map((pfn) => new Folio({ page, bytes, putFolio }, pfn));
    const pfn = folio.pfn;
    const tally = { done: 0, timeouts: 0, refused: 0 };
    Atomics.add(start, 0, 1);
    Atomics.notify(start, 0);
    while (Atomics.load(start, 0) < threads) Atomics.wait(start, 0, Atomics.load(start, 0), 100);
    ${work}
    parentPort.postMessage(tally);
  });
`;

interface Tally {
  done: number;
  timeouts: number;
  refused: number;
}

const workers: Worker[] = [];
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
});

interface Task {
  threads: number;
  pfns: readonly number[];
  rounds: number;
  work: string;
}

function startWorkers({ page, bytes }: PhysicalMemory, { threads, pfns, rounds, work }: Task): Promise<Tally[]> {
  const start = new Int32Array(new SharedArrayBuffer(4));
  const tallies = Array.from({ length: threads }, async () => {
    const workerData = { page, bytes, pfns, rounds, module: FOLIO_MODULE, start, threads };
    const worker = new Worker(workerCode(work), { eval: true, workerData });
    workers.push(worker);
    const [tally] = await once(worker, 'message');
    return tally as Tally;
  });
  return Promise.all(tallies);
}

describe('a folio that threads share', () => {
  // 4 threads, 100,000 references each, 3 of 4 dropped again by the thread, the rest by this one.
  it('counts 400,000 references taken at once', async () => {
    const rounds = 100_000;
    const memory = PhysicalMemory.create({ nodes: ['4M'] });
    const folio = memory.allocFolio(2);
    const tallies = await startWorkers(memory, {
      threads: 4,
      pfns: [folio.pfn],
      rounds,
      work: `for (let i = 0; i < rounds; i++) {
         folio.get();
         if (i % 4 !== 0) folio.put();
         tally.done++;
       }`,
    });
    expect(tallies.map(({ done }) => done)).toEqual(Array(4).fill(rounds));
    const kept = (4 * rounds) / 4;
    expect(folio.refcount).toBe(1 + kept);
    for (let i = 0; i < kept; i++) folio.put();
    expect([folio.refcount, memory.nodes[0]?.freePages]).toEqual([1, 1020]);
    folio.put();
    expect([folio.refcount, memory.nodes[0]?.freePages]).toEqual([0, 1024]);
  });

  // 300 folios: a thread takes references on each while this one drops them faster, down to the last.
  it('is not got again once its last reference is dropped', async () => {
    const memory = PhysicalMemory.create({ nodes: ['4M'] });
    const pfns = Array.from(memory.allocFolios(300, 0));
    const worker = startWorkers(memory, {
      threads: 1,
      pfns,
      rounds: 100_000,
      work: `for (const each of [folio, ...others]) {
         try {
           for (let i = 0; i < rounds; i++) {
             each.get();
             tally.done++;
             for (let spin = (i * 37) % 400; spin > 0; spin--) Atomics.load(start, 0);
           }
           for (let seen = each.refcount; seen > 0; seen = each.refcount) Atomics.wait(page.refcount, each.pfn, seen, 0.1);
           each.get();
         } catch (error) {
           if (error.code === 'EINVAL') tally.refused++;
         }
       }`,
    });
    let isOver = false;
    worker.finally(() => {
      isOver = true;
    });
    let drops = 0;
    for (const pfn of pfns) {
      const folio = memory.folio(pfn);
      // The first reference of the thread: from here on the two run against each other.
      while (folio.refcount === 1 && !isOver) await new Promise((resolve) => setImmediate(resolve));
      for (; folio.refcount > 0; drops++) folio.put();
    }
    const [tally] = await worker;
    expect(tally).toEqual({ done: drops - pfns.length, timeouts: 0, refused: pfns.length });
    expect(pfns.every((pfn) => memory.folio(pfn).refcount === 0)).toBe(true);
    expect(memory.nodes[0]?.freeBlocks(10)).toBe(1);
  });

  // 4 threads add 1 to a plain number 100,000 times each, under the lock; who spun in vain sleeps until unlock.
  it('is locked by one thread at a time, 400,000 times', async () => {
    const rounds = 100_000;
    const memory = PhysicalMemory.create({ nodes: ['4M'] });
    const folio = memory.allocFolio(0);
    const tallies = await startWorkers(memory, {
      threads: 4,
      pfns: [folio.pfn],
      rounds,
      work: `const counter = new Uint32Array(bytes.buffer, folio.bytes.byteOffset, 1);
       while (tally.done < rounds) {
         let isMine = false;
         for (let tries = 0; tries < 200 && !isMine; tries++) isMine = folio.tryLock();
         if (!isMine) {
           const waiters = ${PG.waiters};
           const seen = Atomics.or(page.flags, pfn, waiters) | waiters;
           if (seen & 1 && Atomics.wait(page.flags, pfn, seen, 5000) === 'timed-out') tally.timeouts++;
           if (tally.timeouts > 0) break;
           continue;
         }
         folio.get();
         counter[0] = counter[0] + 1;
         folio.put();
         folio.unlock();
         tally.done++;
       }`,
    });
    expect(tallies.map(({ done }) => done)).toEqual(Array(4).fill(rounds));
    expect(tallies.map(({ timeouts }) => timeouts)).toEqual(Array(4).fill(0));
    expect(new Uint32Array(memory.buffer, folio.pfn * 4096, 1)[0]).toBe(4 * rounds);
    expect([folio.refcount, folio.locked, memory.page.flags[folio.pfn]]).toEqual([1, false, PG.head]);
  });
});
