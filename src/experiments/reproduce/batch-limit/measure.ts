import { ErrnoError, Machine, MiB, PAGE_SIZE } from 'mtcopy';
import { median, min } from 'simple-statistics';
import { type Control, isCutShort } from '../../shared/control.js';
import { runInTurns } from '../../shared/in-turns.js';
import { mapMovedMemory, moveAcross, type PlacedMemory } from '../../shared/moved-memory.js';
import { type Ratio, ratioOf } from '../../shared/ratio.js';
import { shareTime } from '../../shared/share-time.js';
import { startTouching, type Touching } from '../../shared/touching.js';
import { copyThreads } from '../../shared/tuned.js';
import type { Scale } from '../experiment.js';
import { watchFirstFolio } from './first-folio.js';
import { type BatchSetting, batchSettings, MANNERS, MAX_LIMIT, nameOf } from './settings.js';
import { type WaitCounts, type Waits, waitsOf, waitsSince } from './waits.js';

/** One limit, and what it does. */
export interface BatchLimitRow extends BatchSetting {
  /** Runs that counted. */
  readonly runs: number;
  /** Of a whole call of move_pages: the median of the runs, in nanoseconds. */
  readonly ns: number;
  /** Time of a page, by the limit that is best for the migrator with folios of 4 KiB: above 1 is slower. */
  readonly againstBest: Ratio;
  /** Nanoseconds from the begin of a batch until its first folio is mapped again: median of the runs. */
  readonly firstFolioNs: number;
  /** With a CPU that loads and stores at random meanwhile; left out if that was cut short. */
  readonly touched?: {
    /** What the CPU waited for pages that were on their way. */
    readonly waits: Waits;
    /** TLB-flush interrupts for each page that moved. */
    readonly interruptsAPage: number;
  };
}

/** What the limit of a batch does to a call, and to whoever waits for a page. */
export interface BatchLimit {
  /** Bytes of a run. */
  readonly bytes: number;
  /** Threads of `mtcopy`. */
  readonly threads: number;
  /** A row for each migrator, limit and folio size; none if it was cut short. */
  readonly rows: readonly BatchLimitRow[];
}

/** A call of move_pages. */
interface TimedRun {
  readonly ns: number;
  readonly firstFolioNs: number;
}

/** A call of move_pages under a CPU that touches the memory. */
interface TouchedRun {
  readonly ns: number;
  readonly waits: WaitCounts;
  readonly interruptsAPage: number;
}

/** Bytes that move under a CPU at most: one batch of the largest limit. */
const TOUCHED_BYTES = MAX_LIMIT * PAGE_SIZE;
const WARM_UPS = 1;

/** Migrates with each limit: first by itself, for time; then under a CPU, for what that waits. */
export async function measureBatchLimit(scale: Scale, control: Control): Promise<BatchLimit> {
  // A quarter of what others move: there are many limits. The largest is to be a whole batch in any case.
  const bytes = Math.max(scale.quick ? scale.bytes / 2 : scale.bytes / 4, 2 * MiB);
  const copying = copyThreads(scale.profile, PAGE_SIZE);
  const { threads } = copying;
  const settings = batchSettings(scale.quick);
  const nextSeconds = shareTime(scale.seconds, 2);
  const timed = await measureTimes(settings, bytes, copying, { ...scale, seconds: nextSeconds() }, control);
  if (timed[0].length === 0) return { bytes, threads, rows: [] };
  const touched = isCutShort(control)
    ? settings.map(() => [])
    : await measureTouched(settings, copying, { ...scale, seconds: nextSeconds() }, control);
  return { bytes, threads, rows: summarize(settings, timed, touched) };
}

