import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import {
  type Area,
  type BatchUnit,
  ErrnoError,
  type Flow,
  MAX_CPUS,
  type Machine,
  MiB,
  type MigrateStats,
  NR_MAX_BATCHED_MIGRATION,
  PAGE_SIZE,
  type Stores,
  type Vmstat,
} from 'mtcopy';
import { growth, sumCounts } from '../statistics.js';
import type { Pattern } from './access-pattern.js';
import { MAY_START, type PmbenchAccesses, type PmbenchArgs, READY } from './program.js';

/** System calls that move the area. */
export const PMBENCH_CALLS = ['move_pages', 'migrate_pages'] as const;
/**
 * What moves the area back and forth: move_pages(2) in calls of some 50 ms, or migrate_pages(2), of which each call moves all of
 * the address space, as the tool migratepages does.
 */
export type PmbenchCall = (typeof PMBENCH_CALLS)[number];

/** Seeds are this at most: far from where their products with the CPUs' number would not be exact. */
export const MAX_SEED = 2 ** 20;

/** What the CPUs do, over how much memory, and what moves it meanwhile. */
export interface PmbenchLoad {
  /** Pages of the area; a whole number of folios. */
  readonly pages: number;
  /** Bytes of its folios: a power of two from 4 KiB to 4 MiB. */
  readonly folioBytes: number;
  /** Which page a CPU accesses next. */
  readonly pattern: Pattern;
  /** Stores as a fraction of the accesses, 0 to 1. */
  readonly writeRatio: number;
  /** What moves the area. Default: `'move_pages'`. */
  readonly call?: PmbenchCall | undefined;
  /** Pages or folios of a batch, 1 to 2^20. Default: 512. */
  readonly batchLimit?: number | undefined;
  /** What that counts. Default: `'pages'`. */
  readonly batchUnit?: BatchUnit | undefined;
  /** Whether what is copied is kept in the caches. Default: `'auto'`. */
  readonly stores?: Stores | undefined;
  /** What the CPUs draw pages by, 0 to 2^20. Default: 0. */
  readonly seed?: number | undefined;
}

/** What one run measured: sums, so that several can be added. */
export interface PmbenchRun {
  /** Seconds that were measured; 0 if it was cut short in its first call. */
  readonly seconds: number;
  /** Seconds in which the CPUs made their accesses. */
  readonly accessSeconds: number;
  /** What all migrations came to. */
  readonly stats: Pick<MigrateStats, 'succeeded' | 'phasesNs' | 'cpuNs'>;
  /** What the counters of /proc/vmstat grew by. */
  readonly vmstat: Vmstat;
  /** Loads and stores of all CPUs. */
  readonly accesses: number;
  /** Stores among them. */
  readonly stores: number;
  /** Stores made, less those found in memory afterwards. */
  readonly lostUpdates: number;
  /** Nanoseconds an access. */
  readonly latencies: RecordableHistogram;
}

/** What no migration comes to. */
const NOTHING: PmbenchRun['stats'] = {
  succeeded: 0,
  phasesNs: { isolate: 0, unmap: 0, flush: 0, copy: 0, move: 0, putBack: 0 },
  cpuNs: { caller: 0, threads: 0, dma: 0 },
};
const PROGRAM = new URL('./program.js', import.meta.url);
/** Bytes of the area that are summed at once. */
const SUMMED_AT_ONCE = MiB;
/** A call of move_pages is to take about this long, in milliseconds, so that a run ends when it should. */
const CALL_MS = 50;

/**
 * Runs the access benchmark of the published work on TLB flushes: every CPU of the machine loads and stores all over an area,
 * while its pages are moved from node 0 to node 1 and back for `seconds`, in as many calls as that takes; the last one is not
 * cut short, so that it may be longer.
 *
 * @param signal once aborted, the CPUs stop, and the run ends once the call at hand has, which doesn't count: what was measured
 * before does, if there is any, and every store is looked for
 * @throws ErrnoError ENOMEM if a node has no room for the area; EIO if nothing could be moved, or stores are found in pages
 * that they were not made to. Whatever a CPU's program or a migration throws.
 */
