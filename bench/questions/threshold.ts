import { CopyEngine, formatSize, KiB, MiB } from 'mtcopy';
import { createArena } from '../support/arena.js';
import { showRatio } from '../support/in-turns.js';
import { parallelOrInline } from '../support/parallel-or-inline.js';
import { printTable } from '../support/table.js';

/*
 * Where copying with all threads begins to gain on copying alone: what a fixed minParallelBytes should be here.
 */

const ROUNDS = 61;
const SIZES = Array.from({ length: 15 }, (_, i) => 4 * KiB * 2 ** i);
const COLUMNS = [
  ['one item', 'hot'],
  ['one item', 'cold'],
  ['shuffled pages', 'hot'],
  ['shuffled pages', 'cold'],
] as const;

const arena = createArena(256 * MiB);
const { memory } = arena;
await using parallel = await CopyEngine.create({ memory, minParallelBytes: 0 });
await using inline = await CopyEngine.create({ memory, minParallelBytes: Number.POSITIVE_INFINITY });

const medians: number[][] = [];
const rows: string[][] = [];
for (const bytes of SIZES) {
  const ratios = [];
  for (const [shape, data] of COLUMNS) {
    ratios.push(await parallelOrInline(parallel, inline, arena, { shape, bytes, data, rounds: ROUNDS }));
  }
  medians.push(ratios.map((one) => one.median));
  rows.push([formatSize(bytes), ...ratios.map(showRatio)]);
}

/** The smallest size from which the column's ratio stays at 1 or above; Infinity if there is none. */
const gains = COLUMNS.map((_, column) => {
  const last = medians.findLastIndex((row) => row[column] < 1);
  return SIZES[last + 1] ?? Number.POSITIVE_INFINITY;
});
rows.push(['gains from', ...gains.map((size) => (Number.isFinite(size) ? formatSize(size) : 'never'))]);
printTable(
  ['bytes', ...COLUMNS.map(([shape, data]) => `${shape}, ${data}`)],
  rows,
  `How many times faster ${parallel.threads} threads (minParallelBytes 0) are than the caller alone: medians (quartiles) of ${ROUNDS} rounds in turns; cold data cycles through 512 MiB.`,
);
const all = Math.max(...gains);
console.log(
  `A fixed minParallelBytes from where every column gains: ${Number.isFinite(all) ? formatSize(all) : 'none'}. The default, 'auto', measures it while it runs.`,
);
