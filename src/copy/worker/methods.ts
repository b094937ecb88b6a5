import { Buffer } from 'node:buffer';
import { KiB } from '../../units.js';
import { Module, type WasmModule } from '../../wasm.js';
import { DESCRIPTOR_WORDS } from '../batch/plan.js';
import { FOUND, isWide, LEFT, METHOD, METHOD_FOREIGN, OPERATION, type Slot, STOP } from './job-ring.js';
import { type OpenLine, openLine } from './line-views.js';
import { createOperations, type MethodContext, type Operation } from './operations.js';
import type { CopyRange } from './participate.js';
import { WALKER_BASE64 } from './walker-wasm.js';

/** Bytes copied between two looks at the stop word. */
const PIECE = 256 * KiB;
const DESCRIPTOR_BYTES = DESCRIPTOR_WORDS * 4;
const WIDE_DESCRIPTOR_BYTES = DESCRIPTOR_WORDS * 8;

let walker: WasmModule | undefined;

/** The WebAssembly walker, compiled: about 1 ms, once a process. A module serves every thread. */
export function compileWalker(): WasmModule {
  walker ??= new Module(Buffer.from(WALKER_BASE64, 'base64'));
  return walker;
}

/** The function that goes down a range of a job's descriptors, by the operation and the method that the job names. */
export function createCopyRange(context: MethodContext): CopyRange {
  const { memory, isPoisoned, words, lineOf } = context;
  const operations = createOperations(context);
  const engine = openLine(new Uint8Array(memory.buffer), []);
  // Other buffers have no poisoned frames.
  const isPoisonedOnLine = (address: number, bytes: number) =>
    address < memory.buffer.byteLength && isPoisoned(address, bytes);
  return (slot, first, end, limit) => {
    const { narrow, wide, base, descriptorsAddress: list } = slot;
    const method = words[base + METHOD];
    const operation = operations[words[base + OPERATION]];
    if (!operation) throw new Error('only a ring that a program has written to names such an operation');
    const loop = operation.loops[method];
    if (loop) {
      const bytes = isWide(method) ? WIDE_DESCRIPTOR_BYTES : DESCRIPTOR_BYTES;
      return ((loop(slot, list + first * bytes, list + end * bytes, limit) >>> 0) - list) / bytes;
    }
    const isForeign = method === METHOD_FOREIGN;
    const line = isForeign ? lineOf(slot) : engine;
    const { descriptors } = isForeign ? wide : narrow;
    if (line) {
      return walkTypedArrays(words, slot, descriptors, first, end, limit, operation, line, isPoisonedOnLine);
    }
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
  operation: Operation,
  line: OpenLine,
  isPoisoned: MethodContext['isPoisoned'],
): number {
  const size = DESCRIPTOR_WORDS * descriptors.BYTES_PER_ELEMENT;
  let done = 0;
  for (let i = first; i < end; i++) {
    const word = i * DESCRIPTOR_WORDS;
    if (operation.readsPoison(isPoisoned, descriptors[word], descriptors[word + 1], descriptors[word + 2])) {
      leave(words, slot);
      continue;
    }
    while (descriptors[word + 2] > 0) {
      if (done > limit) return i;
      // Orders nothing: the word only ever goes down, so by any value of it what comes here is later than a difference.
      if (operation.compares && slot.descriptorsAddress + i * size >= Atomics.load(words, slot.base + FOUND) >>> 0)
        return end;
      // Pairs with the caller's store: seen at the next piece at the latest, which is all an abort needs.
      if (Atomics.load(words, slot.base + STOP) !== 0) {
        leave(words, slot);
        return end;
      }
      const to = descriptors[word];
      const from = descriptors[word + 1];
      const left = descriptors[word + 2];
      const piece = Math.min(left, PIECE);
      const bytes = operation.piece(slot, line, to, from, piece);
      // Together, as in the walker: no call comes between them.
      descriptors[word] = to + bytes;
      descriptors[word + 1] = from + bytes;
      descriptors[word + 2] = left - bytes;
      done += piece;
      if (bytes === piece) continue;
      lower(words, slot.base + FOUND, slot.descriptorsAddress + i * size);
      return end;
    }
  }
  return end;
}

/** Takes a word down to `to`, if that is lower, both without a sign. */
function lower(words: Int32Array, index: number, to: number): void {
  for (let known = Atomics.load(words, index); to < known >>> 0; ) {
    // Release: whoever reads it finds what the descriptor says.
    const seen = Atomics.compareExchange(words, index, known, to | 0);
    if (seen === known) return;
    known = seen;
  }
}
