import { isMainThread, workerData } from 'node:worker_threads';
import { ATTACHED, createRing, DETACHED } from '../../../src/dma/worker/ring.js';
import type { ChannelSetup } from '../../../src/dma/worker/serve.js';
import type { ThreadData } from '../../../src/threads/pool.js';
import { ACTIVE, type Control, look, timeOf } from '../control.js';
import type { Protocol } from '../protocol.js';
import { watchCopies } from './copies.js';
import { brokenBy, FAILURES } from './invariants.js';
import { dmaWord, isTarget, nameOf } from './words.js';

/** Bytes of rings of few places. */
const RING_BYTES = new Set([1, 2, 4, 8].map((places) => createRing(places).buffer.byteLength));

/** Where the words of the IOMMU are. Piscina has buffers as small. */
let iommu: ArrayBufferLike | undefined = isMainThread
  ? undefined
  : (workerData as Partial<ThreadData<ChannelSetup>>).setup?.iommu?.words.buffer;

/** Says where the words of the IOMMU are. By the main thread. */
export function setIommu(buffer: ArrayBufferLike): void {
  iommu = buffer;
}

/** Of which channel a task is that is being started: what is sent doesn't say so. */
let starting = 0;

/** Says which channel's thread is started next. By the main thread. */
export function startNext(channel: number): void {
  starting = channel;
}

/** The rings of DMA channels, and the IOMMU: src/dma/. Threads are channels, by their number + 1. */
export const DMA_RING: Protocol = {
  name: 'dma-ring',
  failures: FAILURES,
  polls: true,
  watches: ({ buffer }) => RING_BYTES.has(buffer.byteLength),
  isShared: (buffer) => buffer.byteLength !== iommu?.byteLength || buffer === iommu,
  onThread(control, races) {
    watchCopies(control, races);
    shareClock(control);
  },
  nameOf,
  threadName: (thread) => `channel ${thread - 1}`,
  isUsed: () => true,
  onUnused: () => 0,
  isPlainStep(control, word) {
    const what = dmaWord(control, word);
    return what.kind === 'block' && isTarget(control, what.block);
  },
  brokenBy,
  beginsAs(control, word, value) {
    return value === ATTACHED ? channelOf(control, word) : undefined;
  },
  endsWith: (control, word, now) => now === DETACHED && channelOf(control, word) !== undefined,
  threadOf: () => starting + 1,
};

/**
 * Has this thread go by the schedule's clock: a channel that keeps to a speed sleeps until something is due. Both its clocks are
 * one, as they are for the main thread while schedules are run.
 */
function shareClock(control: Control): void {
  const { words, clock } = control;
  const real = process.hrtime.bind(process);
  const now = () => {
    const [seconds, nanoseconds] = real();
    return seconds * 1e3 + nanoseconds / 1e6;
  };
  Object.defineProperty(performance, 'now', { value: () => (words[ACTIVE] === 0 ? now() : look(control)) });
  const hrtime = () => (words[ACTIVE] === 0 ? real() : timeOf(clock[0]));
  process.hrtime = Object.assign(hrtime, { bigint: process.hrtime.bigint });
}

/** The thread whose state a word is. */
function channelOf(control: Control, word: number): number | undefined {
  const what = dmaWord(control, word);
  return what.kind === 'header' && what.name === 'STATE' ? what.channel + 1 : undefined;
}