async function measureTimes(
  settings: readonly BatchSetting[],
  bytes: number,
  copying: ReturnType<typeof copyThreads>,
  { seconds, bound, warmUps = WARM_UPS }: Scale,
  control: Control,
): Promise<TimedRun[][]> {
  const machine = await Machine.boot({ nodes: [2 * bytes, 2 * bytes], cpus: 0, ...copying });
  const watch = watchFirstFolio();
  try {
    const memories = new Map([PAGE_SIZE, 2 * MiB].map((size) => [size, mapMovedMemory(machine, bytes, size)]));
    const variants = settings.map((setting) => ({
      name: nameOf(setting),
      run: async () => {
        const memory = memories.get(setting.folioBytes);
        if (!memory) throw new ErrnoError('EINVAL', `nothing is mapped in folios of ${setting.folioBytes}`);
        const { ns } = await moveAcross(memory, { ...MANNERS[setting.migrator], batchLimit: setting.limit });
        return { ns, firstFolioNs: watch.ns };
      },
    }));
    return await runInTurns(variants, ({ ns }) => ns, { warmUps, seconds, bound }, control);
  } finally {
    watch.stop();
    await machine.close();
  }
}

async function measureTouched(
  settings: readonly BatchSetting[],
  copying: ReturnType<typeof copyThreads>,
  { bytes, seconds, bound, warmUps = WARM_UPS, seed }: Scale,
  control: Control,
): Promise<TouchedRun[][]> {
  const length = Math.min(TOUCHED_BYTES, bytes);
  const machine = await Machine.boot({ nodes: [2 * length, 2 * length], cpus: 1, ...copying });
  try {
    const mm = machine.createAddressSpace();
    // One after the other in the address space: the CPU touches both alike.
    const areas = [PAGE_SIZE, 2 * MiB].map((size) => mm.mmap({ length, folioSize: size, populate: true }));
    const touching = await startTouching(machine, areas, seed);
    const variants = settings.map((setting) => {
      const memory = touching.memories[setting.folioBytes === PAGE_SIZE ? 0 : 1];
      return { name: `${nameOf(setting)}, touched`, run: () => moveTouched(touching, memory, setting) };
    });
    const runs = await runInTurns(variants, ({ ns }) => ns, { warmUps, seconds, bound }, control);
    await touching.end();
    return runs;
  } finally {
    await machine.close();
  }
}

async function moveTouched(
  touching: Touching,
  memory: PlacedMemory,
  { migrator, limit }: BatchSetting,
): Promise<TouchedRun> {
  const { machine, mm, addresses } = memory;
  const node = memory.node === 0 ? 1 : 0;
  const before = machine.cpus.migrationWaits;
  const how = { node, ...MANNERS[migrator], batchLimit: limit };
  const started = performance.now();
  const { stats, notMigrated } = await machine.movePages(mm, addresses, how);
  const ns = (performance.now() - started) * 1e6;
  const waits = waitsSince(machine.cpus.migrationWaits, before);
  if (notMigrated > 0) throw new ErrnoError('EIO', `${notMigrated} of ${addresses.length} folios were not migrated`);
  memory.node = node;
  touching.checkMoved(memory);
  return { ns, waits, interruptsAPage: stats.interrupts / stats.succeeded };
}

function summarize(
  settings: readonly BatchSetting[],
  timed: readonly (readonly TimedRun[])[],
  touched: readonly (readonly TouchedRun[])[],
): BatchLimitRow[] {
  const times = timed.map((runs) => runs.map(({ ns }) => ns));
  return settings.map((setting, i) => {
    const best = bestOf(settings, times, setting.migrator);
    const row = {
      ...setting,
      runs: timed[i].length,
      ns: median(times[i]),
      againstBest: ratioOf(times[i], best),
      firstFolioNs: median(timed[i].map(({ firstFolioNs }) => firstFolioNs)),
    };
    if (touched[i].length === 0) return row;
    const interruptsAPage = median(touched[i].map((run) => run.interruptsAPage));
    return { ...row, touched: { waits: waitsOf(touched[i].map(({ waits }) => waits)), interruptsAPage } };
  });
}

/** The times of the migrator's limit with which folios of 4 KiB take the least, in pairs of runs. */
function bestOf(settings: readonly BatchSetting[], times: readonly number[][], migrator: string): number[] {
  const own = times.filter((_, i) => settings[i].migrator === migrator && settings[i].folioBytes === PAGE_SIZE);
  const againstFirst = own.map((list) => ratioOf(list, own[0]).median);
  return own[againstFirst.indexOf(min(againstFirst))];
}
