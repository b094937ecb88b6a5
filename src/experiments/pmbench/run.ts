import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import {
  type Area,
  ErrnoError,
  type Flow,
  type Machine,
  MiB,
  type MigrateStats,
  NR_MAX_BATCHED_MIGRATION,
  PAGE_SIZE,
  type Vmstat,
} from 'mtcopy';
import { growth, sumCounts } from '../shared/statistics.js';
import type { Pattern } from './access-pattern.js';
import { MAY_START, type PmbenchAccesses, type PmbenchArgs, READY } from './program.js';

/** What the CPUs do, and over how much memory. */
export interface PmbenchLoad {
  /** Pages of the area; a whole number of folios. */
  readonly pages: number;
  readonly folioBytes: number;
  readonly pattern: Pattern;
  /** Stores as a fraction of the accesses, 0 to 1. */
  readonly writeRatio: number;
}

/** What migrations came to. */
type Migrated = Pick<MigrateStats, 'succeeded' | 'phasesNs' | 'cpuNs'>;

/** What one run measured: sums, so that several can be added. */
export interface PmbenchRun {
  /** Measured, in seconds. */
  readonly seconds: number;
  /** Of all migrations. */
  readonly stats: Migrated;
  /** What the counters of /proc/vmstat grew by. */
  readonly vmstat: Vmstat;
  readonly accesses: number;
  readonly stores: number;
  /** Stores made, less those found in memory afterwards. */
  readonly lostUpdates: number;
  /** Nanoseconds an access. */
  readonly latencies: RecordableHistogram;
}

const PROGRAM = new URL('./program.js', import.meta.url);
/** Bytes of the area that are summed at once. */
const SUMMED_AT_ONCE = MiB;
/** A call of move_pages is to take about this long, in milliseconds, so that a run ends when it should. */
const CALL_MS = 50;

/**
 * Runs the access benchmark of the published work on TLB flushes: every CPU of the machine loads and stores all over an area,
 * while its pages are moved from node 0 to node 1 and back for `seconds`, in as many calls as that takes.
 *
 * @throws ErrnoError ENOMEM if a node has no room for the area; EIO if nothing could be moved, or stores are found in pages
 * that they were not made to. Whatever a CPU's program or a migration throws.
 */
export async function runPmbench(
  machine: Machine,
  load: PmbenchLoad,
  flow: Flow,
  seconds: number,
): Promise<PmbenchRun> {
  const { pages, folioBytes, pattern, writeRatio } = load;
  const mm = machine.createAddressSpace();
  const gate = new Int32Array(new SharedArrayBuffer(8));
  let programs: Promise<unknown>[] = [];
  try {
    const area = mm.mmap({ length: pages * PAGE_SIZE, folioSize: folioBytes, node: 0, populate: true });
    // Whoever touches a node's frames first pays for it: not the run.
    for (const node of [1, 0]) await machine.movePages(mm, area.folios(), { node, flow: 'vanilla' });
    const args: PmbenchArgs = { address: area.address, pages, pageBytes: PAGE_SIZE, pattern, writeRatio, gate };
    programs = Array.from({ length: machine.cpus.count }, (_, cpu) => machine.cpus.run(mm, PROGRAM, { cpu, args }));
    const ended = Promise.all(programs) as Promise<PmbenchAccesses[]>;
    // Until it is awaited below; the CPU is then found to be idle.
    ended.catch(() => {});
    while (allRun(machine) && Atomics.load(gate, READY) < programs.length) await sleep(1);
    const before = machine.vmstat;
    const started = performance.now();
    Atomics.store(gate, MAY_START, 1);
    const stats = await moveBackAndForth(machine, area, flow, started + seconds * 1000);
    const measured = (performance.now() - started) / 1000;
    const vmstat = growth(machine.vmstat, before);
    machine.cpus.stop();
    return { seconds: measured, stats, vmstat, ...(await tally(await ended, area)) };
  } finally {
    machine.cpus.stop();
    await Promise.allSettled(programs);
    await mm.close();
  }
}

function allRun({ cpus }: Machine): boolean {
  return cpus.busy.length === cpus.count;
}

/** Moves the area between the nodes until that time, of performance.now(), or until a CPU's program ends. */
async function moveBackAndForth(machine: Machine, area: Area, flow: Flow, until: number): Promise<Migrated> {
  let sum: Migrated | undefined;
  const folios = area.folios();
  // Whole batches: part of one costs as many interrupts. To the serial flow every folio is one.
  const batch = flow === 'serial' ? 1 : Math.max(1, (NR_MAX_BATCHED_MIGRATION * PAGE_SIZE) / area.folioSize);
  let node = 1;
  let first = 0;
  let count = batch;
  do {
    const called = performance.now();
    const piece = folios.subarray(first, first + count);
    const { stats } = await machine.movePages(area.mm, piece, { node, flow });
    const { succeeded, phasesNs, cpuNs } = stats;
    const migrated = { succeeded, phasesNs, cpuNs };
    sum = sum ? sumCounts([sum, migrated]) : migrated;
    first += piece.length;
    if (first === folios.length) {
      first = 0;
      node = 1 - node;
    }
    const ms = performance.now() - called;
    if (ms < CALL_MS && count < folios.length) count *= 2;
    else if (ms > 2 * CALL_MS) count = Math.max(batch, count / 2);
    await setImmediate();
  } while (performance.now() < until && allRun(machine));
  if (sum.succeeded === 0) throw new ErrnoError('EIO', 'not one page of the area could be migrated');
  return sum;
}

/** Adds up what the CPUs did, and compares it with what is found in memory. */
async function tally(
  cpus: readonly PmbenchAccesses[],
  area: Area,
): Promise<Pick<PmbenchRun, 'accesses' | 'stores' | 'lostUpdates' | 'latencies'>> {
  const latencies = createHistogram();
  let accesses = 0;
  let stores = 0;
  let placed = 0;
  for (const cpu of cpus) {
    latencies.add(cpu.latencies);
    accesses += cpu.accesses;
    stores += cpu.stores;
    placed = (placed + cpu.placed) >>> 0;
  }
  const found = await sumCounters(area);
  const lostUpdates = stores - found.stores;
  if (lostUpdates === 0 && found.placed !== placed) {
    throw new ErrnoError('EIO', 'no store is missing, but some are in pages that they were not made to');
  }
  return { accesses, stores, lostUpdates, latencies };
}

/** Every 64-bit word of the area, added up: by itself, and times the number of its page, modulo 2^32. */
async function sumCounters({ mm, address, length }: Area): Promise<Pick<PmbenchAccesses, 'stores' | 'placed'>> {
  let stores = 0;
  let placed = 0;
  for (let done = 0; done < length; done += SUMMED_AT_ONCE) {
    const { buffer } = await mm.read(address + done, Math.min(SUMMED_AT_ONCE, length - done));
    for (let at = 0; at < buffer.byteLength; at += PAGE_SIZE) {
      const count = sumWords(new Uint32Array(buffer, at, PAGE_SIZE / 4));
      stores += count;
      placed = (placed + Math.imul(count, (done + at) / PAGE_SIZE)) >>> 0;
    }
  }
  return { stores, placed };
}

function sumWords(halves: Uint32Array): number {
  let lower = 0;
  let upper = 0;
  for (let i = 0; i < halves.length; i += 2) {
    lower += halves[i];
    upper += halves[i + 1];
  }
  return upper * 2 ** 32 + lower;
}
