import { availableParallelism } from 'node:os';
import { CopyEngine, type CopyItems, KiB, MiB, PhysicalMemory } from 'mtcopy';
import { Piscina } from 'piscina';
import { allocBatch } from '../support/batches.js';
import { contest } from '../support/contest.js';
import { ratio, showRatio } from '../support/in-turns.js';
import { printTable, showSpeed } from '../support/table.js';
import { verifyEach } from '../support/verify.js';

const TOTAL = 64 * MiB;

/** Calls `copy` for every item. */
function each({ to, from, bytes }: CopyItems, copy: (to: number, from: number, length: number) => void): void {
  for (let i = 0; i < to.length; i++) copy(to[i], from[i], bytes[i]);
}

/** What a user would write instead of the engine. */
export async function rivals(): Promise<void> {
  const memory = PhysicalMemory.create({ nodes: [TOTAL, TOTAL] });
  const shared = new Uint8Array(memory.buffer);
  const buffer = Buffer.from(memory.buffer);
  await using engine = await CopyEngine.create({ memory });
  const threads = availableParallelism();
  const pool = new Piscina<{ to: number; from: number; length: number }, void>({
    filename: new URL('../support/folio-task.js', import.meta.url).href,
    workerData: memory.buffer,
    minThreads: threads,
    maxThreads: threads,
  });
  const rows: string[][] = [];
  for (const [size, folioBytes] of [
    ['4K', 4 * KiB],
    ['64K', 64 * KiB],
    ['2M', 2 * MiB],
  ] as const) {
    const batch = allocBatch(memory, TOTAL, folioBytes, 'shuffled');
    const tasks = {
      engine: () => engine.copyBatch(batch),
      'Uint8Array.set': () => each(batch, (to, from, length) => shared.set(shared.subarray(from, from + length), to)),
      'Buffer.copy': () => each(batch, (to, from, length) => buffer.copy(buffer, to, from, from + length)),
      'Piscina, a task a folio': async () => {
        const done: Promise<void>[] = [];
        each(batch, (to, from, length) => done.push(pool.run({ to, from, length })));
        await Promise.all(done);
      },
    };
    await verifyEach(memory, batch, tasks);
    const times = await contest(tasks, { rounds: 15 });
    for (const [name, own] of Object.entries(times)) {
      rows.push([size, name, showSpeed(TOTAL, own), showRatio(ratio(own, times.engine))]);
    }
    batch.free();
  }
  await pool.destroy();
  printTable(
    ['folios', 'contestant', 'GB/s', 'engine is faster by'],
    rows,
    `${TOTAL / MiB} MiB of shuffled folios; engine with its defaults, Piscina with ${threads} threads. Throughput, and the contestant's time over the engine's: medians (quartiles) of 15 rounds in turns.`,
  );
}
