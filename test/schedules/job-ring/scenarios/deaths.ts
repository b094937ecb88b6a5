import type { RingScenario } from '../scenario.js';
import { lowerAndRaise } from './asynchronous.js';

const ENGINE = { method: 'memory.copy', caller: 'waits', threads: 2 } as const;

/** A worker that dies, at each of its operations. */
export const DEATHS: readonly RingScenario[] = [
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
  {
    name: 'death, blocking, helps, dynamic',
    options: { ...ENGINE, caller: 'helps' },
    dies: true,
    run({ engine, batch, check }) {
      for (const units of [2, 3]) {
        const items = batch(units);
        check(items, engine.copyBatchSync(items));
      }
    },
  },
  {
    name: 'death, asynchronous, static, two calls',
    options: { ...ENGINE, schedule: 'static' },
    slots: 2,
    dies: true,
    async run({ engine, batch, check }) {
      const [first, second] = [batch(2), batch(2)];
      const copying = [engine.copyBatch(first), engine.copyBatch(second)];
      check(first, await copying[0]);
      check(second, await copying[1]);
    },
  },
  {
    name: 'death, lowered and raised',
    options: ENGINE,
    dies: true,
    run: lowerAndRaise,
  },
];
