/*
 * A machine with as many of everything as there may be, for as long as is asked: 64 CPUs count in memory that is migrated under
 * them, by 64 copy threads, 16 DMA channels and the calling thread, in every flow and in folios of three sizes. Ends with status 1
 * if a store is lost, memory grows, nothing was waited for, or something is left that would keep the process.
 *
 *     node --expose-gc --no-concurrent-recompilation test/soak/load.mjs --seconds 600
 *
 * Each thread compiles for itself: V8's four for that would get their turns beside 64 that count, and those would be interpreted
 * for half a minute.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { FLOWS, Machine, MIGRATOR_NAMES } from 'mtcopy';
import { slopeOf } from './slope.mjs';

const CPUS = 64;
const AREAS = [
  { folioSize: '4K', length: '512K' },
  { folioSize: '64K', length: '1M' },
  { folioSize: '2M', length: '4M' },
];
const COMBINATIONS = FLOWS.flatMap((flow) =>
  MIGRATOR_NAMES.flatMap((migrator) => AREAS.map((_, area) => ({ flow, migrator, area }))),
);
/** Prime to their number. */
const STRIDE = 13;
/** What resident memory may grow by while all goes on as before: what V8's heaps and the C library's arenas breathe. */
const MOST_GROWTH = 32 * 2 ** 20;
/** Rounds at the start in which threads, their stacks and arenas come. */
const WARM_UP = 2;

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '600' }, json: { type: 'boolean' } } });
const seconds = Number(values.seconds);
if (!(seconds > 0)) throw new Error('--seconds: must be a number above 0');
if (!globalThis.gc) throw new Error('run it with --expose-gc');

const alive = new Set();
process.on('worker', (worker) => {
  alive.add(worker);
  worker.once('exit', () => alive.delete(worker));
});

const started = performance.now();
const elapsed = () => (performance.now() - started) / 1000;
const sum = { rounds: 0, stores: 0, lost: 0, waits: 0, calls: 0, pages: 0, failed: 0 };
const samples = [];
const moved = new Map(COMBINATIONS.map((combination) => [nameOf(combination), 0]));
let next = 0;

function nameOf({ flow, migrator, area }) {
  return `${flow}, ${migrator}, ${AREAS[area].folioSize}`;
}

/** The sum of all counters. */
async function counted(mm, areas) {
  let total = 0;
  for (const { address, length } of areas) {
    for (const word of new BigUint64Array((await mm.read(address, length)).buffer)) total += Number(word);
  }
  return total;
}

/** Moves areas back and forth, with the next combinations, for a while: one call at least. */
async function migrate(machine, mm, areas, nodes, until) {
  do {
    // Not in their order, for a short run comes to some of them alone.
    const { flow, migrator, area } = COMBINATIONS[(next++ * STRIDE) % COMBINATIONS.length];
    const node = 1 - nodes[area];
    // Of the serial flow each folio is a flush, which 64 CPUs answer on two cores: a part of them.
    const folios = areas[area].folios();
    const most = flow === 'serial' ? folios.subarray(0, 4) : folios;
    const { stats } = await machine.movePages(mm, most, { node, flow, migrator });
    nodes[area] = node;
    sum.calls++;
    sum.pages += stats.succeeded;
    sum.failed += stats.failed;
    moved.set(nameOf({ flow, migrator, area }), moved.get(nameOf({ flow, migrator, area })) + stats.succeeded);
  } while (performance.now() < until);
}

