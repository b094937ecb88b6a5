import { clockOffset } from './clock.js';

/*
 * What a thread records while somebody traces, for the owner to collect: a ring of records in shared memory. The thread alone
 * writes records, HEAD and DROPPED; the owner alone writes TAIL and STOPPED. HEAD and TAIL count records ever written and ever
 * read, so a record is written where HEAD stands, if that is less than a ring's length ahead of TAIL, and read where TAIL
 * stands, if that isn't HEAD. What finds no room is counted and not recorded.
 */

/** Words of 128 bytes: two cache lines, for the hardware fetches them in pairs. */
const LINE = 32;
const HEAD = 0;
/** Slices and instants that found no room. */
const DROPPED = 1;
const TAIL = LINE;
/** 1 once nobody reads any more: nothing is recorded from then on. */
const STOPPED = LINE + 1;
const HEADER_WORDS = 2 * LINE;

/** Records that a ring holds, a power of two: what a thread does in some ten batches. */
export const RING_RECORDS = 4096;
/** Doubles of a record: event and kind, milliseconds since the trace began, and two numbers of the event's. */
const FIELDS = 4;
const HEADER_BYTES = HEADER_WORDS * 4;
const RECORDS_BYTES = RING_RECORDS * FIELDS * 8;
const RING_BYTES = HEADER_BYTES + RECORDS_BYTES;

/**
 * What threads record of themselves; also the names that people see. `level` is how many slices such a one lies in at most, and
 * `says` what the number of its begin and the two of its end are, of those that mean something.
 */
export const EVENTS: readonly {
  readonly name: string;
  readonly level: number;
  readonly says: { readonly begin?: string; readonly end?: string; readonly more?: string };
}[] = [
  { name: 'unit', level: 0, says: { begin: 'unit', end: 'bytes' } },
  { name: 'list', level: 0, says: { begin: 'list', end: 'bytes' } },
  { name: 'program', level: 0, says: {} },
  { name: 'wait for migration', level: 1, says: {} },
  { name: 'descriptors', level: 0, says: { end: 'bytes', more: 'descriptors' } },
  { name: 'interrupt', level: 0, says: {} },
];
/** Indices of {@link EVENTS}: units of a dynamic job, and lists of a static one. */
export const UNIT = 0;
export const LIST = 1;
/** A CPU's program, and in it a wait at a migration entry. */
export const PROGRAM = 2;
export const WAIT = 3;
/** Descriptors that a DMA channel copies without a rest. */
export const DESCRIPTORS = 4;
/** An interrupt that a CPU receives. */
export const INTERRUPT = 5;

/** Kinds of records. */
export const BEGIN = 0;
export const END = 1;
export const INSTANT = 2;
const KINDS = 4;

/** What a thread needs to record: sent with its workerData. */
export interface TraceSetup {
  /** The rings: first their headers, which the owner looks at all the time, then the records of each. */
  readonly rings: SharedArrayBuffer;
  /** When the trace began, by CLOCK_MONOTONIC in milliseconds. */
  readonly epochMs: number;
}

/** Where a thread says what it does. */
export interface TraceWriter {
  /** A slice begins. @param value its number, of those that have one */
  begin(event: number, value: number): void;
  /**
   * The slice begun last ends.
   *
   * @param value bytes copied in it
   * @param more descriptors of a DMA channel that were dealt with in it
   */
  end(event: number, value: number, more: number): void;
  instant(event: number): void;
}

export function createRings(count: number): SharedArrayBuffer {
  return new SharedArrayBuffer(count * RING_BYTES);
}

function openWords(rings: SharedArrayBuffer, index: number): Int32Array {
  return new Int32Array(rings, index * HEADER_BYTES, HEADER_WORDS);
}

function openRecords(rings: SharedArrayBuffer, index: number): Float64Array {
  const headers = (rings.byteLength / RING_BYTES) * HEADER_BYTES;
  return new Float64Array(rings, headers + index * RECORDS_BYTES, RING_RECORDS * FIELDS);
}

/**
 * The writer of ring `index`: one at a time, also of threads that follow each other.
 *
 * A slice that is begun has room for its end too: no slice is recorded by half.
 */
export function createTraceWriter({ rings, epochMs }: TraceSetup, index: number): TraceWriter {
  const words = openWords(rings, index);
  const records = openRecords(rings, index);
  const offset = clockOffset(epochMs);
  // Where the writer before this one has stopped, whose thread has ended.
  let head = Atomics.load(words, HEAD);
  /** Ends for which room is kept. */
  let kept = 0;
  /** A bit for each open slice, the innermost lowest: whether it is recorded. */
  let open = 0;

  function hasRoom(count: number): boolean {
    if (words[STOPPED] === 1) return false;
    // Acquire: the owner has read what is overwritten from here on.
    if (((head - Atomics.load(words, TAIL)) | 0) + count + kept <= RING_RECORDS) return true;
    // A count alone: orders nothing.
    Atomics.add(words, DROPPED, 1);
    return false;
  }

  function put(kind: number, event: number, value: number, more: number): void {
    const at = (head & (RING_RECORDS - 1)) * FIELDS;
    records[at] = event * KINDS + kind;
    records[at + 1] = performance.now() + offset;
    records[at + 2] = value;
    records[at + 3] = more;
    head = (head + 1) | 0;
    // Release: the record comes before.
    Atomics.store(words, HEAD, head);
  }

  return {
    begin(event, value) {
      const isRecorded = hasRoom(2);
      open = (open << 1) | (isRecorded ? 1 : 0);
      if (!isRecorded) return;
      kept++;
      put(BEGIN, event, value, 0);
    },
    end(event, value, more) {
      const isRecorded = (open & 1) === 1;
      open >>>= 1;
      if (!isRecorded) return;
      kept--;
      put(END, event, value, more);
    },
    instant(event) {
      if (hasRoom(1)) put(INSTANT, event, 0, 0);
    },
  };
}

/** Gets a record of a ring: its kind, its event, when that was, and its numbers. */
export type TakeRecord = (kind: number, event: number, ms: number, value: number, more: number) => void;

/** The owner's side of a ring. */
export interface TraceReader {
  /** Reads what is there, in the order in which it was written. Returns how many were dropped since the last time. */
  drain(take: TakeRecord): number;
  /** Has nothing recorded any more. */
  stop(): void;
}

export function createTraceReader(rings: SharedArrayBuffer, index: number): TraceReader {
  const words = openWords(rings, index);
  const records = openRecords(rings, index);
  let tail = 0;
  let dropped = 0;
  return {
    drain(take) {
      // Acquire: the records up to there were written before.
      const head = Atomics.load(words, HEAD);
      for (; tail !== head; tail = (tail + 1) | 0) {
        const at = (tail & (RING_RECORDS - 1)) * FIELDS;
        take(records[at] % KINDS, Math.floor(records[at] / KINDS), records[at + 1], records[at + 2], records[at + 3]);
      }
      // Release: all of them were read before. The thread overwrites none until it sees this.
      if (words[TAIL] !== tail) Atomics.store(words, TAIL, tail);
      const now = Atomics.load(words, DROPPED);
      const more = (now - dropped) | 0;
      dropped = now;
      return more;
    },
    stop() {
      // Orders nothing: a record more finds room, or is dropped.
      Atomics.store(words, STOPPED, 1);
    },
  };
}
