import { availableParallelism } from 'node:os';
import { formatSize, KiB, MiB } from 'mtcopy';
import {
  copyLoops,
  copyManners,
  copyText,
  type Measured,
  migrationManners,
  migrationStores,
  migrationText,
  type Place,
  type Ratio,
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
 * choice then runs beside the fastest few of it, in ten memories one after the other: where the host puts their pages is luck that
 * lasts as long as a memory. Of those few the best is picked in every other memory, and the choice is measured against it in
 * those between: of many the luckiest would otherwise pass for the best, and look better than it is.
 */

const TARGET = 0.97;
/** Folio and batch, by the names of the program's sections. */
const SIZES = { '4K-2M': [4 * KiB, 2 * MiB], '4K-32M': [4 * KiB, 32 * MiB], '2M-32M': [2 * MiB, 32 * MiB] } as const;
/** As much as each of the four sizes has that are tuned by default. */
const TUNE_SECONDS = 25;
/** Of the whole grid, and of the choice and those that it is measured against. */
const GRID = { seconds: 20, bound: 0.01, warmUps: 1 } as const;
const DUELS = { seconds: 2.5, bound: 0, warmUps: 1 } as const;
const RIVALS = 3;
/** In which the choice runs beside them: every other one says which of them is best, and the rest what the choice is against it. */
const MEMORIES = 10;

const rows: string[][] = [];

/** The choice against the best of a grid. */
async function check<Manner>(
  what: string,
  chosen: Manner,
  grid: readonly Manner[],
  text: (manner: Manner) => string,
  place: Place<Manner>,
): Promise<void> {
  const raced = await race(grid, place, () => [], GRID, {});
  const others = raced.filter(({ settings }) => text(settings) !== text(chosen));
  const rivals = fastest(others, RIVALS).map(({ settings }) => settings);
  const picking: number[][][] = [];
  const measuring: number[][][] = [];
  for (let memory = 0; memory < MEMORIES; memory++) {
    const rounds = await place([chosen, ...rivals], (runners) => runInTurns(runners, (ns) => ns, DUELS, {}));
    (memory % 2 === 0 ? picking : measuring).push(rounds);
  }
  const speeds = rivals.map((_, i) => ({
    picked: againstChosen(picking, i + 1),
    measured: againstChosen(measuring, i + 1),
  }));
  const best = speeds.reduce((at, { picked }, i) => (picked.median < speeds[at].picked.median ? i : at), 0);
  const { median, low, high, pairs } = speeds[best].measured;
  rows.push([
    what,
    text(chosen),
    text(rivals[best]),
    `${median.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}] of ${pairs}`,
    measuring.map((rounds) => againstChosen([rounds], best + 1).median.toFixed(2)).join(' '),
    low >= TARGET ? 'reached' : high < TARGET ? 'missed' : 'open',
  ]);
}

/** The speed of the choice over that of another, in some memories, of each of which as many rounds count. */
function againstChosen(memories: readonly (readonly number[][])[], other: number): Ratio {
  const each = Math.min(...memories.map(([ours]) => ours.length));
  const all = (which: number) => memories.flatMap((rounds) => rounds[which].slice(0, each));
  return ratioOf(all(other), all(0));
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

async function checkSize([folioBytes, batchBytes]: readonly [number, number]): Promise<void> {
  const size = { folioBytes, batchBytes };
  const { sizes } = await tune({ folioBytes: [folioBytes], batchBytes: [batchBytes], seconds: TUNE_SECONDS });
  const [{ copies, methods = copies, migrations, stores }] = sizes;
  const threads = Array.from({ length: availableParallelism() }, (_, i) => i + 1);
  const what = `${formatSize(batchBytes)} in ${formatSize(folioBytes)}`;
  // Each loop in the chosen manner alone: a memory has no room for as many engines.
  const loops = copyLoops({ ...methods.chosen, method: 'auto' }, stores !== undefined).slice(1);
  const grid = [...copyManners(threads), ...loops];
  await check(`copy ${what}`, methods.chosen, grid, copyText, (manners, measure) => withCopies(manners, size, measure));
  if (!migrations) return;
  const shape = shapeOf(copies.tried.map(({ settings, samplesNs }) => ({ settings, samplesNs: [samplesNs] })));
  const manners = migrationManners(threads).flatMap((manner) => (stores ? migrationStores(manner) : [manner]));
  await check(`migrate ${what}`, (stores ?? migrations).chosen, manners, migrationText, (some, measure) =>
    withMigrations(some, size, shape, measure),
  );
}

await runAsked(
  'section',
  Object.fromEntries(Object.entries(SIZES).map(([name, size]) => [name, () => checkSize(size)])),
);
printTable(
  ['what', 'chosen', 'best other of the grid', 'chosen / best', 'by memory', `target ${TARGET}`],
  rows,
  `Speed of what tune chooses over that of the best of the rest of the grid, on fresh runs in turns: median [95 %] of pairs, and the median in each memory. The target is reached if the whole interval is at or above it, missed if it is below, open otherwise.`,
);
