import { Buffer } from 'node:buffer';
import { KiB } from '../../units.js';
import { Instance, Module, type SharedWasmMemory, type WasmModule } from '../../wasm.js';
import { DESCRIPTOR_WORDS } from '../batch/plan.js';
import { LEFT, METHOD, METHOD_FOREIGN, METHOD_MEMORY_COPY, type Slot, STOP } from './job-ring.js';
import { type CopyOnLine, openLine } from './line-views.js';
import type { CopyRange } from './participate.js';
import { WALKER_BASE64 } from './walker-wasm.js';

/** Bytes copied between two looks at the stop word. */
const PIECE = 256 * KiB;
const DESCRIPTOR_BYTES = DESCRIPTOR_WORDS * 4;

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
  /** The line that the foreign job in a slot is on; without it its items are left. */
  readonly lineOf: (slot: Slot) => CopyOnLine | undefined;
}

let walker: WasmModule | undefined;

/** The WebAssembly walker, compiled: about 1 ms, once a process. A module serves every thread. */
export function compileWalker(): WasmModule {
  walker ??= new Module(Buffer.from(WALKER_BASE64, 'base64'));
  return walker;
}

/** The walker's own function, which AssemblyScript has compiled. */
type Walk = (list: number, end: number, stop: number, poison: number, left: number, limit: number) => number;

/** The function that copies a range of a job's descriptors with the method that the job names. */
export function createCopyRange(context: MethodContext): CopyRange {
  const { memory, poisonAddress, isPoisoned, words, lineOf } = context;
  const { exports } = new Instance(context.module, { env: { memory } });
  const walk = exports.walk as Walk;
  const engine = openLine(new Uint8Array(memory.buffer), []);
  // Other buffers have no poisoned frames.
  const isPoisonedOnLine = (address: number, bytes: number) =>
    address < memory.buffer.byteLength && isPoisoned(address, bytes);
  return (slot, first, end, limit) => {
    const { narrow, wide, descriptorsAddress: list, stopAddress, leftAddress } = slot;
    const method = words[slot.base + METHOD];
    if (method === METHOD_MEMORY_COPY) {
      const from = list + first * DESCRIPTOR_BYTES;
      const next = walk(from, list + end * DESCRIPTOR_BYTES, stopAddress, poisonAddress, leftAddress, limit);
      return ((next >>> 0) - list) / DESCRIPTOR_BYTES;
    }
    if (method !== METHOD_FOREIGN) {
      return walkTypedArrays(words, slot, narrow.descriptors, first, end, limit, engine, isPoisoned);
    }
    const line = lineOf(slot);
    if (line) return walkTypedArrays(words, slot, wide.descriptors, first, end, limit, line, isPoisonedOnLine);
    leave(words, slot);
    return end;
  };
}

/** Notes that something of the job is left for good. Before the unit's last count, after which the caller looks at it. */
function leave(words: Int32Array, slot: Slot): void {
  Atomics.add(words, slot.base + LEFT, 1);
}

/** What the WebAssembly walker does, over typed arrays. */
function walkTypedArrays(
  words: Int32Array,
  slot: Slot,
  descriptors: Uint32Array | Float64Array,
  first: number,
  end: number,
  limit: number,
  copy: CopyOnLine,
  isPoisoned: (address: number, bytes: number) => boolean,
): number {
  let copied = 0;
  for (let i = first; i < end; i++) {
    const word = i * DESCRIPTOR_WORDS;
    if (isPoisoned(descriptors[word + 1], descriptors[word + 2])) {
      leave(words, slot);
      continue;
    }
    while (descriptors[word + 2] > 0) {
      if (copied > limit) return i;
      // Pairs with the caller's store: seen at the next piece at the latest, which is all an abort needs.
      if (Atomics.load(words, slot.base + STOP) !== 0) {
        leave(words, slot);
        return end;
      }
      const to = descriptors[word];
      const from = descriptors[word + 1];
      const left = descriptors[word + 2];
      const bytes = Math.min(left, PIECE);
      copy(to, from, bytes);
      // Together, as in the walker: no call comes between them.
      descriptors[word] = to + bytes;
      descriptors[word + 1] = from + bytes;
      descriptors[word + 2] = left - bytes;
      copied += bytes;
    }
  }
  return end;
}
