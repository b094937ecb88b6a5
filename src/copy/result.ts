import type { ErrnoCode } from '../errno.js';

/** An item that was not copied, or not wholly. What its destination holds is undefined. */
export interface FailedItem {
  /** Position among the items of the call. */
  readonly index: number;
  /** `EHWPOISON`: its source has a poisoned frame. `ECANCELED`: the call was aborted first. */
  readonly code: ErrnoCode;
}

/** What a copy did, or a fill, which has one item. */
export interface CopyResult {
  /** Bytes copied, or filled, those of unfinished items too. All of the call's if `failed` is empty. */
  readonly bytes: number;
  /** Items copied whole. */
  readonly items: number;
  /** Items that were not, by their position; empty when all went well. */
  readonly failed: readonly FailedItem[];
  /** Participants: the workers that copied, and the calling thread if it did. */
  readonly threads: number;
  /** Nanoseconds from the call to its end, on the wall. */
  readonly wallNs: number;
  /** CPU nanoseconds that workers spent on this call; not the caller's own. */
  readonly workerNs: number;
}

/** What a copy, a fill or a compare that its AbortSignal stopped rejects with; the signal's reason is its `cause`. */
export class CopyAbortError extends Error {
  /** As on Node.js's own abort errors. */
  override readonly name = 'AbortError';
  /** As on Node.js's own abort errors. */
  readonly code = 'ABORT_ERR';
  /** How far it came. */
  readonly result: CopyResult;

  /** @internal */
  constructor(result: CopyResult, reason: unknown, what = 'copy') {
    super(`The ${what} was aborted after ${result.bytes} bytes, ${result.items} items`, { cause: reason });
    this.result = result;
  }
}
