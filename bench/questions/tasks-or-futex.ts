import { createRequire } from 'node:module';
import { CopyEngine, type CopyItems, formatSize, MiB, PAGE_SIZE, PhysicalMemory, planCopy } from 'mtcopy';
import { Piscina } from 'piscina';
import { allocBatch } from '../support/batches.js';
import { inTurns, ratio, showRatio } from '../support/in-turns.js';
import { printTable, showSpread } from '../support/table.js';
import { verifyEach } from '../support/verify.js';
import type { WalkSetup, WalkTask, WasmApi } from '../support/walk-task.js';

/*
 * How work gets to the threads: one Piscina task a thread and batch, or long Piscina tasks that sleep on a futex between
 * batches, as the engine has it. Both plan the same lists, and copy with the same WebAssembly walker.
 */

const ROUNDS = 101;
const MAX_ITEMS = 4096;
const DESCRIPTOR_BYTES = 12;
const BATCHES = [
  ...[1, 64, 512, MAX_ITEMS].map((pages) => ({ total: pages * PAGE_SIZE, folioBytes: PAGE_SIZE })),
  { total: 32 * MiB, folioBytes: 2 * MiB },
];

/** A pool whose task is to walk a run of descriptors, and the copy that gives every thread one. */
async function startTasks(memory: PhysicalMemory, threads: number) {
  const pages = Math.ceil((MAX_ITEMS * DESCRIPTOR_BYTES) / PAGE_SIZE) + 1;
  const pfn = memory.allocContig(pages);
  const stop = pfn * PAGE_SIZE;
  const list = stop + 64;
  const words = new Uint32Array(memory.buffer, list, MAX_ITEMS * 3);
  memory.bytes.fill(0, stop, list);
  // The package exports its entry alone; the walker is a module beside it.
  const walker = new URL('./copy/worker/walker-wasm.js', `file://${createRequire(import.meta.url).resolve('mtcopy')}`);
  const { WALKER_BASE64 } = await import(walker.href);
  const { Module } = (globalThis as unknown as { WebAssembly: WasmApi }).WebAssembly;
  const pool = new Piscina<WalkTask, number>({
    filename: new URL('../support/walk-task.js', import.meta.url).href,
    workerData: {
      memory: memory.wasm,
      module: new Module(Buffer.from(WALKER_BASE64, 'base64')),
      stop,
      poison: memory.poisonAddress,
    } satisfies WalkSetup,
    minThreads: threads,
    maxThreads: threads,
  });
  return {
    async copy(items: CopyItems): Promise<void> {
      const { descriptors, lists } = planCopy(items, threads);
      words.set(descriptors);
      const runs = [];
      for (let thread = 0; thread < threads; thread++) {
        const [first, end] = [lists[thread], lists[thread + 1]];
        runs.push(pool.run({ list: list + first * DESCRIPTOR_BYTES, count: end - first }));
      }
      await Promise.all(runs);
    },
    async end(): Promise<void> {
      await pool.destroy();
      memory.freeContig(pfn);
    },
  };
}

const memory = PhysicalMemory.create({ nodes: [64 * MiB, 64 * MiB] });
const options = { memory, schedule: 'static', caller: 'waits' } as const;
await using inline = await CopyEngine.create({ memory, minParallelBytes: Number.POSITIVE_INFINITY });
const rows: (string | number)[][] = [];
for (const threads of [1, 2]) {
  await using engine = await CopyEngine.create({ ...options, threads, minParallelBytes: 0 });
  const tasks = await startTasks(memory, threads);
  for (const { total, folioBytes } of BATCHES) {
    const batch = allocBatch(memory, total, folioBytes, 'shuffled');
    const contestants = {
      tasks: () => tasks.copy(batch),
      futex: () => engine.copyBatch(batch),
      inline: () => inline.copyBatch(batch),
    };
    await verifyEach(memory, batch, contestants);
    const calls = Math.max(2, Math.min(20, Math.floor((8 * MiB) / total)));
    // Several calls a turn, for one alone is hardly longer than the clock's resolution.
    const repeat = (copy: () => Promise<unknown>) => async () => {
      const started = performance.now();
      for (let call = 0; call < calls; call++) await copy();
      return ((performance.now() - started) * 1e6) / calls;
    };
    const times = await inTurns(
      { tasks: repeat(contestants.tasks), futex: repeat(contestants.futex), inline: repeat(contestants.inline) },
      ROUNDS,
    );
    const micros = (ns: readonly number[]) => showSpread(ns.map((one) => one / 1000));
    rows.push([
      `${total / folioBytes} x ${formatSize(folioBytes)}`,
      threads,
      micros(times.tasks),
      micros(times.futex),
      micros(times.inline),
      showRatio(ratio(times.tasks, times.futex)),
      showRatio(ratio(times.inline, times.futex)),
    ]);
    batch.free();
  }
  await tasks.end();
}
printTable(
  ['batch', 'threads', 'Piscina tasks, µs', 'futex, µs', 'inline, µs', 'tasks / futex', 'inline / futex'],
  rows,
  `Time a batch, and how many times faster the futex is than Piscina tasks and than the caller alone: medians (quartiles) of ${ROUNDS} rounds in turns. Shuffled, the caller waits, static lists.`,
);
