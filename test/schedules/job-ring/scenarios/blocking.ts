import type { RingScenario } from '../scenario.js';

const ENGINE = { method: 'memory.copy', caller: 'waits' } as const;

/** Calls that block: the caller publishes, waits or helps, and collects. */
export const BLOCKING: readonly RingScenario[] = [
  {
    name: 'blocking, dynamic, 1 worker',
    options: { ...ENGINE, threads: 1 },
    run({ engine, batch, check }) {
      const items = batch(2);
      check(items, engine.copyBatchSync(items));
    },
  },
  {
    name: 'blocking, dynamic, 2 workers',
    options: { ...ENGINE, threads: 2 },
    run({ engine, batch, check }) {
      const items = batch(2);
      check(items, engine.copyBatchSync(items));
    },
  },
  {
    name: 'blocking, dynamic, 3 workers',
    options: { ...ENGINE, threads: 3 },
    run({ engine, batch, check }) {
      const items = batch(3);
      check(items, engine.copyBatchSync(items));
    },
  },
  {
    name: 'blocking, dynamic, helps, 1 worker',
    options: { ...ENGINE, threads: 1, caller: 'helps' },
    run({ engine, batch, check }) {
      const items = batch(2);
      check(items, engine.copyBatchSync(items));
    },
  },
  {
    name: 'blocking, dynamic, helps, typed arrays',
    options: { ...ENGINE, threads: 2, caller: 'helps', method: 'typed-array' },
    run({ engine, batch, check }) {
      const items = batch(3);
      check(items, engine.copyBatchSync(items));
    },
  },
  {
    name: 'blocking, static, 2 workers',
    options: { ...ENGINE, threads: 2, schedule: 'static' },
    run({ engine, batch, check }) {
      const items = batch(2);
      check(items, engine.copyBatchSync(items));
    },
  },
  {
    name: 'blocking, static, helps, 2 workers',
    options: { ...ENGINE, threads: 2, schedule: 'static', caller: 'helps' },
    run({ engine, batch, check }) {
      const items = batch(3);
      check(items, engine.copyBatchSync(items));
    },
  },
  {
    name: 'blocking, impatient, dynamic, 2 workers',
    options: { ...ENGINE, threads: 2 },
    isImpatient: true,
    run({ engine, batch, check }) {
      const items = batch(2);
      check(items, engine.copyBatchSync(items));
    },
  },
  {
    name: 'blocking, impatient, foreign buffers, 1 worker',
    options: { ...ENGINE, threads: 1, method: 'typed-array' },
    isImpatient: true,
    run({ engine, foreign, checkForeign }) {
      const pairs = foreign(1);
      checkForeign(pairs, engine.copyBatchSync(pairs));
    },
  },
  {
    // A worker that is late with the first job draws tickets, and claims units, of the second.
    name: 'slot reuse, dynamic, 1 worker',
    options: { ...ENGINE, threads: 1 },
    run({ engine, batch, check }) {
      for (const units of [1, 2]) {
        const items = batch(units);
        check(items, engine.copyBatchSync(items));
      }
    },
  },
  {
    name: 'slot reuse, dynamic, 2 workers',
    options: { ...ENGINE, threads: 2 },
    run({ engine, batch, check }) {
      for (const units of [1, 2]) {
        const items = batch(units);
        check(items, engine.copyBatchSync(items));
      }
    },
  },
  {
    // A worker that was woken for the first job, and comes when the second is being published.
    name: 'slot reuse, helps and then waits, 1 worker',
    options: { ...ENGINE, threads: 1 },
    run({ engine, batch, check }) {
      for (const caller of ['helps', 'waits'] as const) {
        const items = batch(1);
        check(items, engine.copyBatchSync(items, { caller }));
      }
    },
  },
  {
    name: 'slot reuse, static, 2 workers',
    options: { ...ENGINE, threads: 2, schedule: 'static' },
    run({ engine, batch, check }) {
      for (const units of [2, 2]) {
        const items = batch(units);
        check(items, engine.copyBatchSync(items));
      }
    },
  },
];
