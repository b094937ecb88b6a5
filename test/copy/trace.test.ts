import { tracingChannel } from 'node:diagnostics_channel';
import { CopyEngine, type CopyTrace } from 'mtcopy';
import { expect, it } from 'vitest';
import { errorOf } from '../support/errors.js';

const channel = tracingChannel<CopyTrace>('mtcopy:copy');

/** Notes the events of the channel while `run` runs. */
async function eventsOf(run: () => unknown): Promise<{ name: string; message: CopyTrace }[]> {
  const events: { name: string; message: CopyTrace }[] = [];
  const note = (name: string) => (message: unknown) => {
    events.push({ name, message: { ...(message as CopyTrace) } });
  };
  const names = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const;
  const subscribers = Object.fromEntries(names.map((name) => [name, note(name)])) as unknown as Parameters<
    typeof channel.subscribe
  >[0];
  channel.subscribe(subscribers);
  try {
    await run();
  } finally {
    channel.unsubscribe(subscribers);
  }
  return events;
}

it.each([0, Number.POSITIVE_INFINITY])('copies are traced, parallel from %d bytes', async (minParallelBytes) => {
  await using engine = await CopyEngine.create({ threads: 2, memory: '16M', minParallelBytes });
  const [to, from] = [engine.allocate(5000), engine.allocate(5000)];
  const done = expect.objectContaining({ bytes: 5000, items: 1 });
  for (const [call, run] of [
    ['copy', () => engine.copy(to, from)],
    ['copyBatch', () => engine.copyBatch([{ to, from }])],
  ] as const) {
    const events = await eventsOf(run);
    expect(events.map(({ name }) => name)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
    expect(events.every(({ message }) => message.call === call)).toBe(true);
    expect(events[3]?.message.result).toEqual(done);
  }
  for (const [call, run] of [
    ['copySync', () => engine.copySync(to, from)],
    ['copyBatchSync', () => engine.copyBatchSync([{ to, from }])],
  ] as const) {
    const events = await eventsOf(run);
    expect(events.map(({ name }) => name)).toEqual(['start', 'end']);
    expect(events[1]?.message).toMatchObject({ call, result: done });
  }
});

it('fills and compares are traced: what is equal before a difference counts', async () => {
  await using engine = await CopyEngine.create({ threads: 1, memory: '16M' });
  const [a, b] = [engine.allocate(5000), engine.allocate(5000)];
  b[300] = 1;
  for (const [call, run, bytes] of [
    ['compare', () => engine.compare(a, b), 300],
    ['compareSync', () => engine.compareSync(a, b), 300],
    ['fill', () => engine.fill(b, 0), 5000],
    ['fillSync', () => engine.fillSync(b, 0), 5000],
    ['compare', () => engine.compare(a, b), 5000],
  ] as const) {
    const last = (await eventsOf(run)).at(-1);
    expect(last?.message).toMatchObject({ call, result: { bytes, items: 1, failed: [] } });
  }
});

it('errors are traced', async () => {
  await using engine = await CopyEngine.create({ threads: 2, memory: '16M' });
  const [to, from] = [engine.allocate(10), engine.allocate(11)];
  const refused = expect.objectContaining({ code: 'EINVAL' });
  const sync = await eventsOf(() => errorOf(() => engine.copySync(to, from)));
  expect(sync.find(({ name }) => name === 'error')?.message).toMatchObject({ call: 'copySync', error: refused });
  const async = await eventsOf(() => errorOf(() => engine.copy(to, from)));
  expect(async.find(({ name }) => name === 'error')?.message).toMatchObject({ call: 'copy', error: refused });
  expect(async.some(({ message }) => message.result)).toBe(false);
});

it('nothing is published without subscribers', async () => {
  await using engine = await CopyEngine.create({ threads: 2, memory: '16M' });
  const [to, from] = [engine.allocate(10), engine.allocate(10)];
  let published = 0;
  const prototype = Object.getPrototypeOf(channel.start) as { publish: (message: unknown) => void };
  const { publish } = prototype;
  prototype.publish = (message) => {
    published++;
    return publish.call(channel.start, message);
  };
  try {
    await engine.copy(to, from);
    engine.copySync(to, from);
  } finally {
    prototype.publish = publish;
  }
  expect(published).toBe(0);
});
