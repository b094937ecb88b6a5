import { Wrong } from '../../scenario.js';
import type { RingScenario, World } from '../scenario.js';

const ENGINE = { method: 'memory.copy', caller: 'waits', threads: 2 } as const;

/** Calls that leave the caller's event loop free, and what it does meanwhile. */
export const ASYNCHRONOUS: readonly RingScenario[] = [
  {
    name: 'asynchronous, dynamic, 2 workers',
    options: ENGINE,
    async run({ engine, batch, check }) {
      const items = batch(2);
      check(items, await engine.copyBatch(items));
    },
  },
  {
    name: 'asynchronous, dynamic, helps, 1 worker',
    options: { ...ENGINE, threads: 1, caller: 'helps' },
    async run({ engine, batch, check }) {
      const items = batch(2);
      check(items, await engine.copyBatch(items));
    },
  },
  {
    name: 'asynchronous, static, helps, 1 worker',
    options: { ...ENGINE, threads: 1, caller: 'helps', schedule: 'static' },
    async run({ engine, batch, check }) {
      const items = batch(2);
      check(items, await engine.copyBatch(items));
    },
  },
  {
    name: 'two calls in flight, dynamic, 1 worker',
    options: { ...ENGINE, threads: 1 },
    slots: 2,
    async run({ engine, batch, check }) {
      const [first, second] = [batch(1), batch(1)];
      const copying = [engine.copyBatch(first), engine.copyBatch(second)];
      check(first, await copying[0]);
      check(second, await copying[1]);
    },
  },
  {
    name: 'a blocking call beside an asynchronous one, 1 worker',
    options: { ...ENGINE, threads: 1 },
    slots: 2,
    async run({ engine, batch, check }) {
      const [first, second] = [batch(1), batch(1)];
      const copying = engine.copyBatch(first);
      check(second, engine.copyBatchSync(second));
      check(first, await copying);
    },
  },
  {
    name: 'more calls than slots, 1 worker',
    options: { ...ENGINE, threads: 1 },
    slots: 8,
    async run({ engine, batch, check }) {
      const batches = Array.from({ length: 10 }, () => batch(1));
      const copying = batches.map((items) => engine.copyBatch(items));
      for (const [i, items] of batches.entries()) check(items, await copying[i]);
    },
  },
  {
    name: 'a blocking call that finds no slot, 1 worker',
    options: { ...ENGINE, threads: 1 },
    slots: 8,
    async run({ engine, batch, check, later }) {
      const batches = Array.from({ length: 8 }, () => batch(1));
      const copying = batches.map((items) => engine.copyBatch(items));
      const last = batch(1);
      await later(() => check(last, engine.copyBatchSync(last)));
      for (const [i, items] of batches.entries()) check(items, await copying[i]);
    },
  },
  {
    name: 'foreign buffers, 1 worker',
    options: { ...ENGINE, threads: 1, method: 'typed-array' },
    async run({ engine, foreign, checkForeign }) {
      const pairs = foreign(1);
      checkForeign(pairs, await engine.copyBatch(pairs));
    },
  },
  {
    name: 'foreign buffers, static, lowered and raised',
    options: { ...ENGINE, method: 'typed-array', schedule: 'static' },
    async run({ engine, foreign, checkForeign, later }) {
      const pairs = foreign(2);
      const copying = engine.copyBatch(pairs);
      const lowered = later(() => {
        engine.threads = 1;
      });
      checkForeign(pairs, await copying);
      await lowered;
      engine.threads = 2;
      await engine.ready();
    },
  },
  {
    name: 'foreign buffers for a worker that comes, 1 worker',
    options: { ...ENGINE, threads: 1, method: 'typed-array' },
    async run({ engine, foreign, checkForeign, rest }) {
      rest();
      const pairs = foreign(1);
      checkForeign(pairs, await engine.copyBatch(pairs));
      await engine.ready();
    },
  },
  {
    name: 'abort, 1 worker',
    options: { ...ENGINE, threads: 1, method: 'typed-array' },
    async run({ engine, batch, checkCopied, later }) {
      const items = batch(2);
      const controller = new AbortController();
      const copying = engine.copyBatch(items, { signal: controller.signal });
      later(() => controller.abort());
      const { failed } = await copying.catch((error) => {
        if (error?.code !== 'ABORT_ERR') throw error;
        return error.result;
      });
      for (const { code } of failed) if (code !== 'ECANCELED') throw new Wrong(`an item failed with ${code}`);
      checkCopied(items, failed);
    },
  },
  {
    name: 'abort, and another call',
    options: { ...ENGINE, threads: 1, method: 'typed-array' },
    async run({ engine, batch, check, later }) {
      const [first, second] = [batch(1), batch(1)];
      const controller = new AbortController();
      const copying = engine.copyBatch(first, { signal: controller.signal });
      later(() => controller.abort());
      await copying.catch(() => {});
      check(second, await engine.copyBatch(second));
    },
  },
  {
    name: 'lowered twice',
    options: ENGINE,
    async run({ engine, batch, check, later }) {
      const items = batch(1);
      const copying = engine.copyBatch(items);
      const lowered = later(() => {
        engine.threads = 1;
      });
      check(items, await copying);
      engine.threads = 1;
      await lowered;
      engine.threads = 2;
      await engine.ready();
    },
  },
  {
    name: 'lowered and raised in mid-batch, dynamic',
    options: ENGINE,
    run: lowerAndRaise,
  },
  {
    name: 'lowered and raised in mid-batch, static',
    options: { ...ENGINE, schedule: 'static' },
    async run({ engine, batch, check, later }) {
      const items = batch(2);
      const copying = engine.copyBatch(items);
      const lowered = later(() => {
        engine.threads = 1;
      });
      const raised = later(() => {
        engine.threads = 2;
      });
      check(items, await copying);
      await lowered;
      await raised;
      await engine.ready();
    },
  },
  {
    name: 'closed with a call in flight, 2 workers',
    options: ENGINE,
    closes: true,
    async run({ engine, batch, check, later, afterClose }) {
      const items = batch(2);
      const copying = engine.copyBatch(items);
      let closing = Promise.resolve();
      await later(() => {
        closing = engine.close();
      });
      check(items, await copying);
      await closing;
      afterClose();
    },
  },
  {
    name: 'parked, and back for a call that blocks',
    options: { ...ENGINE, threads: 1 },
    async run({ engine, rest, batch, check }) {
      rest();
      const items = batch(1);
      check(items, engine.copyBatchSync(items));
      await engine.ready();
    },
  },
  {
    name: 'parked, and back for one that does not',
    options: { ...ENGINE, threads: 1 },
    async run({ engine, rest, batch, check }) {
      rest();
      const items = batch(1);
      check(items, await engine.copyBatch(items));
      await engine.ready();
    },
  },
];

/** Has one of two workers leave while a batch is copied, and come back. */
export async function lowerAndRaise({ engine, batch, check, later }: World): Promise<void> {
  const items = batch(2);
  const copying = engine.copyBatch(items);
  const lowered = later(() => {
    engine.threads = 1;
  });
  check(items, await copying);
  await lowered;
  engine.threads = 2;
  await engine.ready();
}
