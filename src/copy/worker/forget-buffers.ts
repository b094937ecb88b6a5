import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MiB } from '../../units.js';

/** Bytes of users' buffers that a worker may keep alive after their jobs. */
const MAX_KEPT_BYTES = 32 * MiB;
/** Views that a worker makes before V8 may have looked at its young objects, and moved the buffers among the old. */
const MAX_YOUNG_VIEWS = 1000;

/** Frees a worker's hold on users' buffers. */
export interface Forgetter {
  /** Takes in that buffers have come of which so many bytes are new to this worker, for a job of so many pieces. */
  note(freshBytes: number, views: number): void;
  /** Lets go of buffers if there are many; to be called when there is nothing else to do. */
  tidyUp(): void;
  /** Lets go of all. */
  forgetAll(): void;
}

/**
 * A buffer that came to a worker lives until V8 collects the worker's object for it. A worker allocates next to nothing, so
 * left alone it would never have a reason to, and V8 doesn't count shared memory.
 */
export function createForgetter(): Forgetter {
  let keptBytes = 0;
  let views = 0;
  /** Whether anything has come since the last major collection: a minor one may leave some. */
  let mayKeep = false;
  let collect: ((options?: { type: 'minor' }) => void) | undefined;
  const forget = (isYoung: boolean) => {
    collect ??= garbageCollector();
    // A minor collection takes 0.2 ms, a major one several; it finds what is new since the last.
    if (isYoung) collect({ type: 'minor' });
    else collect();
    keptBytes = 0;
    views = 0;
  };
  return {
    note(freshBytes, pieces) {
      keptBytes += freshBytes;
      views += pieces;
      mayKeep = true;
    },
    tidyUp() {
      if (keptBytes > MAX_KEPT_BYTES) forget(views <= MAX_YOUNG_VIEWS);
    },
    forgetAll() {
      if (mayKeep) forget(false);
      mayKeep = false;
    },
  };
}

/** V8's own, which a context has if it was made while the flag was set. */
function garbageCollector(): (options?: { type: 'minor' }) => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  return collect;
}
