import { Buffer } from 'node:buffer';
import { KiB } from '../../units.js';
import { Instance, Module, type SharedWasmMemory, type WasmModule } from '../../wasm.js';
import { DESCRIPTOR_WORDS } from '../batch/plan.js';
import {
  LEFT,
  METHOD,
  METHOD_FOREIGN,
  METHOD_LINE_STREAMING,
  METHOD_MEMORY_COPY,
  METHOD_STREAMING,
  METHOD_TYPED_ARRAY,
  type Slot,
  STOP,
} from './job-ring.js';
import { tableAt } from './line-table.js';
import { type CopyOnLine, openLine } from './line-views.js';
import type { NativeWalker } from './native-walker.js';
import type { CopyRange } from './participate.js';
import { WALKER_BASE64 } from './walker-wasm.js';

/** Bytes copied between two looks at the stop word. */
const PIECE = 256 * KiB;
const DESCRIPTOR_BYTES = DESCRIPTOR_WORDS * 4;
const WIDE_DESCRIPTOR_BYTES = DESCRIPTOR_WORDS * 8;

/** What a thread needs to copy. */
export interface MethodContext {
  readonly memory: SharedWasmMemory;
  /** The compiled walker; see {@link compileWalker}. */
  readonly module: WasmModule;
  /** The walkers in C, and the tables of buffers that they look into; without them no job asks for them. */
  readonly native: Native | undefined;
  /** Physical address of the poison map. */
  readonly poisonAddress: number;
  /** Whether any of the frames under `bytes` from a physical address is poisoned. */
  readonly isPoisoned: (address: number, bytes: number) => boolean;
  /** The words of the ring. */
  readonly words: Int32Array;
  /** The line that the foreign job in a slot is on; without it its items are left. */
  readonly lineOf: (slot: Slot) => CopyOnLine | undefined;
}

/** What only threads that can load it have. */
export interface Native {
  readonly walker: NativeWalker;
  /** See line-table.ts. */
  readonly area: SharedArrayBuffer;
}

let walker: WasmModule | undefined;

/** The WebAssembly walker, compiled: about 1 ms, once a process. A module serves every thread. */
export function compileWalker(): WasmModule {
  walker ??= new Module(Buffer.from(WALKER_BASE64, 'base64'));
  return walker;
}

/** The walker's own function, which AssemblyScript has compiled. */
type Walk = (list: number, end: number, stop: number, poison: number, left: number, limit: number) => number;
/** The same for a job of any buffers, whose table begins at `table`. */
type WalkLine = (table: number, past: boolean, ...rest: Parameters<Walk>) => number;

/** The function that copies a range of a job's descriptors with the method that the job names. */
export function createCopyRange(context: MethodContext): CopyRange {
  const { memory, native, poisonAddress, isPoisoned, words, lineOf } = context;
  const { exports } = new Instance(context.module, { env: { memory } });
  const walk = exports.walk as Walk;
  const bytes = new Uint8Array(memory.buffer);
  const { stream, walkLine } = nativeWalks(native, bytes);
  const engine = openLine(bytes, []);
  // Other buffers have no poisoned frames.
  const isPoisonedOnLine = (address: number, bytes: number) =>
    address < memory.buffer.byteLength && isPoisoned(address, bytes);
  return (slot, first, end, limit) => {
    const { narrow, wide, descriptorsAddress: list, stopAddress, leftAddress } = slot;
    const method = words[slot.base + METHOD];
    if (method === METHOD_MEMORY_COPY || method === METHOD_STREAMING) {
      const walkList = method === METHOD_STREAMING ? stream : walk;
      const from = list + first * DESCRIPTOR_BYTES;
      const next = walkList(from, list + end * DESCRIPTOR_BYTES, stopAddress, poisonAddress, leftAddress, limit);
      return ((next >>> 0) - list) / DESCRIPTOR_BYTES;
    }
    if (method === METHOD_TYPED_ARRAY) {
      return walkTypedArrays(words, slot, narrow.descriptors, first, end, limit, engine, isPoisoned);
    }
    if (method !== METHOD_FOREIGN) {
      const past = method === METHOD_LINE_STREAMING;
      const from = list + first * WIDE_DESCRIPTOR_BYTES;
      const to = list + end * WIDE_DESCRIPTOR_BYTES;
      const next = walkLine(tableAt(slot.number), past, from, to, stopAddress, poisonAddress, leftAddress, limit);
      return (next - list) / WIDE_DESCRIPTOR_BYTES;
    }
    const line = lineOf(slot);
    if (line) return walkTypedArrays(words, slot, wide.descriptors, first, end, limit, line, isPoisonedOnLine);
    leave(words, slot);
    return end;
  };
}

/** The walkers in C over a memory. */
function nativeWalks(native: Native | undefined, memory: Uint8Array): { stream: Walk; walkLine: WalkLine } {
  if (!native) return { stream: missing, walkLine: missing };
  const { walker } = native;
  const area = new Uint8Array(native.area);
  return {
    stream: (list, end, stop, poison, left, limit) => walker.walk(memory, list, end, stop, poison, left, limit),
    walkLine: (table, past, list, end, stop, poison, left, limit) =>
      walker.walkLine(area, table, memory, list, end, stop, poison, left, limit, past),
  };
}

/** Only a ring that a program has written to asks for what there isn't. */
function missing(): never {
  throw new Error('there is no walker in C');
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
