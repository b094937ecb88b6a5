import { availableParallelism } from 'node:os';
import { formatSize, KiB, MiB } from 'mtcopy';
import {
  type CopyManner,
  copyManners,
  copyText,
  type Measured,
  migrationManners,
  migrationText,
  type Runner,
  race,
  ratioOf,
  runInTurns,
  shapeOf,
  tune,
  withCopies,
  withMigrations,
} from 'mtcopy/experiments';
import { runAsked } from '../support/run-asked.js';
import { printTable } from '../support/table.js';

/*
 * Is what `tune` chooses as fast as the best of everything that it could have chosen? On fresh runs: the whole grid races, and the
 * choice then runs beside the fastest few of it. Of those the best is picked by every other block of rounds, and the choice is
 * measured against it by the blocks between: of many the luckiest would otherwise pass for the best, and look better than it is.
 */

const TARGET = 0.97;
/** Folio and batch, by the names of the program's sections. */
const SIZES = { '4K-2M': [4 * KiB, 2 * MiB], '4K-32M': [4 * KiB, 32 * MiB], '2M-32M': [2 * MiB, 32 * MiB] } as const;
/** As much as each of the four sizes has that are tuned by default. */
const TUNE_SECONDS = 25;
/** Of the whole grid, and of the choice and those that it is measured against. */
const GRID = { seconds: 20, bound: 0.01, warmUps: 1 } as const;
const DUELS = { seconds: 25, bound: 0.005, warmUps: 1 } as const;
const RIVALS = 3;
const BLOCK = 2;
const METHODS = ['auto', 'typed-array'] as const;

const rows: string[][] = [];

type With<Manner> = <T>(
  manners: readonly Manner[],
  measure: (runners: readonly Runner<Manner>[]) => Promise<T>,
) => Promise<T>;

/** The choice against the best of a grid. */
async function check<Manner>(
  what: string,
  chosen: Manner,
  grid: readonly Manner[],
  text: (manner: Manner) => string,
  withRunners: With<Manner>,
): Promise<void> {
  const raced = await withRunners(grid, (runners) => race(runners, () => [], GRID, {}));
  const others = raced.filter(({ settings }) => text(settings) !== text(chosen));
  const rivals = fastest(others, RIVALS).map(({ settings }) => settings);
  const [ours, ...theirs] = await withRunners([chosen, ...rivals], (runners) =>
    runInTurns(runners, (ns) => ns, DUELS, {}),
  );
  const speeds = theirs.map((samples) => ({
    picked: ratioOf(blocks(samples, 0), blocks(ours, 0)),
    measured: ratioOf(blocks(samples, 1), blocks(ours, 1)),
  }));
  const best = speeds.reduce((at, { picked }, i) => (picked.median < speeds[at].picked.median ? i : at), 0);
  const { median, low, high, pairs } = speeds[best].measured;
  rows.push([
    what,
    text(chosen),
    text(rivals[best]),
    `${median.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}] of ${pairs}`,
    low >= TARGET ? 'reached' : high < TARGET ? 'missed' : 'open',
  ]);
}

/** Those that stayed longest, and of these the fastest, by their rounds side by side. */
function fastest<Manner>(raced: readonly Measured<Manner>[], count: number): Measured<Manner>[] {
  const rounds = ({ samplesNs: [samples] }: Measured<Manner>) => samples.length;
  const longest = raced.reduce((most, one) => (rounds(one) > rounds(most) ? one : most));
  const speed = (one: Measured<Manner>) => {
    const [own] = one.samplesNs;
    return ratioOf(longest.samplesNs[0].slice(0, own.length), own).median;
  };
  return raced.toSorted((a, b) => rounds(b) - rounds(a) || speed(b) - speed(a)).slice(0, count);
}

/** Every other block of rounds, from the first or from the second on. */
function blocks(samples: readonly number[], first: 0 | 1): number[] {
  return samples.filter((_, round) => Math.floor(round / BLOCK) % 2 === first);
}

async function checkSize([folioBytes, batchBytes]: readonly [number, number]): Promise<void> {
  const size = { folioBytes, batchBytes };
  const { sizes } = await tune({ folioBytes: [folioBytes], batchBytes: [batchBytes], seconds: TUNE_SECONDS });
  const [{ copies, methods = copies, migrations }] = sizes;
  const threads = Array.from({ length: availableParallelism() }, (_, i) => i + 1);
  const what = `${formatSize(batchBytes)} in ${formatSize(folioBytes)}`;
  const grid = copyManners(threads).flatMap((manner) => METHODS.map((method): CopyManner => ({ ...manner, method })));
  await check(`copy ${what}`, methods.chosen, grid, copyText, (manners, measure) => withCopies(manners, size, measure));
  if (!migrations) return;
  const shape = shapeOf(copies.tried.map(({ settings, samplesNs }) => ({ settings, samplesNs: [samplesNs] })));
  const manners = migrationManners(threads);
  await check(`migrate ${what}`, migrations.chosen, manners, migrationText, (some, measure) =>
    withMigrations(some, size, shape, measure),
  );
}

await runAsked(
  'section',
  Object.fromEntries(Object.entries(SIZES).map(([name, size]) => [name, () => checkSize(size)])),
);
printTable(
  ['what', 'chosen', 'best other of the grid', 'chosen / best', `target ${TARGET}`],
  rows,
  `Speed of what tune chooses over that of the best of the rest of the grid, on fresh runs in turns: median [95 %] of pairs. The target is reached if the whole interval is at or above it, missed if it is below, open otherwise.`,
);
