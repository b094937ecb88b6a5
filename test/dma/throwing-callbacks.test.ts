import { PhysicalMemory } from 'mtcopy';
import { expect, it } from 'vitest';
import { DmaEngine } from '#src/dma/engine.js';
import { errorOf } from '../support/errors.js';
import { until } from '../support/machines.js';
import { watchWorkers } from '../support/threads.js';

const memory = PhysicalMemory.create({ nodes: ['8M'] });
const [to, from] = memory.allocFolios(2, 0).map((pfn) => pfn * 4096);

/** A channel whose thread is there, and three descriptors of it, the callbacks of which throw their cookies. */
async function open(fault: 'none' | 'silence' | 'throw') {
  const engine = await DmaEngine.create({ memory, channels: 1 });
  const channel = engine.request();
  await channel.ready();
  engine.faults = { descriptor: () => fault };
  const called: number[] = [];
  const submit = () =>
    channel.submit(
      channel.prepMemcpy(to, from, 4096, true, (cookie) => {
        called.push(cookie);
        throw new Error(`callback ${cookie}`);
      }),
    );
  for (let i = 0; i < 3; i++) submit();
  return { engine, channel, called, submit, [Symbol.asyncDispose]: () => engine.close() };
}

it('terminating calls all of them back, then throws what the first has thrown, once', async () => {
  await using made = await open('silence');
  const { engine, channel, called } = made;
  channel.issuePending();
  expect(await errorOf(() => channel.terminate())).toEqual(new Error('callback 1'));
  expect([called, channel.inFlight]).toEqual([[1, 2, 3], 0]);
  await channel.terminate();
  engine.release(channel);
});

it.each(['completions', 'poll', 'terminate'] as const)(
  'what they throw as their thread is lost, with nobody waiting, comes out of the next %s',
  async (next) => {
    await using made = await open('throw');
    const { engine, channel, called, submit } = made;
    channel.issuePending();
    await until(() => called.length > 0, 10_000);
    expect([called, channel.inFlight]).toEqual([[1, 2, 3], 0]);
    expect(await errorOf(() => channel[next](10_000))).toEqual(new Error('callback 1'));
    expect(await channel.completions(10_000)).toBe(false);
    engine.faults = undefined;
    submit();
    channel.issuePending();
    expect(await errorOf(() => channel.completions(10_000))).toEqual(new Error('callback 4'));
    engine.release(channel);
  },
);

it('what they throw as their thread is lost comes out of a wait', async () => {
  await using made = await open('throw');
  const { channel, called } = made;
  channel.issuePending();
  expect(await errorOf(() => channel.completions(10_000))).toEqual(new Error('callback 1'));
  expect([called, channel.inFlight]).toEqual([[1, 2, 3], 0]);
});

it('what they have thrown is nothing to who requests the channel next', async () => {
  await using made = await open('throw');
  const { engine, channel, called } = made;
  channel.issuePending();
  await until(() => called.length > 0, 10_000);
  engine.release(channel);
  expect(engine.request()).toBe(channel);
  expect(await channel.completions(10_000)).toBe(false);
});

it('closing the engine calls all of them back, and ends all threads whatever they throw', async () => {
  using workers = watchWorkers();
  const { engine, channel, called } = await open('silence');
  channel.issuePending();
  const waiting = errorOf(() => channel.completions(10_000));
  await engine.close();
  expect(await waiting).toEqual(new Error('callback 1'));
  expect([called, channel.inFlight, workers.alive.size]).toEqual([[1, 2, 3], 0, 0]);
});