export async function runPmbench(
  machine: Machine,
  load: PmbenchLoad,
  flow: Flow,
  seconds: number,
  signal?: AbortSignal,
): Promise<PmbenchRun> {
  const { pages, folioBytes, pattern, writeRatio, seed = 0 } = load;
  const mm = machine.createAddressSpace();
  const gate = new Int32Array(new SharedArrayBuffer(8));
  let programs: Promise<unknown>[] = [];
  let stoppedAt: number | undefined;
  // A call without CPUs to wait for is over soon.
  const stop = () => {
    stoppedAt = performance.now();
    machine.cpus.stop();
  };
  try {
    const area = mm.mmap({ length: pages * PAGE_SIZE, folioSize: folioBytes, node: 0, populate: true });
    // Whoever touches a node's frames first pays for it: not the run.
    for (const node of [1, 0]) await machine.movePages(mm, area.folios(), { node, flow: 'vanilla' });
    const args: PmbenchArgs = {
      address: area.address,
      pages,
      pageBytes: PAGE_SIZE,
      pattern,
      writeRatio,
      seed: seed * MAX_CPUS,
      gate,
    };
    programs = Array.from({ length: machine.cpus.count }, (_, cpu) => machine.cpus.run(mm, PROGRAM, { cpu, args }));
    const ended = Promise.all(programs) as Promise<PmbenchAccesses[]>;
    // Until it is awaited below; the CPU is then found to be idle.
    ended.catch(() => {});
    while (allRun(machine) && Atomics.load(gate, READY) < programs.length) await sleep(1);
    signal?.addEventListener('abort', stop);
    if (signal?.aborted) stop();
    const started = performance.now();
    Atomics.store(gate, MAY_START, 1);
    const move = CREATE_MOVER[load.call ?? 'move_pages'](machine, area, load, flow);
    const counted = await countCalls(machine, move, seconds, signal);
    const accessSeconds = ((stoppedAt ?? performance.now()) - started) / 1000;
    machine.cpus.stop();
    return { ...counted, accessSeconds, ...(await tally(await ended, area)) };
  } finally {
    signal?.removeEventListener('abort', stop);
    machine.cpus.stop();
    await Promise.allSettled(programs);
    await mm.close();
  }
}

function allRun({ cpus }: Machine): boolean {
  return cpus.busy.length === cpus.count;
}

/** Makes one call after the other, of which each moves on an area that is on node 0 at first. */
type CreateMover = (machine: Machine, area: Area, load: PmbenchLoad, flow: Flow) => () => Promise<MigrateStats>;

const CREATE_MOVER: Readonly<Record<PmbenchCall, CreateMover>> = {
  move_pages: moveInPieces,
  migrate_pages: migrateWhole,
};

function moveInPieces(machine: Machine, area: Area, load: PmbenchLoad, flow: Flow): () => Promise<MigrateStats> {
  const { batchLimit, batchUnit, stores } = load;
  const folios = area.folios();
  const batch = foliosOfBatch(load, flow);
  let node = 1;
  let first = 0;
  let count = batch;
  return async () => {
    const called = performance.now();
    const piece = folios.subarray(first, first + count);
    const { stats } = await machine.movePages(area.mm, piece, { node, flow, batchLimit, batchUnit, stores });
    first += piece.length;
    if (first === folios.length) {
      first = 0;
      node = 1 - node;
    }
    const ms = performance.now() - called;
    if (ms < CALL_MS && count < folios.length) count *= 2;
    else if (ms > 2 * CALL_MS) count = Math.max(batch, count / 2);
    return stats;
  };
}

/** Folios of which a call has a multiple: part of a batch costs as many interrupts. To the serial flow every folio is one. */
function foliosOfBatch(load: PmbenchLoad, flow: Flow): number {
  if (flow === 'serial') return 1;
  const { batchLimit = NR_MAX_BATCHED_MIGRATION, batchUnit = 'pages', folioBytes } = load;
  return batchUnit === 'folios' ? batchLimit : Math.max(1, Math.ceil((batchLimit * PAGE_SIZE) / folioBytes));
}

function migrateWhole(
  machine: Machine,
  { mm }: Area,
  { batchLimit, batchUnit, stores }: PmbenchLoad,
  flow: Flow,
): () => Promise<MigrateStats> {
  const manner = { flow, batchLimit, batchUnit, stores };
  let from = 0;
  return async () => {
    const { stats } = await machine.migratePages(mm, { from: [from], to: [1 - from], ...manner });
    from = 1 - from;
    return stats;
  };
}

/**
 * Makes calls until the time is over, or the signal is aborted: one at least. Counts up to the last that ended before the signal
 * was aborted: from then on no CPU is there to be interrupted.
 */
async function countCalls(
  machine: Machine,
  move: () => Promise<MigrateStats>,
  seconds: number,
  signal: AbortSignal | undefined,
): Promise<Pick<PmbenchRun, 'seconds' | 'stats' | 'vmstat'>> {
  const before = machine.vmstat;
  const started = performance.now();
  let counted = { seconds: 0, stats: NOTHING, vmstat: growth(before, before) };
  do {
    const stats = await move();
    if (signal?.aborted) return counted;
    const { succeeded, phasesNs, cpuNs } = stats;
    counted = {
      seconds: (performance.now() - started) / 1000,
      stats: sumCounts([counted.stats, { succeeded, phasesNs, cpuNs }]),
      vmstat: growth(machine.vmstat, before),
    };
    await setImmediate();
  } while (counted.seconds < seconds && allRun(machine));
  if (counted.stats.succeeded === 0) throw new ErrnoError('EIO', 'not one page of the area could be migrated');
  return counted;
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
