import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Machine, PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { expect, it } from 'vitest';
import { METHOD_MEMORY_COPY, OPERATION_COPY, openRing, publishJob, RING_PAGES } from '#src/copy/worker/job-ring.js';
import { copyUnit, type Held, NO_LIMIT, type Participant } from '#src/copy/worker/participate.js';
import { DmaEngine } from '#src/dma/engine.js';
import { startRecording } from '#src/trace/recording.js';
import { createRings, createTraceReader, createTraceWriter, type TraceWriter } from '#src/trace/ring.js';
import { until } from '../support/machines.js';
import { countStretches } from '../support/stretches.js';

const UNITS = 16_384;
/** Jobs of so many units that are measured: what else is on the heap is little beside a number for each. */
const JOBS = 8;
/** Bursts that a DMA channel is given, and descriptors of one: as many as its queue has room for. */
const BURSTS = 10;
const DESCRIPTORS = 1024;

/** What so many units cost a worker beside its copies: looks at the clock, and bytes on its heap. */
function costOf(trace: TraceWriter | undefined, drain = () => {}): { readonly looks: number; readonly bytes: number } {
  const ring = openRing(new SharedArrayBuffer(RING_PAGES * PAGE_SIZE), 0);
  const [slot] = ring.slots;
  if (!slot) throw new Error('no slot');
  const participant: Participant = {
    index: 0,
    ring,
    isStatic: false,
    copyRange: (_, _first, end) => end,
    clock: { wake() {}, start() {}, stop: () => 1 },
    trace,
  };
  const held: Held = { unit: -1, next: 0, end: 0 };
  const run = (sequence: number) => {
    const job = {
      units: UNITS,
      perUnit: 1,
      count: UNITS,
      method: METHOD_MEMORY_COPY,
      operation: OPERATION_COPY,
      byte: 0,
      helps: false,
      sequence,
    };
    publishJob(ring, slot, job);
    while (copyUnit(participant, slot, held, NO_LIMIT));
  };
  // By then the code is compiled.
  for (let warmUp = 0; warmUp < 20; warmUp++) run(warmUp);
  drain();
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { now } = performance;
  let looks = 0;
  performance.now = () => {
    looks++;
    return now.call(performance);
  };
  try {
    const before = getHeapStatistics().used_heap_size;
    for (let job = 0; job < JOBS; job++) run(1000 + job);
    return { bytes: getHeapStatistics().used_heap_size - before, looks };
  } finally {
    performance.now = now;
  }
}

it('a unit takes no look at the clock and nothing of the heap for a trace that nobody makes', () => {
  const off = costOf(undefined);
  expect(off.looks).toBe(0);
  // A number on the heap takes 12 bytes: not one a unit.
  expect(off.bytes).toBeLessThan(4 * JOBS * UNITS);
  // The same with a trace, so that this can fail.
  const rings = createRings(1);
  const reader = createTraceReader(rings, 0);
  const on = costOf(createTraceWriter({ rings, epochMs: 0 }, 0), () => void reader.drain(() => {}));
  expect(on.looks).toBeGreaterThan(0);
});

/** What bursts of so many descriptors cost a channel's thread beside its copies, a burst in the mean. */
async function costOfBursts(descriptors: number): Promise<{ readonly looks: number; readonly bytes: number }> {
  using stretches = countStretches();
  const memory = PhysicalMemory.create({ nodes: ['1M'] });
  const [to, from] = Array.from(memory.allocFolios(2, 0), (pfn) => pfn * PAGE_SIZE);
  await using engine = await DmaEngine.create({ memory, device: 'sdxi' });
  const channel = engine.request();
  const burst = async () => {
    const { rests } = stretches.sums;
    for (let i = 1; i <= descriptors; i++) channel.submit(channel.prepMemcpy(to, from, 8, i === descriptors));
    channel.issuePending();
    while (channel.inFlight > 0) await channel.completions(10_000);
    await until(() => stretches.sums.rests > rests);
  };
  // By then the code is compiled.
  for (let warmUp = 0; warmUp < 40; warmUp++) await burst();
  const before = stretches.sums;
  for (let i = 0; i < BURSTS; i++) await burst();
  const after = stretches.sums;
  expect(after.rests - before.rests).toBe(BURSTS);
  return { looks: (after.looks - before.looks) / BURSTS, bytes: (after.bytes - before.bytes) / BURSTS };
}

it('a descriptor of a DMA channel takes no look at the clock and nothing of the heap for a trace that nobody makes', async () => {
  const one = await costOfBursts(1);
  const many = await costOfBursts(DESCRIPTORS);
  expect(many.looks).toBe(one.looks);
  // A number on the heap takes 12 bytes: not one a descriptor.
  expect(many.bytes - one.bytes).toBeLessThan(4 * DESCRIPTORS);
  // The same with a trace, so that this can fail: a burst is a slice.
  const recording = startRecording();
  expect((await costOfBursts(DESCRIPTORS)).looks).toBe(one.looks + 2);
  recording.stop();
});

it('threads get rings only while somebody records', async () => {
  const Real = globalThis.SharedArrayBuffer;
  const sizes: number[] = [];
  globalThis.SharedArrayBuffer = class extends Real {
    constructor(bytes: number, options?: { maxByteLength?: number }) {
      super(bytes, options);
      sizes.push(this.byteLength);
    }
  } as typeof Real;
  const ringsOf = (count: number) => {
    const size = createRings(count).byteLength;
    sizes.pop();
    return size;
  };
  const bootAndMove = async () => {
    sizes.length = 0;
    await using machine = await Machine.boot({ nodes: ['4M', '4M'], cpus: 2, threads: 1 });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '1M', populate: true });
    for (const migrator of ['mtcopy', 'dcbm'] as const) {
      await machine.movePages(mm, area.folios(), { node: migrator === 'mtcopy' ? 1 : 0, migrator });
    }
    return [...sizes];
  };
  try {
    const own = [ringsOf(64), ringsOf(2)];
    const off = await bootAndMove();
    const recording = startRecording();
    const on = await bootAndMove();
    recording.stop();
    expect(await bootAndMove()).toEqual(off);
    expect(off.filter((size) => own.includes(size))).toEqual([]);
    // For copy threads, CPUs, and DMA channels.
    expect(on.length).toBe(off.length + 3);
    expect(own.every((size) => on.includes(size))).toBe(true);
  } finally {
    globalThis.SharedArrayBuffer = Real;
  }
});
