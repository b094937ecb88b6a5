import { Machine } from 'mtcopy';
import { median, quantile } from 'simple-statistics';
import { printTable, showSpread } from '../support/table.js';

/*
 * What the batch limit does: how many interrupts a page takes, and how long a CPU waits at a migration entry.
 */

const LIMITS = [8, 64, 512, 4096, 8192];
const ROUNDS = 9;
const PAGES = 8192;
const MIGRATIONS = 16;

interface Round {
  readonly interruptsPerPage: number;
  readonly pagesPerSecond: number;
  /** Waits at a migration entry, in microseconds, to the power of two below them: the median, and what 99% don't exceed. */
  readonly wait: number;
  readonly longWait: number;
}

/** Migrates back and forth under a CPU that stores all the time, on a machine of its own: two threads, for two cores. */
async function round(batchLimit: number): Promise<Round> {
  await using machine = await Machine.boot({ nodes: ['128M', '128M'], cpus: 1, batchLimit });
  const mm = machine.createAddressSpace();
  const area = mm.mmap({ length: PAGES * 4096, populate: true });
  const program = new URL('../support/toucher.js', import.meta.url);
  const args = { address: area.address, pages: PAGES };
  const run = machine.cpus.run(mm, program, { args });
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
  await run;
  const { buckets } = machine.cpus.migrationWaits;
  const waits = buckets.flatMap(({ fromNs, count }) => new Array<number>(count).fill(fromNs));
  return {
    interruptsPerPage: interrupts / (MIGRATIONS * PAGES),
    pagesPerSecond: (MIGRATIONS * PAGES) / seconds,
    wait: waits.length > 0 ? median(waits) / 1e3 : 0,
    longWait: waits.length > 0 ? quantile(waits, 0.99) / 1e3 : 0,
  };
}

const rounds = LIMITS.map(() => [] as Round[]);
for (let i = 0; i < ROUNDS; i++) {
  for (const [at, limit] of LIMITS.entries()) rounds[at]?.push(await round(limit));
}
printTable(
  ['batch limit', 'interrupts a page', '1000 pages/s', 'median wait, µs', '99%, µs'],
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
        of(({ longWait }) => longWait),
        0,
      ),
    ];
  }),
  `A CPU stores while ${PAGES} pages of 4 KiB migrate back and forth (vanilla, kernel): medians (quartiles) of ${ROUNDS} rounds in turns.`,
);
