import { ErrnoError, Machine, MiB, PAGE_SIZE } from 'mtcopy';
import { median, min } from 'simple-statistics';
import { collectGarbage } from '../../shared/collect-garbage.js';
import { type Control, isCutShort } from '../../shared/control.js';
import { MIN_ROUNDS, runInTurns, type Variant } from '../../shared/in-turns.js';
import { mapMovedMemory, moveAcross, type PlacedMemory } from '../../shared/moved-memory.js';
import { type Ratio, ratioOf } from '../../shared/ratio.js';
import { shareTime } from '../../shared/share-time.js';
import { startTouching, type Touching } from '../../shared/touching.js';
import { copyThreads } from '../../shared/tuned.js';
import type { Scale } from '../experiment.js';
import { type Amounts, bytesThatFit, LEAST_PART, timeTrials, withWarmUp } from '../fit.js';
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
  /** With a CPU that loads and stores at random meanwhile; left out if that was cut short, or less moved than such a batch. */
  readonly touched?: {
    /** What the CPU waited for pages that were on their way. */
    readonly waits: Waits;
    /** TLB-flush interrupts for each page that moved. */
    readonly interruptsAPage: number;
  };
}

/** What the limit of a batch does to a call, and to whoever waits for a page. */
export interface BatchLimit extends Amounts {
  /** Bytes of a run under a CPU: at most one batch of the largest limit. */
  readonly touchedBytes: number;
  /** That were meant to be moved under a CPU. */
  readonly usualTouchedBytes: number;
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
/** A folio of 2 MiB. */
const LEAST_BYTES = 2 * MiB;
/** Migrations by themselves, and under a CPU. */
const PARTS = 2;

/** Migrates with each limit: first by itself, for time; then under a CPU, for what that waits. */
export async function measureBatchLimit(scale: Scale, control: Control): Promise<BatchLimit> {
  const usualBytes = Math.max(scale.quick ? scale.bytes / 2 : scale.bytes / 4, LEAST_BYTES);
  const usualTouchedBytes = Math.min(TOUCHED_BYTES, scale.bytes);
  const stores = scale.stores && { stores: scale.stores };
  const copying = { ...copyThreads(scale.profile, PAGE_SIZE), ...stores };
  const nextSeconds = shareTime(scale.seconds, PARTS);
  const all = { settings: batchSettings(scale.quick), copying, scale, control };
  const first = nextSeconds();
  const started = performance.now();
  const { settings, bytes } = await planTimed(usualBytes, first, all);
  const common = { ...all, settings };
  const timed = await runAll(withTimed, bytes, first - (performance.now() - started) / 1000, common);
  const nothing = { bytes, usualBytes, touchedBytes: usualTouchedBytes, usualTouchedBytes, threads: copying.threads };
  if (timed[0].length === 0) return { ...nothing, rows: [] };
  const whole = settings.flatMap((setting, i) => (isWhole(setting, bytes, usualBytes) ? [i] : []));
  const rowsOf = (touched: readonly (readonly TouchedRun[])[]) =>
    summarize(
      whole.map((i) => settings[i]),
      whole.map((i) => timed[i]),
      whole.map((i) => touched[i]),
    );
  if (isCutShort(control)) return { ...nothing, rows: rowsOf(settings.map(() => [])) };
  // Of what moves slowly by itself there is no time to see how slowly it moves under a CPU.
  const isSlow = settings.length < all.settings.length;
  const seconds = nextSeconds();
  const begun = performance.now();
  const touchedBytes = isSlow
    ? leastOf(usualTouchedBytes)
    : await bytesWithin(withTouched, usualTouchedBytes, seconds, common);
  const touched = await runAll(withTouched, touchedBytes, seconds - (performance.now() - begun) / 1000, common);
  const isTouched = (i: number) => isWhole(settings[i], touchedBytes, usualTouchedBytes);
  return { ...nothing, touchedBytes, rows: rowsOf(touched.map((runs, i) => (isTouched(i) ? runs : []))) };
}

/** Whether a batch is as large as its limit, unless none is ever so large here. */
function isWhole({ limit }: BatchSetting, bytes: number, usualBytes: number): boolean {
  return limit * PAGE_SIZE <= bytes || bytes === usualBytes;
}

/** What is the same of all runs. */
interface Common {
  readonly settings: readonly BatchSetting[];
  readonly copying: ReturnType<typeof copyThreads>;
  readonly scale: Scale;
  readonly control: Control;
}

/** Boots a machine with so much memory of each folio size, and gives a variant for each setting, in their order. */
type WithSettings<Run> = <T>(
  bytes: number,
  common: Common,
  measure: (variants: readonly Variant<Run>[]) => Promise<T>,
) => Promise<T>;

function runAll<Run extends { readonly ns: number }>(
  place: WithSettings<Run>,
  bytes: number,
  seconds: number,
  common: Common,
): Promise<Run[][]> {
  const { scale, control } = common;
  const { bound, warmUps = WARM_UPS } = scale;
  return place(bytes, common, (variants) => runInTurns(variants, ({ ns }) => ns, { warmUps, seconds, bound }, control));
}

/** Bytes that fit, and the limits: fewer of them where not even six rounds of the least bytes fit with all. */
async function planTimed(
  bytes: number,
  seconds: number,
  common: Common,
): Promise<{ settings: readonly BatchSetting[]; bytes: number }> {
  const { settings, scale, control } = common;
  if (scale.quick || isCutShort(control)) return { settings, bytes };
  const { warmUps = WARM_UPS } = scale;
  const leastSeconds = await timeLeast(withTimed, bytes, common);
  const isSlow = leastSeconds * (MIN_ROUNDS + warmUps) > seconds;
  if (isSlow) return { settings: batchSettings(true), bytes: leastOf(bytes) };
  return { settings, bytes: fitting(bytes, seconds, leastSeconds, warmUps) };
}

async function bytesWithin<Run>(
  place: WithSettings<Run>,
  bytes: number,
  seconds: number,
  common: Common,
): Promise<number> {
  const { scale, control } = common;
  if (scale.quick || isCutShort(control)) return bytes;
  return fitting(bytes, seconds, await timeLeast(place, bytes, common), scale.warmUps ?? WARM_UPS);
}

/** Seconds that a run of each setting takes, of the least bytes. */
function timeLeast<Run>(place: WithSettings<Run>, bytes: number, common: Common): Promise<number> {
  return place(leastOf(bytes), common, (variants) => timeTrials(withWarmUp(variants), common.control));
}

/** Of folios of 2 MiB it is one at least. */
function leastOf(bytes: number): number {
  return Math.max(bytes / LEAST_PART, LEAST_BYTES);
}

/** {@link bytesThatFit} by what {@link leastOf} takes. */
function fitting(bytes: number, seconds: number, ofLeast: number, warmUps: number): number {
  const leastSeconds = (ofLeast * bytes) / LEAST_PART / leastOf(bytes);
  return Math.max(LEAST_BYTES, bytesThatFit({ bytes, seconds, leastSeconds, warmUpsOf: () => warmUps }));
}

const withTimed: WithSettings<TimedRun> = async (bytes, { settings, copying }, measure) => {
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
    return await measure(variants);
  } finally {
    watch.stop();
    await machine.close();
    collectGarbage();
  }
};

const withTouched: WithSettings<TouchedRun> = async (length, { settings, copying, scale }, measure) => {
  const machine = await Machine.boot({ nodes: [2 * length, 2 * length], cpus: 1, ...copying });
  try {
    const mm = machine.createAddressSpace();
    // One after the other in the address space: the CPU touches both alike.
    const areas = [PAGE_SIZE, 2 * MiB].map((size) => mm.mmap({ length, folioSize: size, populate: true }));
    const touching = await startTouching(machine, areas, scale.seed);
    const variants = settings.map((setting) => {
      const memory = touching.memories[setting.folioBytes === PAGE_SIZE ? 0 : 1];
      return { name: `${nameOf(setting)}, touched`, run: () => moveTouched(touching, memory, setting) };
    });
    const measured = await measure(variants);
    await touching.end();
    return measured;
  } finally {
    await machine.close();
    collectGarbage();
  }
};

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
