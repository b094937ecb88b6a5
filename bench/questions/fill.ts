import { parseArgs } from 'node:util';
import { CopyEngine, type CopyMethod, formatSize, MiB, parseSize } from 'mtcopy';
import { threadsText } from 'mtcopy/experiments';
import { median } from 'simple-statistics';
import { mean, THREADS } from '../support/against-c.js';
import { inTurns, ratio, showRatio } from '../support/in-turns.js';
import { startMemset } from '../support/memset-limit.js';
import { printTable } from '../support/table.js';
import { timed, timedSync } from '../support/timed.js';

/*
 * The engine's fill and compare against C's memset and memcmp with as many threads, over as many bytes, in turns in one process
 * tree; and against what a Uint8Array and a Buffer have on shared memory. In the engine's memory, on pages of 4 KiB and on huge
 * ones, of both sides, and in SharedArrayBuffers.
 * Usage: npm run bench:fill [-- --rounds 15 --total 512M --pages 4K,huge --method auto]
 */

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    total: { type: 'string', default: '512M' },
    pages: { type: 'string', default: '4K,huge' },
    method: { type: 'string', default: 'auto' },
  },
});
const rounds = Number(values.rounds);
const total = parseSize(values.total);
const method = values.method as CopyMethod;
/** Small ranges are gone through several times a turn: once is over before threads are awake. */
const calls = Math.max(1, Math.floor((512 * MiB) / total));

const speed = (ns: readonly number[]) => (total / median([...ns])).toFixed(1);

/** Both sides, of one byte throughout. */
type Sides = readonly [a: Uint8Array, b: Uint8Array];

function openSides(engine: CopyEngine, pages: string): Sides {
  const open = (): Uint8Array => {
    if (pages === 'own buffer') return new Uint8Array(new SharedArrayBuffer(total));
    return engine.allocate(total, { populate: pages === 'huge' });
  };
  return [open(), open()];
}

async function check(engine: CopyEngine, [a, b]: Sides): Promise<void> {
  await engine.fill(a, 1);
  await engine.fill(b, 1);
  const last = total - 1;
  b[last] = 2;
  const found = await engine.compare(a, b);
  b[last] = 1;
  if (found !== last || Buffer.compare(a, b) !== 0) throw new Error(`a wrong answer: ${found}`);
}

/** All rows on pages of one kind. */
async function measurePages(pages: string): Promise<(string | number)[][]> {
  const c = startMemset(total, pages === 'huge');
  const rows: (string | number)[][] = [];
  for (const { threads, caller } of THREADS) {
    await using engine = await CopyEngine.create({ memory: 2 * total, threads, caller, method });
    const sides = openSides(engine, pages);
    await check(engine, sides);
    const [a, b] = sides;
    const running = caller === 'helps' ? threads + 1 : threads;
    const contests = {
      memset: { engine: (): Promise<unknown> => engine.fill(a, 1), alone: () => a.fill(1) },
      memcmp: { engine: (): Promise<unknown> => engine.compare(a, b), alone: () => Buffer.compare(a, b) },
    };
    for (const what of ['memset', 'memcmp'] as const) {
      const { engine: run, alone } = contests[what];
      const times = await inTurns(
        {
          c: () => mean(calls, () => c.run(running, what)),
          engine: timed(calls, run),
          alone: timedSync(calls, alone),
        },
        rounds,
      );
      rows.push([
        ...[what, pages, threadsText({ threads, caller })],
        ...[speed(times.c), speed(times.engine), speed(times.alone)],
        ...[showRatio(ratio(times.c, times.engine))],
      ]);
    }
  }
  c.end();
  return rows;
}

const rows: (string | number)[][] = [];
for (const pages of [...values.pages.split(','), 'own buffer']) rows.push(...(await measurePages(pages)));
printTable(
  ['loop', 'pages', 'threads', 'C GB/s', 'engine GB/s', 'Node.js GB/s', 'engine / C'],
  rows,
  `${formatSize(total)}, method ${method}. Threads: workers, and +1 where the caller helps; C has as many in all. ${rounds} rounds of ${calls} in turns; GB/s are medians, of bytes filled, or compared with as many others; ratios the median of ratios (quartiles). Node.js: Uint8Array.fill and Buffer.compare. An own buffer is a SharedArrayBuffer.`,
);
