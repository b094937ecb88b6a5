import { setImmediate as turn } from 'node:timers/promises';
import { CopyEngine, MiB } from 'mtcopy';
import { expect, it } from 'vitest';
import { ATTACHED, countAttached, openRing, workerState } from '#src/copy/worker/job-ring.js';
import { errorOf } from '../support/errors.js';
import { holdThreads } from '../support/holds.js';
import { until } from '../support/machines.js';

/** Where the ring of the first engine on a memory is. */
const RING = 4 * MiB;
const THREADS = 3;

it('an engine is ready once all threads take jobs, also those that had left', async () => {
  using holds = holdThreads();
  await using engine = await CopyEngine.create({ threads: THREADS, memory: '16M' });
  const ring = openRing(engine.memory.buffer, RING);
  await until(() => countAttached(ring, THREADS) === 0);
  using last = holds.at({ operation: 'store', array: ring.words, index: workerState(2), value: ATTACHED });
  let isReady = false;
  const ready = engine.ready().then(() => {
    isReady = true;
  });
  await last.held();
  await until(() => countAttached(ring, THREADS) === THREADS - 1);
  for (let turns = 0; turns < 20; turns++) await turn();
  expect(isReady).toBe(false);
  last.go();
  await ready;
  expect(countAttached(ring, THREADS)).toBe(THREADS);
});

it('is so for threads that are more than before, and never once it is closed', async () => {
  const engine = await CopyEngine.create({ threads: 1, memory: '16M' });
  engine.threads = THREADS;
  await engine.ready();
  expect(countAttached(openRing(engine.memory.buffer, RING), THREADS)).toBe(THREADS);
  await engine.close();
  expect(await errorOf(() => engine.ready())).toMatchObject({ code: 'ESHUTDOWN' });
});
