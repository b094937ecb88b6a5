import { parseArgs } from 'node:util';
import { CopyEngine, FRAMES, formatSize, MiB, PhysicalMemory, parseSize } from 'mtcopy';
import { threadsText } from 'mtcopy/experiments';
import { median } from 'simple-statistics';
import { allocBatch } from '../support/batches.js';
import { inTurns, ratio, showRatio } from '../support/in-turns.js';
import { startMemcpy } from '../support/memcpy-limit.js';
import { printTable } from '../support/table.js';
import { verifyEach } from '../support/verify.js';

/*
 * The engine against C's memcpy with as many threads, over the same folios, in turns in one process tree.
 * Usage: npm run bench:limit [-- --rounds 15 --total 512M]
 */

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '15' }, total: { type: 'string', default: '512M' } },
});
const rounds = Number(values.rounds);
const total = parseSize(values.total);
/** Small copies are made several times a turn: one alone is over before threads are awake. */
const calls = Math.max(1, Math.floor((512 * MiB) / total));

/** Worker threads, and whether the caller is one more. */
const THREADS = [
  { threads: 1, caller: 'waits' },
  { threads: 2, caller: 'waits' },
  { threads: 1, caller: 'helps' },
] as const;

/** The mean of several calls, in nanoseconds. */
async function mean(copy: () => Promise<number>): Promise<number> {
  let sum = 0;
  for (let call = 0; call < calls; call++) sum += await copy();
  return sum / calls;
}

const c = startMemcpy(total);
const memory = PhysicalMemory.create({ nodes: [total, total] });
const rows: (string | number)[][] = [];
for (const { threads, caller } of THREADS) {
  await using engine = await CopyEngine.create({ memory, threads, caller });
  const copying = caller === 'helps' ? threads + 1 : threads;
  for (const size of ['4K', '64K', '2M']) {
    for (const frames of FRAMES) {
      const folioBytes = parseSize(size);
      const items = allocBatch(memory, total, folioBytes, frames);
      await verifyEach(memory, items, { engine: () => engine.copyBatch(items) });
      const times = await inTurns(
        {
          c: () => mean(() => c.copy(copying, folioBytes, frames === 'shuffled')),
          engine: () => mean(async () => (await engine.copyBatch(items)).wallNs),
        },
        rounds,
      );
      items.free();
      const speed = (ns: readonly number[]) => (total / median([...ns])).toFixed(1);
      rows.push([
        size,
        frames,
        threadsText({ threads, caller }),
        speed(times.c),
        speed(times.engine),
        showRatio(ratio(times.c, times.engine)),
      ]);
    }
  }
}
c.end();
printTable(
  ['folios', 'frames', 'threads', 'C GB/s', 'engine GB/s', 'engine / C'],
  rows,
  `${formatSize(total)}. Threads: workers, and +1 where the caller helps; C has as many in all. ${rounds} rounds of ${calls} in turns; GB/s are medians, engine / C the median of ratios (quartiles).`,
);
