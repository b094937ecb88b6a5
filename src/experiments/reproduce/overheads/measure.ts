import { KiB, MiB, type Stores } from 'mtcopy';
import { collectGarbage } from '../../shared/collect-garbage.js';
import { type Control, isCutShort } from '../../shared/control.js';
import { runInTurns } from '../../shared/in-turns.js';
import { threadsText } from '../../shared/labels.js';
import type { MigrationRun, MovedMemory } from '../../shared/moved-memory.js';
import { BASELINE, bootMoved, moveBy } from '../../shared/movers.js';
import { atLeast1Ns } from '../../shared/nanoseconds.js';
import { type Ratio, ratioOf } from '../../shared/ratio.js';
import { shareTime } from '../../shared/share-time.js';
import { usualWarmUps } from '../../shared/throughput.js';
import { amdahl } from '../amdahl.js';
import type { Scale } from '../experiment.js';
import { type Amounts, bytesThatFit, LEAST_PART } from '../fit.js';
import { timeMovers } from '../time-movers.js';

/** Threads that copy: workers, and whether the calling thread is one more. */
interface Threads {
  readonly threads: number;
  readonly caller: 'waits' | 'helps';
}
const THREADS: readonly Threads[] = [
  { threads: 1, caller: 'waits' },
  { threads: 2, caller: 'waits' },
  { threads: 1, caller: 'helps' },
];

/** What moves, by its published names. */
interface Amount {
  /** Size of a folio, as the published table names it. */
  readonly folioSize: '4KB' | '2MB';
  /** Bytes of a folio. */
  readonly folioBytes: number;
  /** Folios that a run moves. */
  readonly folios: number;
  /** The published number of folios that it stands beside. */
  readonly publishedFolios: 1 | 512;
}

/** One number of folios of one size. */
export interface OverheadsRow extends Amount {
  /** Runs that counted. */
  readonly runs: number;
  /** Share of the wall time of move_pages() that goes into folio copy, without offload. */
  readonly F: Ratio;
  /** Whole speed-up that Amdahl's law allows, however fast the copies get: 1 / (1 - F). */
  readonly maxSpeedup: number;
  /** Workers that copied fastest in runs before these, of 1, 2, and 1 with the calling thread (`1+1`). */
  readonly threads: string;
  /** How many times as fast they copied, wall time. */
  readonly S: Ratio;
  /** Whole speed-up that Amdahl's law predicts of both: 1 / ((1 - F) + F / S). */
  readonly predicted: number;
  /** Whole speed-up of move_pages(), wall time. */
  readonly measured: Ratio;
  /** The prediction's error, run by run: above 1 it promised too much. */
  readonly predictedByMeasured: Ratio;
  /** Time of all that isn't copying, against its time without offload: what Amdahl's law takes to be 1. */
  readonly rest: Ratio;
}

/** What copying is of a migration, and what Amdahl's law predicts of faster copies. */
export interface Overheads extends Amounts {
  /** A row for each amount; fewer if it was cut short. */
  readonly rows: readonly OverheadsRow[];
}

/** Of each amount: which threads copy fastest, and then what these gain. */
const PARTS = 2;

export async function measureOverheads(scale: Scale, control: Control): Promise<Overheads> {
  const started = performance.now();
  const bytes = scale.quick ? scale.bytes : await bytesWithin(scale, control);
  const amounts = amountsWithin(bytes);
  const nextSeconds = shareTime(scale.seconds - (performance.now() - started) / 1000, PARTS * amounts.length);
  const rows: OverheadsRow[] = [];
  for (const amount of amounts) {
    if (isCutShort(control)) break;
    const row = await measureAmount(amount, scale, nextSeconds, control);
    if (row) rows.push(row);
    collectGarbage();
  }
  return { bytes: largestOf(amounts), usualBytes: largestOf(amountsWithin(scale.bytes)), rows };
}

const largestOf = (amounts: readonly Amount[]) =>
  Math.max(...amounts.map(({ folios, folioBytes }) => folios * folioBytes));

/** {@link bytesThatFit} the share of a part, by how long the largest amount of 2 MiB folios takes. */
async function bytesWithin({ bytes, seconds, warmUps, stores }: Scale, control: Control): Promise<number> {
  if (isCutShort(control)) return bytes;
  const movers = THREADS.map(({ threads, caller }) => ({ way: 'mtcopy', count: threads, caller }) as const);
  const leastSeconds = await timeMovers([[BASELINE, ...movers]], bytes / LEAST_PART, 2 * MiB, stores, control);
  const share = seconds / (PARTS * amountsWithin(bytes).length);
  return bytesThatFit({ bytes, seconds: share, leastSeconds, warmUpsOf: (amount) => warmUps ?? usualWarmUps(amount) });
}

