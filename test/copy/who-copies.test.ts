import { type CallerMode, CopyEngine, MiB, type Schedule } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { fillRandom, isSame } from '../support/bytes.js';
import { errorOf } from '../support/errors.js';
import { watchWorkers } from '../support/threads.js';

const BYTES = 24 * MiB;

async function open(caller: CallerMode, schedule: Schedule = 'static') {
  const engine = await CopyEngine.create({ caller, schedule, threads: 2, memory: '64M', minParallelBytes: 0 });
  const [to, from] = [engine.allocate(BYTES), engine.allocate(BYTES)];
  fillRandom(from, 1);
  return { engine, to, from };
}

/** The most threads of some copies: with static lists each participant has one, unless it comes too late. */
async function participants(copy: () => { threads: number } | Promise<{ threads: number }>, wanted: number) {
  let most = 0;
  for (let call = 0; call < 2000 && (most < wanted || call < 20); call++) most = Math.max(most, (await copy()).threads);
  return most;
}

describe.each([
  ['auto', 2, 3],
  ['helps', 3, 3],
  ['waits', 2, 2],
] as const)('with two worker threads and caller %s', (caller, inAsync, inSync) => {
  it(`an asynchronous call has ${inAsync} participants, a blocking one ${inSync}`, async () => {
    const { engine, to, from } = await open(caller);
    await using _ = engine;
    expect(await participants(() => engine.copy(to, from), inAsync)).toBe(inAsync);
    expect(await participants(() => engine.copySync(to, from), inSync)).toBe(inSync);
    expect(isSame(to, from)).toBe(true);
  });

  it('a call may say otherwise', async () => {
    const { engine, to, from } = await open(caller);
    await using _ = engine;
    const pairs = [{ to, from }];
    expect(await participants(() => engine.copy(to, from, { caller: 'helps' }), 3)).toBe(3);
    expect(await participants(() => engine.copyBatch(pairs, { caller: 'waits' }), 2)).toBe(2);
    expect(await participants(() => engine.copySync(to, from, { caller: 'waits' }), 2)).toBe(2);
    expect(await participants(() => engine.copyBatchSync(pairs, { caller: 'helps' }), 3)).toBe(3);
    expect(await participants(() => engine.copy(to, from, { caller: 'auto' }), 2)).toBe(2);
    expect(await participants(() => engine.copySync(to, from, { caller: 'auto' }), 3)).toBe(3);
  });
});

it('auto leaves a core to the event loop', async () => {
  using workers = watchWorkers();
  await using engine = await CopyEngine.create({ memory: '16M' });
  expect(engine.threads).toBeGreaterThanOrEqual(1);
  expect(engine.threads).toBeLessThanOrEqual(8);
  expect(workers.alive.size).toBe(engine.threads);
});

it.each([
  ['copy', { Signal: AbortSignal.abort() }, "options: must be caller, stores, signal, got 'Signal'"],
  ['copy', { caller: 'later' }, "caller: must be 'auto' or 'waits' or 'helps', got 'later'"],
  ['copySync', { signal: AbortSignal.abort() }, "options: must be caller, stores, got 'signal'"],
  ['copySync', null, 'options: must be an object, got null'],
] as const)('%s refuses the options %j, and copies nothing', async (call, options, message) => {
  await using engine = await CopyEngine.create({ memory: '16M', threads: 1 });
  const [to, from] = [engine.allocate(4096), engine.allocate(4096)];
  fillRandom(from, 1);
  const error = await errorOf(() => engine[call](to, from, options as object));
  expect(error).toMatchObject({ code: 'EINVAL', message: `EINVAL: ${message}` });
  expect(to.every((byte) => byte === 0)).toBe(true);
});
