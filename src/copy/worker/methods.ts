import { Buffer } from 'node:buffer';
import { KiB } from '../../units.js';
import { Instance, Module, type SharedWasmMemory, type WasmModule } from '../../wasm.js';
import type { ForeignBuffers } from '../batch/batch.js';
import { DESCRIPTOR_WORDS } from '../batch/plan.js';
import { METHOD, METHOD_FOREIGN, METHOD_MEMORY_COPY, type Slot, STOP } from './job-ring.js';
import type { CopyRange } from './participate.js';
import { WALKER_BASE64 } from './walker-wasm.js';

/** Bytes copied between two looks at the stop word. */
const PIECE = 256 * KiB;

/** {@link ForeignBuffers} as one thread sees them. Views can't be sent: those of 4 GiB arrive empty on Node.js 20. */
export interface ForeignViews {
  readonly to: Uint8Array;
  readonly from: Uint8Array;
  readonly fromEngine: boolean;
}

/** The longest view that every supported Node.js can make. */
const MAX_VIEW_BYTES = 2 ** 32;

export function openBuffers({ to, toStart, from, fromStart, fromEngine }: ForeignBuffers): ForeignViews {
  const view = (buffer: SharedArrayBuffer, start: number) =>
    new Uint8Array(buffer, start, Math.min(buffer.byteLength - start, MAX_VIEW_BYTES));
  const toView = view(to, toStart);
  return { to: toView, from: to === from && toStart === fromStart ? toView : view(from, fromStart), fromEngine };
}

/** What a thread needs to copy. */
export interface MethodContext {
  readonly memory: SharedWasmMemory;
  /** The compiled walker; see {@link compileWalker}. */
  readonly module: WasmModule;
  /** Physical address of the poison map. */
  readonly poisonAddress: number;
  /** Whether any of the frames under `bytes` from a physical address is poisoned. */
  readonly isPoisoned: (address: number, bytes: number) => boolean;
  /** The words of the ring. */
  readonly words: Int32Array;
  /** The buffers of the foreign job in a slot; without them its items are left. */
  readonly foreign: (slot: Slot) => ForeignViews | undefined;
}

let walker: WasmModule | undefined;

/** The WebAssembly walker, compiled: about 1 ms, once a process. A module serves every thread. */
export function compileWalker(): WasmModule {
  walker ??= new Module(Buffer.from(WALKER_BASE64, 'base64'));
  return walker;
}

/** The function that copies a range of a job's descriptors with the method that the job names. */
export function createCopyRange(context: MethodContext): CopyRange {
  const { memory, poisonAddress, isPoisoned, words, foreign } = context;
  const { exports } = new Instance(context.module, { env: { memory } });
  const walk = exports.walk as (list: number, count: number, stop: number, poison: number) => number;
  const bytes = new Uint8Array(memory.buffer);
  const healthy = () => false;
  return (slot, first, end) => {
    const method = words[slot.base + METHOD];
    if (method === METHOD_MEMORY_COPY) {
      const list = slot.descriptorsAddress + first * DESCRIPTOR_WORDS * 4;
      return walk(list, end - first, slot.stopAddress, poisonAddress);
    }
    if (method !== METHOD_FOREIGN) return walkTypedArrays(words, slot, first, end, bytes, bytes, isPoisoned);
    const buffers = foreign(slot);
    if (!buffers) return end - first;
    const { to, from, fromEngine } = buffers;
    return walkTypedArrays(words, slot, first, end, to, from, fromEngine ? isPoisoned : healthy);
  };
}

/** What the WebAssembly walker does, over typed arrays. Returns how many descriptors have bytes left. */
function walkTypedArrays(
  words: Int32Array,
  slot: Slot,
  first: number,
  end: number,
  to: Uint8Array,
  from: Uint8Array,
  isPoisoned: (address: number, bytes: number) => boolean,
): number {
  const { descriptors } = slot;
  let left = 0;
  for (let i = first; i < end; i++) {
    const word = i * DESCRIPTOR_WORDS;
    if (isPoisoned(descriptors[word + 1], descriptors[word + 2])) {
      left++;
      continue;
    }
    // Pairs with the caller's store: seen at the next piece at the latest, which is all an abort needs.
    while (descriptors[word + 2] > 0 && Atomics.load(words, slot.base + STOP) === 0) {
      const target = descriptors[word];
      const source = descriptors[word + 1];
      const length = Math.min(descriptors[word + 2], PIECE);
      // copyWithin needs no view of the source; between two buffers there is no way without one a piece.
      if (to === from) to.copyWithin(target, source, source + length);
      else to.set(from.subarray(source, source + length), target);
      descriptors[word] = target + length;
      descriptors[word + 1] = source + length;
      descriptors[word + 2] = descriptors[word + 2] - length;
    }
    if (descriptors[word + 2] > 0) left++;
  }
  return left;
}
