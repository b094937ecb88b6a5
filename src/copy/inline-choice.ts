import { MiB } from '../units.js';

/** Fewer bytes than this are always copied by the calling thread: waking another takes as long as copying them. */
const INLINE_BYTES = 2 * MiB;
/** More bytes than this never are: copying them at once would hold up the event loop for milliseconds. */
const PARALLEL_BYTES = 32 * MiB;
/** What a size class does before it has measured: two threads gain from here on where nothing is in their way. */
const LIKELY_GAIN_BYTES = 4 * MiB;
/** One call in so many tries the other way; one in so many more where that was far slower. */
const RETRY_CALLS = 16;
const RARE_RETRY_CALLS = 256;
/** The other way is far slower if it takes this many times as long. */
const FAR_SLOWER = 1.2;
/** Calls of each way whose median counts, for one may have met page faults or a busy core. */
const SAMPLES = 3;

/** What calls of one size class (a power of two of bytes) last took, in nanoseconds a byte. */
interface SizeClass {
  calls: number;
  readonly inline: number[];
  readonly parallel: number[];
}

/** Says whether a call is to be copied by its own thread alone. */
export interface InlineChoice {
  /** The answer for the next call of `bytes`. Now and then it tries the other way. */
  isInline(bytes: number): boolean;
  /** Takes in that a call is over, and how long it took; `undefined` if it had not the engine to itself. */
  record(bytes: number, wasInline: boolean, ns: number | undefined): void;
}

/** The choice by a fixed size: fewer bytes are copied inline. */
export function fixedChoice(minParallelBytes: number): InlineChoice {
  return { isInline: (bytes) => bytes < minParallelBytes, record() {} };
}

/**
 * The choice by measurement. Whether a second thread gains depends on the machine, on what else runs there, on how long
 * its cores have slept and on where the bytes are; so between 2 and 32 MiB the engine times both ways, for each power of
 * two of bytes, and takes the faster.
 */
export function measuredChoice(): InlineChoice {
  const classes = new Map<number, SizeClass>();
  const classOf = (bytes: number): SizeClass => {
    const key = 31 - Math.clz32(bytes);
    const known = classes.get(key);
    if (known) return known;
    const fresh = { calls: 0, inline: [], parallel: [] };
    classes.set(key, fresh);
    return fresh;
  };
  return {
    isInline(bytes) {
      if (bytes < INLINE_BYTES) return true;
      if (bytes > PARALLEL_BYTES) return false;
      const size = classOf(bytes);
      const call = size.calls;
      const isLikelyInline = bytes < LIKELY_GAIN_BYTES;
      if (call < 2 * SAMPLES) return isLikelyInline === (call % 2 === 0);
      // Calls that always overlap in time tell nothing of either way.
      if (size.inline.length === 0 || size.parallel.length === 0) return isLikelyInline;
      const inline = middle(size.inline);
      const parallel = middle(size.parallel);
      const isInlineFaster = inline <= parallel;
      const isClear = Math.max(inline, parallel) > FAR_SLOWER * Math.min(inline, parallel);
      return call % (isClear ? RARE_RETRY_CALLS : RETRY_CALLS) === 0 ? !isInlineFaster : isInlineFaster;
    },
    record(bytes, wasInline, ns) {
      if (bytes < INLINE_BYTES || bytes > PARALLEL_BYTES) return;
      const size = classOf(bytes);
      size.calls++;
      if (ns === undefined) return;
      const samples = wasInline ? size.inline : size.parallel;
      samples.push(ns / bytes);
      if (samples.length > SAMPLES) samples.shift();
    },
  };
}

function middle(samples: readonly number[]): number {
  return samples.toSorted((a, b) => a - b)[samples.length >> 1];
}
