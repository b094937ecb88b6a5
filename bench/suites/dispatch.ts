import { CopyEngine, MiB, PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { Piscina } from 'piscina';
import { allocBatch } from '../support/batches.js';
import { contest } from '../support/contest.js';
import { ratio, showRatio } from '../support/in-turns.js';
import { printTable, showSpread } from '../support/table.js';
import { verifyEach } from '../support/verify.js';

const ITERATIONS = 50;

/** The round trip of a job that is hardly one: what it costs to have other threads copy. */
export async function dispatch(): Promise<void> {
  const memory = PhysicalMemory.create({ nodes: [4 * MiB, 4 * MiB] });
  const page = allocBatch(memory, PAGE_SIZE, PAGE_SIZE, 'sequential');
  const options = { memory, minParallelBytes: 0 };
  await using helps1 = await CopyEngine.create({ ...options, threads: 1, caller: 'helps' });
  await using helps2 = await CopyEngine.create({ ...options, threads: 2, caller: 'helps' });
  await using waits1 = await CopyEngine.create({ ...options, threads: 1, caller: 'waits' });
  await using waits2 = await CopyEngine.create({ ...options, threads: 2, caller: 'waits' });
  const pool = new Piscina<void, void>({
    filename: new URL('../support/noop-task.js', import.meta.url).href,
    minThreads: 2,
    maxThreads: 2,
  });
  const engines = {
    '1+1': () => helps1.copyBatch(page),
    '2+1': () => helps2.copyBatch(page),
    '1': () => waits1.copyBatch(page),
    '2': () => waits2.copyBatch(page),
  };
  await verifyEach(memory, page, engines);
  const tasks = {
    ...engines,
    'Piscina run of a no-op': () => pool.run(),
    'Piscina, 2 runs': () => Promise.all([pool.run(), pool.run()]),
  };
  const times = await contest(tasks, { rounds: 31, iterations: ITERATIONS });
  await pool.destroy();
  const rows = Object.entries(times).map(([name, own]) => {
    const micros = own.map((ns) => ns / 1000);
    return [name, showSpread(micros), showRatio(ratio(times['Piscina run of a no-op'], own))];
  });
  printTable(
    ['threads', 'µs a round trip', 'faster than a Piscina run'],
    rows,
    `One item of 4 KiB, never inline; +1: the caller helps. Medians (quartiles) of 31 rounds of ${ITERATIONS} in turns.`,
  );
}
