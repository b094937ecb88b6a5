import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import Table from 'cli-table3';
import { CopyEngine, type CopyItems, MiB, orderOf, PhysicalMemory, parseSize } from 'mtcopy';
import { median } from 'simple-statistics';
import { inTurns, ratio, showRatio } from './in-turns.js';
import { verify } from './verify.js';

/*
 * The engine against C's memcpy with as many threads, over the same folios, in turns in one process tree.
 * Usage: npm run bench:limit [-- --rounds 15]
 */

const TOTAL = 512 * MiB;
const rounds = Number(process.argv[process.argv.indexOf('--rounds') + 1] || 15);

/** Builds the C program and starts it. */
function startC(): {
  run: (threads: number, folioBytes: number, shuffled: boolean) => Promise<number>;
  end: () => void;
} {
  const program = 'build/memcpy-limit';
  mkdirSync('build', { recursive: true });
  execFileSync('cc', ['-O2', '-o', program, 'bench/limit/memcpy-limit.c', '-lpthread']);
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

function foliosOf(
  memory: PhysicalMemory,
  folioBytes: number,
  frames: 'sequential' | 'shuffled',
): CopyItems & { free: () => void } {
  const count = TOTAL / folioBytes;
  const from = memory.allocFolios(count, orderOf(folioBytes), { node: 0, frames, seed: 1 });
  const to = memory.allocFolios(count, orderOf(folioBytes), { node: 1, frames, seed: 2 });
  return {
    from: from.map((pfn) => pfn * 4096),
    to: to.map((pfn) => pfn * 4096),
    bytes: new Uint32Array(count).fill(folioBytes),
    free() {
      memory.freeFolios(from);
      memory.freeFolios(to);
    },
  };
}

const c = startC();
const memory = PhysicalMemory.create({ nodes: [TOTAL, TOTAL] });
memory.bytes.fill(1, memory.startAddress);
const table = new Table({
  head: ['folios', 'order', 'threads', 'caller', 'C GB/s', 'engine GB/s', 'engine / C'],
  style: { compact: true, head: [], border: [] },
});
for (const caller of ['waits', 'helps'] as const) {
  for (const threads of [1, 2]) {
    await using engine = await CopyEngine.create({ memory, threads, caller });
    for (const size of ['4K', '64K', '2M']) {
      for (const order of ['sequential', 'shuffled'] as const) {
        const folioBytes = parseSize(size);
        const items = foliosOf(memory, folioBytes, order);
        const times = await inTurns(
          {
            c: () => c.run(threads, folioBytes, order === 'shuffled'),
            engine: async () => (await engine.copyBatch(items)).wallNs,
          },
          rounds,
        );
        verify(memory, items);
        items.free();
        const speed = (ns: readonly number[]) => (TOTAL / median([...ns])).toFixed(1);
        table.push([
          size,
          order,
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
console.log(table.toString());
console.log(`${rounds} rounds in turns; GB/s are medians, engine / C the median of ratios (quartiles).`);
