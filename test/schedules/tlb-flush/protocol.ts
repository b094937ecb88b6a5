import { workerData } from 'node:worker_threads';
import { BEGUN, ENDED } from '../../../src/cpu/cpu-area.js';
import { VPN_LIMIT } from '../../../src/cpu/page-table.js';
import type { Protocol } from '../protocol.js';
import { brokenBy, FAILURES, isShared, onPlain } from './invariants.js';
import { AREA_WORDS, FRAMES, NODE_FRAMES, NODES, nameOf, tlbWord } from './words.js';

/** Bytes of the buffers. */
const WASM_PAGE = 65536;
const MEMORY_BYTES = Math.ceil(((NODE_FRAMES[NODES - 1] + FRAMES) * 4096) / WASM_PAGE) * WASM_PAGE;
export const AREA_BYTES = AREA_WORDS * 4;

/** Words of the two that a CPU reads as they stand, of which another flush may write meanwhile. */
const RANGE = ['FLUSH_START', 'FLUSH_END'];

function isTask(word: number): number | undefined {
  const what = tlbWord(word);
  return what.kind === 'cpu' && what.name === 'RUNNING' ? what.cpu + 1 : undefined;
}

/** TLB flushes and migration entries: src/cpu/ and src/mm/. Threads are CPUs, by their number + 1. */
export const TLB_FLUSH: Protocol = {
  name: 'tlb-flush',
  failures: FAILURES,
  watches(view) {
    const { byteLength } = view.buffer;
    if (byteLength === MEMORY_BYTES) return view instanceof Float64Array;
    return view instanceof Int32Array && (byteLength === AREA_BYTES || byteLength > VPN_LIMIT * 4);
  },
  onThread(_, races) {
    // The CPUs' words are the only view that is sent.
    const { setup } = workerData as { setup: { words: Int32Array } };
    setup.words = races.watched(setup.words);
  },
  nameOf,
  threadName: (thread) => `CPU ${thread - 1}`,
  isUsed: (_, word) => isShared(tlbWord(word)),
  onUnused: () => 0,
  isStep(_, word) {
    const { kind } = tlbWord(word);
    return kind !== 'flags' && kind !== 'refcount' && kind !== 'mapcount' && kind !== 'gate';
  },
  isPlainStep(_, word) {
    const what = tlbWord(word);
    return what.kind === 'bytes' || (what.kind === 'header' && RANGE.includes(what.name));
  },
  onPlain,
  brokenBy,
  beginsAs: (_, word, value) => (value === BEGUN ? isTask(word) : undefined),
  endsWith: (_, word, now) => now === ENDED && isTask(word) !== undefined,
  threadOf: (task) => (task as { cpu: number }).cpu + 1,
};
