import { formatSize, KiB, MiB } from 'mtcopy';
import { addThroughputTasks } from 'mtcopy/experiments';
import { Bench } from 'tinybench';
import { passesInTurns } from '../support/contest.js';
import { ratio, showRatio } from '../support/in-turns.js';
import { printTable, showSpeed } from '../support/table.js';

const TOTAL = 64 * MiB;
const ROUNDS = 7;
const ITERATIONS = 3;
const THREADS = 2;

/** The published throughput tables' ways to migrate, by the size of folios. */
export async function migrations(): Promise<void> {
  const rows: string[][] = [];
  for (const folioBytes of [4 * KiB, 2 * MiB]) {
    // A task's preparation has moved everything before.
    const bench = new Bench({ time: 0, iterations: ITERATIONS, warmup: false, throws: true });
    const [baseline, ...others] = addThroughputTasks(bench, {
      total: TOTAL,
      folioBytes: [folioBytes],
      counts: [THREADS],
    });
    const times = await passesInTurns<string>(bench, ROUNDS);
    for (const name of [baseline, ...others]) {
      const [size, ...mover] = name.split(' ');
      rows.push([size, mover.join(' '), showSpeed(TOTAL, times[name]), showRatio(ratio(times[baseline], times[name]))]);
    }
  }
  printTable(
    ['folios', 'moved by', 'GB/s', 'over the baseline'],
    rows,
    `${formatSize(TOTAL)} moved by move_pages. Throughput, and how many times that of the baseline: medians (quartiles) of ${ROUNDS} rounds of ${ITERATIONS} in turns, each on a machine of its own.`,
  );
}
