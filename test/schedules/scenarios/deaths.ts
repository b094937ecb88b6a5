import type { Scenario } from '../scenario.js';

const ENGINE = { method: 'memory.copy', caller: 'waits', threads: 2 } as const;

/** A worker that dies, at each of its operations. */
export const DEATHS: readonly Scenario[] = [
  {
    name: 'death, blocking, dynamic',
    options: ENGINE,
    dies: true,
    run({ engine, batch, check }) {
      const items = batch(3);
      check(items, engine.copyBatchSync(items));
    },
  },
  {
    name: 'death, blocking, static',
    options: { ...ENGINE, schedule: 'static' },
    dies: true,
    run({ engine, batch, check }) {
      const items = batch(3);
      check(items, engine.copyBatchSync(items));
    },
  },
  {
    name: 'death, asynchronous, dynamic',
    options: ENGINE,
    dies: true,
    async run({ engine, batch, check }) {
      const items = batch(3);
      check(items, await engine.copyBatch(items));
    },
  },
];