/** One round: programs that count, what moves their memory, and whether all of it is there. */
async function round(machine, mm, areas, nodes, ms) {
  const before = await counted(mm, areas);
  const running = new Int32Array(new SharedArrayBuffer(4));
  const ranges = areas.map(({ address, length }) => ({ address, length }));
  const program = new URL('./count.mjs', import.meta.url);
  const programs = Array.from({ length: CPUS }, (_, cpu) =>
    machine.cpus.run(mm, program, { cpu, args: { areas: ranges, running } }),
  );
  const ended = Promise.all(programs);
  ended.catch(() => {});
  while (Atomics.load(running, 0) < CPUS && machine.cpus.busy.length === CPUS) await sleep(1);
  await migrate(machine, mm, areas, nodes, performance.now() + ms);
  machine.cpus.stop();
  const stores = (await ended).reduce((all, one) => all + one, 0);
  const found = (await counted(mm, areas)) - before;
  sum.rounds++;
  sum.stores += stores;
  sum.lost += stores - found;
}

function sample() {
  globalThis.gc();
  samples.push({ seconds: elapsed(), bytes: process.memoryUsage.rss() });
}

async function run() {
  const machine = await Machine.boot({
    nodes: ['64M', '64M'],
    cpus: CPUS,
    threads: 64,
    dma: { device: 'ptdma', channels: 16 },
    dcbm: { nrDmaChan: 16 },
    // On two cores the last of 64 may be late.
    ipiTimeoutMs: 60_000,
  });
  const wrong = [];
  try {
    const free = machine.memory.nodes.map(({ freePages }) => freePages);
    // Small batches come to the threads too.
    await machine.sysfs.write('kernel/cpu_mt/min_bytes', '0');
    await Promise.all(['mtcopy', 'dcbm'].map((migrator) => machine.ready(migrator)));
    const mm = machine.createAddressSpace();
    const areas = AREAS.map((options) => mm.mmap({ ...options, populate: true }));
    const nodes = AREAS.map(() => 0);
    const roundMs = Math.min(10_000, (seconds * 1000) / 12);
    while (elapsed() < seconds || sum.rounds < WARM_UP + 3) {
      await round(machine, mm, areas, nodes, roundMs);
      sample();
    }
    sum.waits = machine.cpus.migrationWaits.count;
    await mm.close();
    const left = machine.memory.nodes.map(({ freePages }) => freePages);
    if (String(left) !== String(free)) wrong.push(`free pages: ${free} before, ${left} after`);
  } finally {
    await machine.close();
  }
  return wrong;
}

/** What keeps the process, but for the pipes or the terminal that it prints to. */
function handles() {
  return process.getActiveResourcesInfo().filter((name) => !/^(TTYWrap|PipeWrap|FSReqCallback)$/.test(name));
}

const wrong = await run();
// Threads that are ending have some more to do.
for (let tries = 0; tries < 100 && (alive.size > 0 || handles().length > 0); tries++) {
  await sleep(20);
}
const steady = samples.slice(WARM_UP);
const slope = slopeOf(steady);
const span = steady.at(-1).seconds - steady[0].seconds;
const growth = slope * span;
if (sum.lost !== 0) wrong.push(`${sum.lost} of ${sum.stores} stores are lost`);
if (sum.failed !== 0) wrong.push(`${sum.failed} pages were not migrated`);
if (sum.waits === 0) wrong.push('no CPU has waited at a migration entry');
for (const [name, pages] of moved) {
  if (pages === 0 && sum.calls >= COMBINATIONS.length) wrong.push(`nothing was migrated: ${name}`);
}
if (growth > MOST_GROWTH) wrong.push(`resident memory has grown by ${Math.round(growth / 2 ** 20)} MiB`);
if (alive.size > 0) wrong.push(`${alive.size} threads are left`);
if (handles().length > 0) wrong.push(`handles are left: ${handles().join(', ')}`);

const result = {
  seconds: Math.round(elapsed()),
  ...sum,
  rssMiB: { first: mib(steady[0].bytes), last: mib(steady.at(-1).bytes), samples: steady.length },
  rssBytesPerSecond: Math.round(slope),
  wrong,
};
function mib(bytes) {
  return Math.round(bytes / 2 ** 20);
}
console.log(values.json ? JSON.stringify(result) : result);
if (wrong.length > 0) process.exitCode = 1;
