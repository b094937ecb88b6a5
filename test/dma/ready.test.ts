import { PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { expect, it } from 'vitest';
import type { DmaChannel } from '#src/dma/channel.js';
import { DmaEngine } from '#src/dma/engine.js';
import { DETACHED, STATE } from '#src/dma/worker/ring.js';
import { errno, errorOf } from '../support/errors.js';
import { watchWorkers } from '../support/threads.js';

const memory = PhysicalMemory.create({ nodes: ['4M'] });

/** Has a channel's thread leave, and returns before this thread has had a turn in which to hear of that. */
function leave(channel: DmaChannel): void {
  channel.rest();
  for (;;) {
    const state = Atomics.load(channel.words, STATE);
    if (state === DETACHED) return;
    Atomics.wait(channel.words, STATE, state, 1000);
  }
}

it('a channel whose thread has just gone to rest is ready once that serves again', async () => {
  await using engine = await DmaEngine.create({ memory, channels: 1 });
  const channel = engine.request();
  for (let round = 0; round < 5; round++) {
    await channel.ready();
    expect(Atomics.load(channel.words, STATE)).not.toBe(DETACHED);
    leave(channel);
  }
  await channel.ready();
  expect(Atomics.load(channel.words, STATE)).not.toBe(DETACHED);
  engine.release(channel);
});

it('one whose thread is ended for its silence is ready with another', async () => {
  await using engine = await DmaEngine.create({ memory, channels: 1 });
  const channel = engine.request();
  await channel.ready();
  engine.faults = { descriptor: () => 'silence' };
  channel.submit(channel.prepMemcpy(0, PAGE_SIZE, PAGE_SIZE));
  channel.issuePending();
  let isTerminated = false;
  const terminating = channel.terminate().then(() => {
    isTerminated = true;
  });
  const calls: Promise<void>[] = [];
  while (!isTerminated) {
    calls.push(channel.ready());
    await new Promise(setImmediate);
  }
  await Promise.all([terminating, ...calls]);
  await channel.ready();
  expect(Atomics.load(channel.words, STATE)).not.toBe(DETACHED);
  engine.release(channel);
});

it('one that is closed meanwhile is not: ESHUTDOWN', async () => {
  using workers = watchWorkers();
  const engine = await DmaEngine.create({ memory, channels: 1 });
  const channel = engine.request();
  await channel.ready();
  leave(channel);
  const outcome = errorOf(() => channel.ready());
  await engine.close();
  expect([await outcome, await errorOf(() => channel.ready())]).toEqual([errno('ESHUTDOWN'), errno('ESHUTDOWN')]);
  expect(workers.alive.size).toBe(0);
});
