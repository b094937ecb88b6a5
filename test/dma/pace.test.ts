import fc from 'fast-check';
import { PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { afterEach, expect, it, vi } from 'vitest';
import { DmaEngine } from '#src/dma/engine.js';
import { createPacer } from '#src/dma/worker/pacer.js';
import { DONE, openRing, SEQUENCE_MASK } from '#src/dma/worker/ring.js';
import { until } from '../support/machines.js';

afterEach(() => vi.restoreAllMocks());

/** A clock that tests set, in milliseconds. */
function stopClock(): { now: number } {
  const clock = { now: 1000 };
  vi.spyOn(performance, 'now').mockImplementation(() => clock.now);
  return clock;
}

function takeDue(pacer: ReturnType<typeof createPacer>): number[] {
  const taken: number[] = [];
  for (let sequence = pacer.due(); sequence >= 0; sequence = pacer.due()) {
    taken.push(sequence);
    pacer.take();
  }
  return taken;
}

it('a descriptor’s time comes after its cost and its bytes, and after those before it', () => {
  const clock = stopClock();
  const pacer = createPacer({ bandwidth: 1e9, descriptorNs: 500_000 }, 8);
  pacer.wake(clock.now);
  pacer.add(1, 11, 1e6);
  pacer.add(2, 12, 2e6);
  clock.now = 1001.4999;
  expect(pacer.due()).toBe(-1);
  clock.now = 1001.5001;
  expect(takeDue(pacer)).toEqual([1]);
  clock.now = 1003.9999;
  expect(pacer.due()).toBe(-1);
  clock.now = 1004.0001;
  expect(pacer.due()).toBe(2);
  expect(pacer.take()).toBe(12);
  expect(pacer.count).toBe(0);
});

it('a thread that sleeps too long, or copies too slowly, makes the device no slower', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 1, maxLength: 200 }), (lateUs) => {
      const clock = stopClock();
      const pacer = createPacer({ bandwidth: Number.POSITIVE_INFINITY, descriptorNs: 1e6 }, 256);
      pacer.wake(clock.now);
      let added = 0;
      for (const late of lateUs) {
        pacer.add(added++, 1, 4096);
        clock.now += late / 1000;
        takeDue(pacer);
      }
      // All were there from the start: they are complete when as many times the cost are over.
      clock.now = Math.max(clock.now, 1000 + added + 0.001);
      takeDue(pacer);
      expect(pacer.count).toBe(0);
      vi.restoreAllMocks();
    }),
  );
});

it('a channel that was idle begins when it was given something, and has saved up nothing', () => {
  const clock = stopClock();
  const pacer = createPacer({ bandwidth: Number.POSITIVE_INFINITY, descriptorNs: 1e6 }, 8);
  pacer.wake(clock.now);
  pacer.add(1, 1, 0);
  clock.now = 1050;
  takeDue(pacer);
  // Given at 1049.5, noticed at 1050.
  pacer.wake(1049.5);
  pacer.add(2, 1, 0);
  clock.now = 1050.4999;
  expect(pacer.due()).toBe(-1);
  clock.now = 1050.5001;
  expect(takeDue(pacer)).toEqual([2]);
});

it('a thread may sleep until shortly before the last is due, and looks at the clock then', () => {
  const clock = stopClock();
  const pacer = createPacer({ bandwidth: Number.POSITIVE_INFINITY, descriptorNs: 1e6 }, 8);
  pacer.wake(clock.now);
  pacer.add(1, 1, 0);
  expect(pacer.sleepMs()).toBeGreaterThan(0.5);
  expect(pacer.sleepMs()).toBeLessThan(1);
  pacer.add(2, 1, 0);
  expect(pacer.sleepMs()).toBeCloseTo(1);
  clock.now = 1001.95;
  expect(pacer.sleepMs()).toBe(0);
});

it('without a speed there is no pace', () => {
  expect(createPacer({ bandwidth: Number.POSITIVE_INFINITY, descriptorNs: 0 }, 8).isPaced).toBe(false);
  expect(createPacer({ bandwidth: 1e9, descriptorNs: 0 }, 8).isPaced).toBe(true);
});

it('a channel is idle once all is complete, though nobody has looked', async () => {
  const memory = PhysicalMemory.create({ nodes: ['4M'] });
  const [to, from] = memory.allocFolios(2, 0).map((pfn) => pfn * PAGE_SIZE);
  // Sequence numbers begin anew in the middle of it.
  await using engine = await DmaEngine.create({ memory, channels: 1, firstSequence: SEQUENCE_MASK - 2 });
  const channel = engine.request();
  const { issuedMs, words } = openRing(channel.words.buffer as SharedArrayBuffer, engine.device.queueDepth);
  const first = Atomics.load(words, DONE);
  const issue = () => {
    channel.submit(channel.prepMemcpy(to, from, PAGE_SIZE));
    channel.issuePending();
    return issuedMs[0];
  };
  let before = 0;
  for (let count = 1; count <= 6; count++) {
    const issued = issue();
    expect(issued).toBeGreaterThan(before);
    before = issued;
    await until(() => Atomics.load(words, DONE) === first + count);
  }
  expect(channel.inFlight).toBe(6);
  engine.faults = { descriptor: () => 'silence' };
  const busy = issue();
  expect([issue(), issue()]).toEqual([busy, busy]);
  await channel.terminate();
  expect([channel.inFlight, issue() > busy]).toEqual([0, true]);
  await channel.terminate();
});
