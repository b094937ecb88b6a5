/*
 * What a channel's caller and its thread share: a ring of descriptors, in a SharedArrayBuffer of its own. As with a device's
 * ring, what is in it is for the device to believe; the physical memory has none of it.
 *
 * The caller writes descriptors and moves HEAD; the thread moves NEXT, and writes for each descriptor its completion record.
 * Descriptors are numbered by sequence numbers of 30 bits, whose lowest bits are the place in the ring.
 */

/** Words of 128 bytes: two cache lines, for the hardware fetches them in pairs. */
const LINE = 32;

// Header, in words from the start. The caller writes the first line.
/** Changed, and rung, whenever there is something for the thread to look at. */
export const BELL = 0;
/** Sequence number up to which descriptors are issued. */
export const HEAD = 1;
/** How many times the caller has told the channel to drop everything. */
export const TERMINATE = 2;
/** A word that a silent channel sleeps on: for tests, which let it answer late. */
export const SILENCE = 3;
/** When a descriptor was issued while all others were complete, a 64-bit float; see `src/trace/clock.ts`. */
const ISSUED_MS = 4;
// The thread writes the second.
/** Interrupts raised: the caller sleeps on it. */
export const IRQ = LINE;
/** Descriptors completed, ever, counted from the first one's sequence number. */
export const DONE = LINE + 1;
/** The value of TERMINATE that the thread has obeyed. */
export const TERMINATED = LINE + 2;
/** Sequence number of the next descriptor to take, while no thread serves. */
export const NEXT = LINE + 3;
/** Whether there is a thread that serves. */
export const STATE = 2 * LINE;
/** Odd while the thread uses addresses that it has translated. */
export const ACTIVE = 2 * LINE + 1;
/** The thread's CPU nanoseconds, a 64-bit float. */
const CPU_NS = 3 * LINE;
const HEADER_WORDS = 4 * LINE;

/** Values of STATE. */
export const DETACHED = 0;
export const ATTACHED = 1;
export const LEAVING = 2;

/** Sequence numbers are below this: cookies, one more than those, are 31-bit numbers above 0. */
export const SEQUENCE_MASK = 2 ** 30 - 1;

/** Flag of a descriptor: raise an interrupt when it is complete (DMA_PREP_INTERRUPT). */
export const INTERRUPT = 1;
/** Flags of a descriptor: what it reads is to be unscrambled, and what it writes is to be scrambled. */
export const UNSCRAMBLE = 2;
export const SCRAMBLE = 4;
/** Where in the flags a fault stands that the device is to have with the descriptor. */
export const FAULT_SHIFT = 8;

/** What can be made to go wrong with a descriptor. */
export const FAULT = {
  none: 0,
  /** The device fails to read. */
  read: 1,
  /** The device fails to write. */
  write: 2,
  /** The device gives the descriptor up. */
  abort: 3,
  /** The device reads from an address that is mapped for nobody. */
  iommu: 4,
  /** Nothing is heard of the channel any more, until SILENCE is changed and rung: then it goes on. */
  silence: 5,
  /** The descriptor is completed after all others that are in flight. */
  last: 6,
  /** The channel's thread ends. */
  die: 7,
  /** The channel's thread throws. */
  throw: 8,
  /** Nothing goes wrong with it: it was given up before it was issued. */
  cancel: 9,
} as const;

// The results of a descriptor, as the kernel numbers them (enum dmaengine_tx_result).
/** All of its bytes are where they belong. */
export const DMA_TRANS_NOERROR = 0;
/** It could not read: a DMA fault or a poisoned frame, and no byte was written; or the device failed, and some may be. */
export const DMA_TRANS_READ_FAILED = 1;
/** It could not write: a DMA fault, and no byte was written; or the device failed, and some may be. */
export const DMA_TRANS_WRITE_FAILED = 2;
/** It was given up, by the device or with its channel. Some bytes may be written, and none will be. */
export const DMA_TRANS_ABORTED = 3;

/** A completion record: a result, and an errno for what has failed. Never 0, which says that there is none yet. */
export function completionRecord(result: number, errno: number): number {
  return 1 | (result << 1) | (errno << 8);
}
/** One of the `DMA_TRANS_…` numbers. */
export function recordResult(record: number): number {
  return (record >>> 1) & 0x7f;
}
/** 0 for what went well, or the errno of what went wrong. */
export function recordErrno(record: number): number {
  return record >>> 8;
}

/** A channel's ring, seen from one thread. */
export interface DescriptorRing {
  readonly buffer: SharedArrayBuffer;
  /** The header. */
  readonly words: Int32Array;
  /** Places, a power of two; {@link SEQUENCE_MASK} is a multiple of it less 1. */
  readonly size: number;
  /** Completion records, by place; 0 until there is one. */
  readonly records: Int32Array;
  /** Flags, by place. */
  readonly flags: Uint32Array;
  /** Place of a descriptor's first segment. */
  readonly first: Uint32Array;
  /** Segments of a descriptor. */
  readonly count: Uint32Array;
  /** Places for segments, a power of two. */
  readonly segments: number;
  /** Device addresses in bytes, and bytes, of segments. */
  readonly to: Uint32Array;
  readonly from: Uint32Array;
  readonly bytes: Uint32Array;
  /** When a descriptor was issued last while all others were complete, by `monotonicMs()`. */
  readonly issuedMs: Float64Array;
  /** CPU nanoseconds that the thread has spent. */
  readonly cpuNs: Float64Array;
}

/** Segments that a ring has room for besides one a descriptor: those of scatter-gather descriptors. */
const SG_SEGMENTS = 2048;

/** A ring for `depth` descriptors at once, nothing in it. */
export function createRing(depth: number): DescriptorRing {
  const size = powerOfTwo(depth);
  const segments = powerOfTwo(size + SG_SEGMENTS);
  return openRing(new SharedArrayBuffer((HEADER_WORDS + size * 4 + segments * 3) * 4), size);
}

/** A ring of {@link createRing} as another thread sees it, given its buffer and its size. Views only: nothing is changed. */
export function openRing(buffer: SharedArrayBuffer, size: number): DescriptorRing {
  const segments = powerOfTwo(size + SG_SEGMENTS);
  let word = HEADER_WORDS;
  const take = (words: number) => {
    const array = new Uint32Array(buffer, word * 4, words);
    word += words;
    return array;
  };
  return {
    buffer,
    words: new Int32Array(buffer, 0, HEADER_WORDS),
    size,
    records: new Int32Array(buffer, take(size).byteOffset, size),
    flags: take(size),
    first: take(size),
    count: take(size),
    segments,
    to: take(segments),
    from: take(segments),
    bytes: take(segments),
    issuedMs: new Float64Array(buffer, ISSUED_MS * 4, 1),
    cpuNs: new Float64Array(buffer, CPU_NS * 4, 1),
  };
}

function powerOfTwo(least: number): number {
  return 2 ** Math.ceil(Math.log2(least));
}

/** Has the thread look, if it sleeps. */
export function ringBell(words: Int32Array): void {
  // Orders what was changed before the wake-up: the thread reads the bell first and looks second, so either it sees the
  // change, or its wait finds another number and returns.
  Atomics.add(words, BELL, 1);
  Atomics.notify(words, BELL);
}
