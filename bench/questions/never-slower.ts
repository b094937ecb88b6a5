import { CopyEngine, formatSize, KiB, MiB } from 'mtcopy';
import { createArena, type Shape } from '../support/arena.js';
import { type Ratio, showRatio } from '../support/in-turns.js';
import { parallelOrInline } from '../support/parallel-or-inline.js';
import { runAsked } from '../support/run-asked.js';
import { printTable } from '../support/table.js';

/*
 * The default engine against one that always copies alone: no call may lose by the choice, and scattered pages must gain.
 */

const TARGET = 0.95;
/** For blocking calls in a row over cold shuffled pages, from so many bytes on. */
const SCATTERED_TARGET = 1.3;
const SCATTERED_FROM = 8 * MiB;
const ROUNDS = 31;
/** Rest before a call of the last column, in milliseconds: long enough for idle cores to go to sleep. */
const PAUSE_MS = 10;
const SHAPES: readonly Shape[] = ['one item', 'pages', 'shuffled pages', '64K folios'];
const COLUMNS = [
  ['hot', 0],
  ['cold', 0],
  ['cold', PAUSE_MS],
] as const;
const BLOCKING_SIZES = [4 * KiB, 64 * KiB, MiB, 2 * MiB, 4 * MiB, 8 * MiB, 16 * MiB, 32 * MiB, 64 * MiB];
/** Below these an asynchronous call may be slower: what it gives is that the event loop turns. */
const ASYNCHRONOUS_SIZES = [32 * MiB, 64 * MiB, 128 * MiB, 256 * MiB];

const arena = createArena(256 * MiB);
const { memory } = arena;
await using inline = await CopyEngine.create({ memory, minParallelBytes: Number.POSITIVE_INFINITY });
await using engine = await CopyEngine.create({ memory });

type Column = (typeof COLUMNS)[number];

function targetOf(blocking: boolean, shape: Shape, bytes: number, [data, pauseMs]: Column): number {
  const isScattered = shape === 'shuffled pages' && data === 'cold' && pauseMs === 0 && bytes >= SCATTERED_FROM;
  return blocking && isScattered ? SCATTERED_TARGET : TARGET;
}

async function measure(blocking: boolean, sizes: readonly number[]): Promise<void> {
  const rows: string[][] = [];
  const misses: string[] = [];
  for (const shape of SHAPES) {
    for (const bytes of sizes) {
      if (shape === '64K folios' && bytes < 64 * KiB) continue;
      const ratios: Ratio[] = [];
      for (const column of COLUMNS) {
        const [data, pauseMs] = column;
        const question = { shape, bytes, data, blocking, rounds: ROUNDS, pauseMs };
        const result = await parallelOrInline(engine, inline, arena, question);
        ratios.push(result);
        const target = targetOf(blocking, shape, bytes, column);
        if (result.median < target) misses.push(`${shape}, ${formatSize(bytes)}, ${headOf(column)} (${target})`);
      }
      rows.push([shape, formatSize(bytes), ...ratios.map(showRatio)]);
    }
  }
  printTable(
    ['shape', 'bytes', ...COLUMNS.map(headOf)],
    rows,
    `How many times faster the default engine is than the caller alone: medians (quartiles) of ${ROUNDS} rounds in turns; target never under ${TARGET}${blocking ? `, and ${SCATTERED_TARGET} for cold shuffled pages in a row from ${formatSize(SCATTERED_FROM)} on` : ''}.`,
  );
  console.log(misses.length === 0 ? 'None is under the target.' : `Under the target: ${misses.join('; ')}.`);
}

function headOf([data, pauseMs]: Column): string {
  return pauseMs > 0 ? `${data}, ${pauseMs} ms apart` : data;
}

await runAsked('section', {
  blocking: () => measure(true, BLOCKING_SIZES),
  asynchronous: () => measure(false, ASYNCHRONOUS_SIZES),
});
