import { parseArgs } from 'node:util';
import { CopyEngine, FRAMES, type Frames, formatSize, MiB, PAGE_SIZE, PhysicalMemory, parseSize } from 'mtcopy';
import { threadsText } from 'mtcopy/experiments';
import { median } from 'simple-statistics';
import { mean, THREADS } from '../support/against-c.js';
import { allocBatch } from '../support/batches.js';
import { inTurns, ratio, showRatio } from '../support/in-turns.js';
import { type LimitMethod, startMemcpy } from '../support/memcpy-limit.js';
import { printTable } from '../support/table.js';
import { verifyEach } from '../support/verify.js';

/*
 * The engine against C with as many threads, over the same folios, in turns in one process tree: against memcpy, and against
 * the machine's own limit, which is the faster of streaming stores with and without the next folio fetched ahead. On pages
 * of 4 KiB, and on huge ones, of both sides.
 * Usage: npm run bench:limit [-- --rounds 15 --total 512M --size 4K,64K,2M --pages 4K,huge]
 */

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    total: { type: 'string', default: '512M' },
    size: { type: 'string', default: '4K,64K,2M' },
    pages: { type: 'string', default: '4K,huge' },
  },
});
const rounds = Number(values.rounds);
const total = parseSize(values.total);
/** Small copies are made several times a turn: one alone is over before threads are awake. */
const calls = Math.max(1, Math.floor((512 * MiB) / total));

const LIMITS: readonly LimitMethod[] = process.arch === 'x64' ? ['memcpy', 'nt', 'ahead'] : ['memcpy'];

const speed = (ns: readonly number[]) => (total / median([...ns])).toFixed(1);

/** All rows on pages of one kind. */
async function measurePages(pages: string): Promise<(string | number)[][]> {
  const isHuge = pages === 'huge';
  const c = startMemcpy(total, isHuge);
  const memory = PhysicalMemory.create({ nodes: [total, total] });
  if (isHuge) await populate(memory);
  const rows: (string | number)[][] = [];
  for (const { threads, caller } of THREADS) {
    await using engine = await CopyEngine.create({ memory, threads, caller });
    const copying = caller === 'helps' ? threads + 1 : threads;
    const measure = async (size: string, frames: Frames) => {
      const folioBytes = parseSize(size);
      const items = allocBatch(memory, total, folioBytes, frames);
      await verifyEach(memory, items, { engine: () => engine.copyBatch(items) });
      const inC = (method: LimitMethod) => () =>
        mean(calls, () => c.copy(copying, folioBytes, frames === 'shuffled', method));
      const engines = () => mean(calls, async () => (await engine.copyBatch(items)).wallNs);
      const contestants = { engine: engines, ...Object.fromEntries(LIMITS.map((method) => [method, inC(method)])) };
      const times: Record<string, number[]> = await inTurns(contestants, rounds);
      items.free();
      const limit = LIMITS.reduce((best, method) => (median(times[method]) < median(times[best]) ? method : best));
      return [
        ...[size, frames, pages, threadsText({ threads, caller })],
        ...[speed(times.memcpy), `${speed(times[limit])} ${limit}`, speed(times.engine)],
        ...[showRatio(ratio(times.memcpy, times.engine)), showRatio(ratio(times[limit], times.engine))],
      ];
    };
    for (const size of values.size.split(',')) for (const frames of FRAMES) rows.push(await measure(size, frames));
  }
  c.end();
  return rows;
}

/** Has the system make the pages of both nodes, huge ones if it has them. */
async function populate(memory: PhysicalMemory): Promise<void> {
  await using engine = await CopyEngine.create({ memory, threads: 1 });
  for (const { id, freePages } of memory.nodes) {
    engine.free(engine.allocate(freePages * PAGE_SIZE, { node: id, populate: true }));
  }
}

const rows: (string | number)[][] = [];
for (const pages of values.pages.split(',')) rows.push(...(await measurePages(pages)));
printTable(
  [
    'folios',
    'frames',
    'pages',
    'threads',
    'memcpy GB/s',
    'limit GB/s',
    'engine GB/s',
    'engine / memcpy',
    'engine / limit',
  ],
  rows,
  `${formatSize(total)}. Threads: workers, and +1 where the caller helps; C has as many in all. ${rounds} rounds of ${calls} in turns; GB/s are medians, ratios the median of ratios (quartiles). The limit is the fastest of ${LIMITS.join(', ')} by its median.`,
);
