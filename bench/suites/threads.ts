import { CopyEngine, MiB, PhysicalMemory, parseSize } from 'mtcopy';
import { allocBatch } from '../support/batches.js';
import { contest } from '../support/contest.js';
import { ratio, showRatio } from '../support/in-turns.js';
import { printTable, showSpeed } from '../support/table.js';
import { verifyEach } from '../support/verify.js';

const TOTAL = 256 * MiB;

/** What more threads bring. */
export async function threads(): Promise<void> {
  const memory = PhysicalMemory.create({ nodes: [TOTAL, TOTAL] });
  await using one = await CopyEngine.create({ memory, threads: 1, caller: 'waits' });
  await using two = await CopyEngine.create({ memory, threads: 2, caller: 'waits' });
  await using four = await CopyEngine.create({ memory, threads: 4, caller: 'waits' });
  await using eight = await CopyEngine.create({ memory, threads: 8, caller: 'waits' });
  const rows: string[][] = [];
  for (const [size, frames] of [
    ['2M', 'sequential'],
    ['4K', 'sequential'],
    ['4K', 'shuffled'],
  ] as const) {
    const batch = allocBatch(memory, TOTAL, parseSize(size), frames);
    const tasks = {
      1: () => one.copyBatch(batch),
      2: () => two.copyBatch(batch),
      4: () => four.copyBatch(batch),
      8: () => eight.copyBatch(batch),
    };
    await verifyEach(memory, batch, tasks);
    const times = await contest(tasks, { rounds: 15 });
    for (const [count, own] of Object.entries(times)) {
      rows.push([size, frames, count, showSpeed(TOTAL, own), showRatio(ratio(times[1], own))]);
    }
    batch.free();
  }
  printTable(
    ['folios', 'frames', 'threads', 'GB/s', 'over 1 thread'],
    rows,
    `${TOTAL / MiB} MiB, the caller waits. Throughput, and how many times that of one thread: medians (quartiles) of 15 rounds in turns.`,
  );
}
