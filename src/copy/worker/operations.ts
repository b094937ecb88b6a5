import { Instance, type SharedWasmMemory, type WasmModule } from '../../wasm.js';
import {
  BYTE,
  METHOD_LINE,
  METHOD_LINE_STREAMING,
  METHOD_MEMORY_COPY,
  METHOD_STREAMING,
  OPERATION_COMPARE,
  OPERATION_COPY,
  OPERATION_FILL,
  type Slot,
} from './job-ring.js';
import { tableAt } from './line-table.js';
import type { OpenLine } from './line-views.js';
import type { NativeWalker } from './native-walker.js';

/** What a thread needs to copy. */
export interface MethodContext {
  readonly memory: SharedWasmMemory;
  /** The compiled walker; see methods.ts. */
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
  readonly lineOf: (slot: Slot) => OpenLine | undefined;
}

/** What only threads that can load it have. */
export interface Native {
  readonly walker: NativeWalker;
  /** See line-table.ts. */
  readonly area: SharedArrayBuffer;
}

/**
 * Goes down the descriptors of a slot from address `list` up to `end`, and stops once more than `limit` bytes are through.
 *
 * @returns address of the descriptor to go on with; `end` if that was all
 */
type Loop = (slot: Slot, list: number, end: number, limit: number) => number;

/** What is done with descriptors, by every method. */
export interface Operation {
  /** The loops of the methods that have one, by the method's number. */
  readonly loops: Readonly<Record<number, Loop | undefined>>;
  /** Does one piece with typed arrays. Returns how many bytes are through: fewer where the two sides then differ. */
  piece(slot: Slot, line: OpenLine, to: number, from: number, bytes: number): number;
  /** Whether it ends at the first difference. */
  readonly compares: boolean;
  /** Whether it reads a poisoned frame of a descriptor. */
  readsPoison(isPoisoned: MethodContext['isPoisoned'], to: number, from: number, bytes: number): boolean;
}

// Functions of the walker, which AssemblyScript has compiled.
type Walk = (list: number, end: number, stop: number, poison: number, left: number, limit: number) => number;
type Fill = (list: number, end: number, stop: number, left: number, limit: number, byte: number) => number;
type Compare = (...walk: [...Parameters<Walk>, found: number]) => number;

/** The operations, by their number, with what a thread has for them. */
export function createOperations(context: MethodContext): Readonly<Record<number, Operation | undefined>> {
  const { exports } = new Instance(context.module, { env: { memory: context.memory } });
  return {
    [OPERATION_COPY]: createCopy(context, exports.walk as Walk),
    [OPERATION_FILL]: createFill(context, exports.fill as Fill),
    [OPERATION_COMPARE]: createCompare(context, exports.compare as Compare),
  };
}

/** What every walker in C is given: the memory of the tables, and the engine's. */
function memoriesOf({ native, memory }: MethodContext): [area: Uint8Array, memory: Uint8Array] {
  return [new Uint8Array(native?.area ?? new SharedArrayBuffer(0)), new Uint8Array(memory.buffer)];
}

/** Only a ring that a program has written to asks for what there isn't. */
function missing(): never {
  throw new Error('there is no walker in C');
}

function createCopy(context: MethodContext, walk: Walk): Operation {
  const { poisonAddress: poison, native } = context;
  const { walk: stream, walkLine } = native?.walker ?? { walk: missing, walkLine: missing };
  const [area, memory] = memoriesOf(context);
  const onLine =
    (past: boolean): Loop =>
    ({ number, stopAddress: stop, leftAddress: left }, list, end, limit) =>
      walkLine(area, tableAt(number), memory, list, end, stop, poison, left, limit, past);
  return {
    loops: {
      [METHOD_MEMORY_COPY]: ({ stopAddress: stop, leftAddress: left }, list, end, limit) =>
        walk(list, end, stop, poison, left, limit),
      [METHOD_STREAMING]: ({ stopAddress: stop, leftAddress: left }, list, end, limit) =>
        stream(memory, list, end, stop, poison, left, limit),
      [METHOD_LINE]: onLine(false),
      [METHOD_LINE_STREAMING]: onLine(true),
    },
    piece(_, line, to, from, bytes) {
      line.copy(to, from, bytes);
      return bytes;
    },
    compares: false,
    readsPoison: (isPoisoned, _, from, bytes) => isPoisoned(from, bytes),
  };
}

function createFill(context: MethodContext, fill: Fill): Operation {
  const { poisonAddress: poison, native, words } = context;
  const { fillLine } = native?.walker ?? { fillLine: missing };
  const [area, memory] = memoriesOf(context);
  const onLine =
    (past: boolean): Loop =>
    ({ number, base, stopAddress: stop, leftAddress: left }, list, end, limit) =>
      fillLine(area, tableAt(number), memory, list, end, stop, poison, left, limit, past, words[base + BYTE]);
  return {
    loops: {
      [METHOD_MEMORY_COPY]: ({ base, stopAddress: stop, leftAddress: left }, list, end, limit) =>
        fill(list, end, stop, left, limit, words[base + BYTE]),
      [METHOD_LINE]: onLine(false),
      [METHOD_LINE_STREAMING]: onLine(true),
    },
    piece({ base }, line, to, _, bytes) {
      line.fill(to, words[base + BYTE], bytes);
      return bytes;
    },
    compares: false,
    readsPoison: () => false,
  };
}

function createCompare(context: MethodContext, compare: Compare): Operation {
  const { poisonAddress: poison, native } = context;
  const { compareLine } = native?.walker ?? { compareLine: missing };
  const [area, memory] = memoriesOf(context);
  return {
    loops: {
      [METHOD_MEMORY_COPY]: ({ stopAddress: stop, leftAddress: left, foundAddress: found }, list, end, limit) =>
        compare(list, end, stop, poison, left, limit, found),
      [METHOD_LINE]: ({ number, stopAddress: stop, leftAddress: left, foundAddress: found }, list, end, limit) =>
        compareLine(area, tableAt(number), memory, list, end, stop, poison, left, limit, found),
    },
    piece: (_, line, a, b, bytes) => line.compare(a, b, bytes),
    compares: true,
    readsPoison: (isPoisoned, a, b, bytes) => isPoisoned(a, bytes) || isPoisoned(b, bytes),
  };
}
