import { CopyEngine, MiB, PhysicalMemory, planCopy } from 'mtcopy';
import { allocBatch } from '../support/batches.js';
import { contest } from '../support/contest.js';
import { ratio, showRatio } from '../support/in-turns.js';
import { printTable, showSpeed } from '../support/table.js';
import { verifyEach } from '../support/verify.js';

const THREADS = 2;

/** Fewer folios than threads: every folio cut into chunks, against the same bytes in a whole folio a thread. */
export async function distributions(): Promise<void> {
  const memory = PhysicalMemory.create({ nodes: [64 * MiB, 64 * MiB] });
  // Static, for a dynamic schedule cuts by size alone; and in parallel whatever the size, for that is the question.
  const options = { memory, schedule: 'static', minParallelBytes: 0 } as const;
  await using alone = await CopyEngine.create({ memory, minParallelBytes: Number.POSITIVE_INFINITY });
  await using helps = await CopyEngine.create({ ...options, threads: THREADS - 1, caller: 'helps' });
  await using waits = await CopyEngine.create({ ...options, threads: THREADS, caller: 'waits' });
  const rows: string[][] = [];
  for (const total of [2 * MiB, 4 * MiB]) {
    const folio = allocBatch(memory, total, total, 'sequential');
    const halves = allocBatch(memory, total, total / THREADS, 'sequential');
    const cuts = [planCopy(folio, THREADS).distribution, planCopy(halves, THREADS).distribution];
    if (cuts.join() !== 'chunks,folios') throw new Error(`planned as ${cuts}`);
    for (const [threads, engine] of Object.entries({ [`${THREADS - 1}+1`]: helps, [THREADS]: waits })) {
      const whole = { 'one thread': () => alone.copyBatch(folio), chunks: () => engine.copyBatch(folio) };
      const split = { 'whole folios': () => engine.copyBatch(halves) };
      await verifyEach(memory, folio, whole);
      await verifyEach(memory, halves, split);
      const times = await contest({ ...whole, ...split }, { rounds: 31, iterations: 20 });
      for (const [cut, own] of Object.entries(times)) {
        const size = `${cut === 'whole folios' ? THREADS : 1} of ${total / MiB / (cut === 'whole folios' ? THREADS : 1)}M`;
        const over = showRatio(ratio(times['one thread'], own));
        rows.push([size, threads, cut, showSpeed(total, own), over, showRatio(ratio(times['whole folios'], own))]);
      }
    }
    folio.free();
    halves.free();
  }
  printTable(
    ['folios', 'threads', 'cut', 'GB/s', 'over one thread', 'over whole folios'],
    rows,
    `${THREADS} threads copy, with +1 the caller among them, bytes in the caches. Throughput, and how many times that of one thread and of a whole folio a thread: medians (quartiles) of 31 rounds of 20 in turns.`,
  );
}
