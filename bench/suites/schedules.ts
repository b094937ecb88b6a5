import { CopyEngine, MiB, PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { allocBatch } from '../support/batches.js';
import { contest } from '../support/contest.js';
import { ratio, showRatio } from '../support/in-turns.js';
import { printTable, showSpeed } from '../support/table.js';
import { verifyEach } from '../support/verify.js';

const TOTAL = 64 * MiB;
const BATCHES = [
  ['512 pages', 512 * PAGE_SIZE, PAGE_SIZE],
  ['16 x 2M', 32 * MiB, 2 * MiB],
  ['32 x 2M', TOTAL, 2 * MiB],
  ['16384 pages', TOTAL, PAGE_SIZE],
] as const;

/** How threads share a batch, and whether the caller is one of them. */
export async function schedules(): Promise<void> {
  const memory = PhysicalMemory.create({ nodes: [TOTAL, TOTAL] });
  const waits = { memory, threads: 2, caller: 'waits', minParallelBytes: 0 } as const;
  // As many threads copy, for the caller is one of them.
  const helps = { memory, threads: 1, caller: 'helps', minParallelBytes: 0 } as const;
  await using staticWaits = await CopyEngine.create({ ...waits, schedule: 'static' });
  await using staticHelps = await CopyEngine.create({ ...helps, schedule: 'static' });
  await using dynamicWaits = await CopyEngine.create({ ...waits, schedule: 'dynamic' });
  await using dynamicHelps = await CopyEngine.create({ ...helps, schedule: 'dynamic' });
  const rows: string[][] = [];
  for (const [name, total, folioBytes] of BATCHES) {
    const batch = allocBatch(memory, total, folioBytes, 'shuffled');
    const tasks = {
      'static waits': () => staticWaits.copyBatch(batch),
      'static helps': () => staticHelps.copyBatch(batch),
      'dynamic waits': () => dynamicWaits.copyBatch(batch),
      'dynamic helps': () => dynamicHelps.copyBatch(batch),
    };
    await verifyEach(memory, batch, tasks);
    const times = await contest(tasks, { rounds: 31, iterations: total < 8 * MiB ? 20 : 1 });
    for (const [manner, own] of Object.entries(times)) {
      const published = times['static waits'];
      rows.push([name, ...manner.split(' '), showSpeed(total, own), showRatio(ratio(published, own))]);
    }
    batch.free();
  }
  printTable(
    ['batch', 'schedule', 'caller', 'GB/s', 'over static, waits'],
    rows,
    '2 threads copy, shuffled. Throughput, and how many times that of the published driver (static, waits): medians (quartiles) of 31 rounds in turns.',
  );
}
