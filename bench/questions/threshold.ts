import { CopyEngine, formatSize, KiB, MiB } from 'mtcopy';
import { createArena } from '../support/arena.js';
import { showRatio } from '../support/in-turns.js';
import { parallelOrInline } from '../support/parallel-or-inline.js';
import { runAsked } from '../support/run-asked.js';
import { printTable } from '../support/table.js';

/*
 * Where copying with all threads begins to gain on copying alone: what minParallelBytes should be here, for ranges and for
 * batches whose items stay small after merging.
 */

const ROUNDS = 61;
const SIZES = Array.from({ length: 11 }, (_, i) => 64 * KiB * 2 ** i);
/** Rest before a call of some columns, in milliseconds: long enough for idle cores to go to sleep. */
const PAUSE_MS = 10;
const SHAPES = ['one item', 'shuffled pages'] as const;
const DATA = [
  ['hot', 0],
  ['cold', 0],
  ['cold', PAUSE_MS],
] as const;
const COLUMNS = SHAPES.flatMap((shape) => DATA.map(([data, pauseMs]) => ({ shape, data, pauseMs })));

const arena = createArena(256 * MiB);
const { memory } = arena;
await using parallel = await CopyEngine.create({ memory, minParallelBytes: 0 });
await using inline = await CopyEngine.create({ memory, minParallelBytes: Number.POSITIVE_INFINITY });

/** The smallest size from which all of a list of ratios stay at 1 or above; Infinity if there is none. */
function gainsFrom(ratios: readonly number[]): number {
  const last = ratios.findLastIndex((one) => one < 1);
  return SIZES[last + 1] ?? Number.POSITIVE_INFINITY;
}

const show = (size: number) => (Number.isFinite(size) ? formatSize(size) : 'never');

async function measure(blocking: boolean): Promise<void> {
  const medians: number[][] = [];
  const rows: string[][] = [];
  for (const bytes of SIZES) {
    const ratios = [];
    for (const column of COLUMNS) {
      ratios.push(await parallelOrInline(parallel, inline, arena, { ...column, bytes, blocking, rounds: ROUNDS }));
    }
    medians.push(ratios.map((one) => one.median));
    rows.push([formatSize(bytes), ...ratios.map(showRatio)]);
  }
  const gains = COLUMNS.map((_, column) => gainsFrom(medians.map((row) => row[column])));
  rows.push(['gains from', ...gains.map(show)]);
  printTable(
    ['bytes', ...COLUMNS.map(({ shape, data, pauseMs }) => `${shape}, ${data}${pauseMs > 0 ? ', rested' : ''}`)],
    rows,
    `How many times faster an engine with minParallelBytes 0 is than the caller alone (threads: ${parallel.threads}): medians (quartiles) of ${ROUNDS} rounds in turns; cold data cycles through 512 MiB, rested calls are ${PAUSE_MS} ms apart.`,
  );
  const all = SHAPES.map((shape) => {
    const own = gains.filter((_, column) => COLUMNS[column].shape === shape);
    return `${shape}: ${show(Math.max(...own))}`;
  });
  console.log(`From where every column of a shape gains: ${all.join('; ')}.`);
}

await runAsked('section', { blocking: () => measure(true), asynchronous: () => measure(false) });
