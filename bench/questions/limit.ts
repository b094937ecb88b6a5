import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { CopyEngine, FRAMES, MiB, PhysicalMemory, parseSize } from 'mtcopy';
import { median } from 'simple-statistics';
import { allocBatch } from '../support/batches.js';
import { inTurns, ratio, showRatio } from '../support/in-turns.js';
import { printTable } from '../support/table.js';
import { verifyEach } from '../support/verify.js';

/*
 * The engine against C's memcpy with as many threads, over the same folios, in turns in one process tree.
 * Usage: npm run bench:limit [-- --rounds 15]
 */

const TOTAL = 512 * MiB;
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '15' } } });
const rounds = Number(values.rounds);

/** Builds the C program and starts it. */
function startC(): {
  run: (threads: number, folioBytes: number, shuffled: boolean) => Promise<number>;
  end: () => void;
} {
  const program = 'build/memcpy-limit';
  mkdirSync('build', { recursive: true });
  try {
    execFileSync('cc', ['-O2', '-o', program, 'bench/support/memcpy-limit.c', '-lpthread'], { stdio: 'inherit' });
  } catch {
    console.error('bench:limit needs a C compiler, as the command cc.');
    process.exit(1);
  }
  const child = spawn(program, [String(TOTAL)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    async run(threads, folioBytes, shuffled) {
      child.stdin.write(`${threads} ${folioBytes} ${shuffled ? 'rand' : 'seq'}\n`);
      return Number((await lines.next()).value);
    },
    end: () => child.stdin.end(),
  };
}

const c = startC();
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
            c: () => c.run(threads, folioBytes, frames === 'shuffled'),
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