/** 1 and 512 folios of each size; of 2 MiB as many of them as there are bytes for. */
function amountsWithin(bytes: number): Amount[] {
  const sizes = [
    ['4KB', 4 * KiB],
    ['2MB', 2 * MiB],
  ] as const;
  return sizes.flatMap(([folioSize, folioBytes]) =>
    ([1, 512] as const).map((publishedFolios) => {
      const folios = Math.max(1, Math.min(publishedFolios, Math.floor(bytes / folioBytes)));
      return { folioSize, folioBytes, folios, publishedFolios };
    }),
  );
}

async function measureAmount(
  amount: Amount,
  { bound, warmUps: asked, stores }: Scale,
  nextSeconds: () => number,
  control: Control,
): Promise<OverheadsRow | undefined> {
  const { folioSize, folioBytes, folios } = amount;
  const bytes = folios * folioBytes;
  const memory = await bootMoved(bytes, folioBytes);
  try {
    const name = `${folios} of ${folioSize}`;
    const kernel = { name: `${name}, kernel`, run: () => moveBy(memory, BASELINE, stores) };
    const others = THREADS.map((threads) => ({
      name: `${name}, mtcopy×${threadsText(threads)}`,
      run: () => moveWith(memory, threads, stores),
    }));
    const choosing = [kernel, ...others].map((one) => ({ ...one, name: `${one.name}, to choose threads` }));
    const warmUps = asked ?? usualWarmUps(bytes);
    const turns = { warmUps, seconds: nextSeconds(), bound };
    const [first, ...tried] = await runInTurns(choosing, wholeNs, turns, control);
    if (first.length === 0 || isCutShort(control)) return undefined;
    // With runs of its own: by those that it was chosen by, the best of several is in part the luckiest.
    const best = fastestCopies(first, tried);
    const own = { warmUps: asked ?? 0, seconds: nextSeconds(), bound };
    const [alone, mtcopy] = await runInTurns([kernel, others[best]], wholeNs, own, control);
    return alone.length === 0 ? undefined : summarize(amount, THREADS[best], alone, mtcopy);
  } finally {
    await memory.machine.close();
  }
}

/** As published, threads for one page too: what the law says of that is asked as well. */
function moveWith(memory: MovedMemory, { threads, caller }: Threads, stores?: Stores): Promise<MigrationRun> {
  return moveBy(memory, { way: 'mtcopy', count: threads, caller }, stores);
}

/** Which of some have copied fastest. */
function fastestCopies(kernel: readonly MigrationRun[], others: readonly (readonly MigrationRun[])[]): number {
  const speedups = others.map((runs) => ratioOf(kernel.map(copyNs), runs.map(copyNs)).median);
  return speedups.indexOf(Math.max(...speedups));
}

/** What the runs come to, with threads that they did not choose. */
function summarize(
  amount: Amount,
  threads: Threads,
  kernel: readonly MigrationRun[],
  mtcopy: readonly MigrationRun[],
): OverheadsRow {
  const S = ratioOf(kernel.map(copyNs), mtcopy.map(copyNs));
  const F = ratioOf(kernel.map(copyNs), kernel.map(wholeNs));
  return {
    ...amount,
    runs: kernel.length,
    F,
    maxSpeedup: amdahl(F.median, Number.POSITIVE_INFINITY),
    threads: threadsText(threads),
    S,
    predicted: amdahl(F.median, S.median),
    measured: ratioOf(kernel.map(wholeNs), mtcopy.map(wholeNs)),
    predictedByMeasured: ratioOf(
      mtcopy.map(wholeNs),
      kernel.map((run, i) => restNs(run) + copyNs(mtcopy[i])),
    ),
    rest: ratioOf(mtcopy.map(restNs), kernel.map(restNs)),
  };
}

const copyNs = ({ phasesNs }: MigrationRun) => atLeast1Ns(phasesNs.copy);
const wholeNs = ({ ns }: MigrationRun) => ns;
const restNs = (run: MigrationRun) => atLeast1Ns(run.ns - copyNs(run));
