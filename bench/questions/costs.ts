import { CopyEngine, MiB, PAGE_SIZE, PhysicalMemory, planCopy } from 'mtcopy';
import { collectGarbage } from 'mtcopy/experiments';
import { median } from 'simple-statistics';
import { allocBatch } from '../support/batches.js';
import { printTable, showSpread } from '../support/table.js';
import { verifyEach } from '../support/verify.js';

/*
 * What an engine costs: time to start, memory a worker, planning, and garbage in the hot path.
 */

const ITEMS = 131_072;
const WORKERS = 16;
const ROUNDS = 9;
/** Runs until the optimizing compiler is done with the hot path: before, it puts numbers on the heap, and code. */
const WARM_UP = 20;

/** `measure` a few times over, after runs that aren't counted. */
async function repeat(measure: () => number | Promise<number>, uncounted = 1): Promise<number[]> {
  for (let round = 0; round < uncounted; round++) await measure();
  const figures: number[] = [];
  for (let round = 0; round < ROUNDS; round++) figures.push(await measure());
  return figures;
}

async function milliseconds(run: () => unknown): Promise<number> {
  const started = performance.now();
  await run();
  return performance.now() - started;
}

/** Bytes that `run` leaves on the JavaScript heap; what it allocates before the next collection is all there. */
async function heapBytes(run: () => unknown): Promise<number> {
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  await run();
  return process.memoryUsage().heapUsed - before;
}

/** Milliseconds until an engine of 4 threads is there. */
function startUp(): Promise<number[]> {
  return repeat(async () => {
    const started = performance.now();
    await using _engine = await CopyEngine.create({ threads: 4 });
    return performance.now() - started;
  });
}

const memory = PhysicalMemory.create({ nodes: [512 * MiB, 512 * MiB] });
const batch = allocBatch(memory, ITEMS * PAGE_SIZE, PAGE_SIZE, 'shuffled');

/** MiB of resident memory a worker: the same engine with one and with many more, each after a copy. */
async function memoryAWorker(): Promise<number> {
  await using engine = await CopyEngine.create({ memory, threads: 1, schedule: 'static' });
  const afterCopy = async () => {
    await verifyEach(memory, batch, { engine: () => engine.copyBatch(batch) });
    collectGarbage();
    return process.memoryUsage().rss;
  };
  const withOne = await afterCopy();
  engine.threads = WORKERS + 1;
  return ((await afterCopy()) - withOne) / WORKERS / MiB;
}

const worker = await memoryAWorker();
const starting = await startUp();
const planning = await repeat(() => milliseconds(() => planCopy(batch, 2)));
const planHeap = await repeat(() => heapBytes(() => planCopy(batch, 2)), WARM_UP);
await using inline = await CopyEngine.create({ memory, minParallelBytes: Number.POSITIVE_INFINITY });
await using parallel = await CopyEngine.create({ memory });
const copyHeap = await repeat(() => heapBytes(() => inline.copyBatch(batch)), WARM_UP);
const parallelHeap = await repeat(() => heapBytes(() => parallel.copyBatch(batch)), WARM_UP);
const perItem = (bytes: readonly number[]) =>
  showSpread(
    bytes.map((all) => all / ITEMS),
    3,
  );
const verdict = (figure: number, limit: number) => (figure < limit ? 'met' : 'MISSED');

printTable(
  ['cost', 'unit', 'measured', 'target', ''],
  [
    ['create, 4 threads', 'ms', showSpread(starting), '< 250', verdict(median(starting), 250)],
    [`memory a worker, of ${WORKERS}`, 'MiB', worker.toFixed(1), '< 20', verdict(worker, 20)],
    [`planCopy of ${ITEMS} items`, 'ms', showSpread(planning, 2), '< 5', verdict(median(planning), 5)],
    ['heap: planCopy', 'bytes an item', perItem(planHeap), '0', verdict(median(planHeap) / ITEMS, 0.5)],
    ['heap: copyBatch, inline', 'bytes an item', perItem(copyHeap), '0', verdict(median(copyHeap) / ITEMS, 0.5)],
    [
      'heap: copyBatch, default options',
      'bytes an item',
      perItem(parallelHeap),
      '0',
      verdict(median(parallelHeap) / ITEMS, 0.5),
    ],
  ],
  `Medians (quartiles) of ${ROUNDS}; memory is resident, beyond the shared memory; heap is JavaScript's, without typed arrays' bytes, and 0 means under half a byte an item.`,
);
