import { CopyEngine, formatSize, KiB, MiB } from 'mtcopy';
import { createArena, type Shape } from '../support/arena.js';
import { showRatio } from '../support/in-turns.js';
import { parallelOrInline } from '../support/parallel-or-inline.js';
import { printTable } from '../support/table.js';

/*
 * The default engine against one that always copies alone: a batch of no size and shape may lose by the choice.
 */

const TARGET = 0.95;
const ROUNDS = 31;
/** Rest before a call of the last column, in milliseconds: long enough for idle cores to go to sleep. */
const PAUSE_MS = 10;
const SHAPES: readonly Shape[] = ['one item', 'pages', 'shuffled pages', '64K folios'];
const SIZES = [4 * KiB, 64 * KiB, MiB, 2 * MiB, 4 * MiB, 8 * MiB, 16 * MiB, 32 * MiB, 64 * MiB];

const arena = createArena(256 * MiB);
const { memory } = arena;
await using inline = await CopyEngine.create({ memory, minParallelBytes: Number.POSITIVE_INFINITY });

const rows: string[][] = [];
const misses: string[] = [];
for (const shape of SHAPES) {
  for (const bytes of SIZES) {
    if (shape === '64K folios' && bytes < 64 * KiB) continue;
    const cells = [];
    for (const [data, pauseMs] of [
      ['hot', 0],
      ['cold', 0],
      ['cold', PAUSE_MS],
    ] as const) {
      // Below 2 MiB both engines run the same code: a pause tells nothing new.
      if (pauseMs > 0 && bytes < 2 * MiB) {
        cells.push('');
        continue;
      }
      // A new one each, for an engine learns from the calls it has had.
      await using engine = await CopyEngine.create({ memory });
      const result = await parallelOrInline(engine, inline, arena, { shape, bytes, data, rounds: ROUNDS, pauseMs });
      cells.push(showRatio(result));
      if (result.median < TARGET)
        misses.push(`${shape}, ${formatSize(bytes)}, ${data}${pauseMs > 0 ? ', paused' : ''}`);
    }
    rows.push([shape, formatSize(bytes), ...cells]);
  }
}
printTable(
  ['shape', 'bytes', 'hot', 'cold', `cold, ${PAUSE_MS} ms apart`],
  rows,
  `How many times faster the default engine is than the caller alone: medians (quartiles) of ${ROUNDS} rounds in turns; target never under ${TARGET}.`,
);
console.log(misses.length === 0 ? 'None is under the target.' : `Under the target: ${misses.join('; ')}.`);
