import { parseArgs } from 'node:util';
import { CopyEngine, FRAMES, MiB, PhysicalMemory, parseSize } from 'mtcopy';
import { median } from 'simple-statistics';
import { allocBatch } from '../support/batches.js';
import { inTurns, ratio, showRatio } from '../support/in-turns.js';
import { startMemcpy } from '../support/memcpy-limit.js';
import { printTable } from '../support/table.js';
import { verifyEach } from '../support/verify.js';

/*
 * The engine against C's memcpy with as many threads, over the same folios, in turns in one process tree.
 * Usage: npm run bench:limit [-- --rounds 15]
 */

const TOTAL = 512 * MiB;
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '15' } } });
const rounds = Number(values.rounds);

const c = startMemcpy(TOTAL);
const memory = PhysicalMemory.create({ nodes: [TOTAL, TOTAL] });
const rows: (string | number)[][] = [];
for (const caller of ['waits', 'helps'] as const) {
  for (const threads of [1, 2]) {
    await using engine = await CopyEngine.create({ memory, threads, caller });
    for (const size of ['4K', '64K', '2M']) {
      for (const frames of FRAMES) {
        const folioBytes = parseSize(size);
        const items = allocBatch(memory, TOTAL, folioBytes, frames);
        await verifyEach(memory, items, { engine: () => engine.copyBatch(items) });
        const times = await inTurns(
          {
            c: () => c.copy(threads, folioBytes, frames === 'shuffled'),
            engine: async () => (await engine.copyBatch(items)).wallNs,
          },
          rounds,
        );
        items.free();
        const speed = (ns: readonly number[]) => (TOTAL / median([...ns])).toFixed(1);
        rows.push([
          size,
          frames,
          threads,
          caller,
          speed(times.c),
          speed(times.engine),
          showRatio(ratio(times.c, times.engine)),
        ]);
      }
    }
  }
}
c.end();
printTable(
  ['folios', 'frames', 'threads', 'caller', 'C GB/s', 'engine GB/s', 'engine / C'],
  rows,
  `${rounds} rounds in turns; GB/s are medians, engine / C the median of ratios (quartiles).`,
);
