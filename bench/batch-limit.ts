import { Machine } from 'mtcopy';
import { median } from 'simple-statistics';
import { printTable, showSpread } from './table.js';

/*
 * What the batch limit does: how many interrupts a page takes, and how long a CPU waits at a migration entry.
 */

const LIMITS = [8, 64, 512, 4096];
const ROUNDS = 5;
const PAGES = 8192;
const MIGRATIONS = 4;

interface Round {
  readonly interruptsPerPage: number;
  readonly pagesPerSecond: number;
  /** Median wait at a migration entry, in microseconds, to the power of two below it, and the longest. */
  readonly wait: number;
  readonly longest: number;
}

/** Migrates back and forth under two CPUs that store all the time, on a machine of its own. */
async function round(batchLimit: number): Promise<Round> {
  await using machine = await Machine.boot({ nodes: ['128M', '128M'], cpus: 2, batchLimit });
  const mm = machine.createAddressSpace();
  const area = mm.mmap({ length: PAGES * 4096, populate: true });
  const program = new URL('./programs/toucher.js', import.meta.url);
  const args = { address: area.address, pages: PAGES };
  const runs = [machine.cpus.run(mm, program, { args }), machine.cpus.run(mm, program, { args })];
  await new Promise((resolve) => setTimeout(resolve, 100));
  const pages = area.folios();
  const started = performance.now();
  let interrupts = 0;
  for (let i = 0; i < MIGRATIONS; i++) {
    const { stats } = await machine.movePages(mm, pages, { node: 1 - (i % 2) });
    interrupts += stats.interrupts;
  }
  const seconds = (performance.now() - started) / 1e3;
  machine.cpus.stop();
  await Promise.all(runs);
  const { buckets, maxNs } = machine.cpus.migrationWaits;
  const waits = buckets.flatMap(({ fromNs, count }) => new Array<number>(count).fill(fromNs));
  return {
    interruptsPerPage: interrupts / (MIGRATIONS * PAGES),
    pagesPerSecond: (MIGRATIONS * PAGES) / seconds,
    wait: waits.length > 0 ? median(waits) / 1e3 : 0,
    longest: maxNs / 1e3,
  };
}

const rounds = LIMITS.map(() => [] as Round[]);
for (let i = 0; i < ROUNDS; i++) {
  for (const [at, limit] of LIMITS.entries()) rounds[at]?.push(await round(limit));
}
printTable(
  ['batch limit', 'interrupts a page', '1000 pages/s', 'median wait, µs', 'longest wait, µs'],
  LIMITS.map((limit, at) => {
    const of = (figure: (one: Round) => number) => (rounds[at] ?? []).map(figure);
    return [
      limit,
      showSpread(
        of(({ interruptsPerPage }) => interruptsPerPage),
        4,
      ),
      showSpread(of(({ pagesPerSecond }) => pagesPerSecond / 1e3)),
      showSpread(of(({ wait }) => wait)),
      showSpread(
        of(({ longest }) => longest),
        0,
      ),
    ];
  }),
  `Two CPUs store while ${PAGES} pages of 4 KiB migrate back and forth (vanilla, kernel): medians (quartiles) of ${ROUNDS} rounds in turns.`,
);
