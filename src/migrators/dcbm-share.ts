import { setImmediate } from 'node:timers/promises';
import type { CopyOne } from '../copy/copy-one.js';
import { createCpuAccount, enter, leave } from '../copy/cpu-account.js';
import { PIECE_BYTES } from '../migrate/folio-copy.js';
import { COPIED_BY_CALLER, type OffloadBatch } from '../migrate/migrator.js';
import { SLICE_MS } from '../migrate/resched.js';

/** The share that the calling thread begins with, and the most that it takes. */
const FIRST_SHARE = 0.25;
const MAX_SHARE = 0.999;
/** How much faster than it seemed an engine is taken to be that was not waited for: twice as much more each time in a row. */
const FASTER = 0.05;
const MAX_DOUBLINGS = 5;

/** A share is about settled once it moves by less than this part of the engine's: then it is known what sharing comes to. */
const SETTLED = 0.1;
/** What sharing must promise, of the calling thread alone, to be gone on with while it is slower. */
const PROMISE = 1.02;
/** How fast sharing must be, of the calling thread alone. */
const LEAST = 0.98;
/** Batches in a row that may be slower while the share is still being found. */
const PATIENCE = 8;
/** Batches for which the engine is left out once sharing has gained nothing: twice as many each time in a row. */
const FIRST_ALONE = 4;
const MAX_ALONE = 256;
/** The share that it is tried again with at most: of less than that nothing can be told. */
const RETRY_SHARE = 0.75;

/** What came of a batch that the calling thread and the engine shared. */
export interface Shared {
  readonly cpuBytes: number;
  /** Nanoseconds that the calling thread copied, and that the engine took from the first descriptor to the last. */
  readonly cpuNs: number;
  readonly engineBytes: number;
  readonly engineNs: number;
  /** Nanoseconds of the whole batch, set-up too. */
  readonly wallNs: number;
}

/** The calling thread's share of a batch, found from what earlier ones took. */
export interface AutoShare {
  /** 1: all of it. */
  readonly share: number;
  note(shared: Shared): void;
}

/**
 * A share by which both come to their end together. As long as the calling thread waits for the engine it is known how fast
 * both are; while it doesn't, the engine is taken to be faster than it seemed. Where sharing isn't faster than the calling
 * thread alone, for waking up an engine takes its time, the engine is left out, and tried again every now and then.
 */
export function createAutoShare(): AutoShare {
  let share = FIRST_SHARE;
  /** Batches in a row for which the engine was not waited for. */
  let unwaited = 0;
  /** Batches to come without the engine: the first one tells how fast the calling thread is alone. */
  let alone = 1;
  let nextAlone = FIRST_ALONE;
  /** Batches in a row that were slower than the calling thread alone. */
  let slower = 0;
  /** Bytes a nanosecond of the calling thread alone. */
  let cpuSpeed = 0;
  const noteAlone = ({ cpuBytes, cpuNs }: Shared) => {
    if (alone > 0 && --alone === 0) share = Math.min(share, RETRY_SHARE);
    if (cpuNs > 0) cpuSpeed = cpuSpeed > 0 ? (cpuSpeed + cpuBytes / cpuNs) / 2 : cpuBytes / cpuNs;
  };
  const noteBoth = ({ cpuBytes, cpuNs, engineBytes, engineNs, wallNs }: Shared) => {
    unwaited = engineNs > cpuNs ? 0 : Math.min(unwaited + 1, MAX_DOUBLINGS);
    const engine = (engineBytes / engineNs) * (unwaited > 0 ? 1 + FASTER * 2 ** (unwaited - 1) : 1);
    // Nothing was too little to measure: a little more, then.
    const cpu = cpuBytes > 0 && cpuNs > 0 ? cpuBytes / cpuNs : 0;
    const wanted = cpu > 0 ? cpu / (cpu + engine) : share + FASTER;
    const isSettled = Math.abs(wanted - share) < SETTLED * (1 - wanted);
    share = Math.min(MAX_SHARE, (share + wanted) / 2);
    if ((cpuBytes + engineBytes) / wallNs >= LEAST * cpuSpeed) {
      slower = 0;
      if (isSettled) nextAlone = FIRST_ALONE;
      return;
    }
    if (!isSettled && ++slower < PATIENCE && cpu / wanted > PROMISE * cpuSpeed) return;
    slower = 0;
    alone = nextAlone;
    nextAlone = Math.min(2 * nextAlone, MAX_ALONE);
  };
  return {
    get share() {
      return alone > 0 ? 1 : share;
    },
    note(shared) {
      if (shared.engineBytes === 0) noteAlone(shared);
      else noteBoth(shared);
    },
  };
}

/** How many of a batch's items the engine gets, the first ones: as many as leave the calling thread its share of the bytes. */
export function engineItems(bytes: Uint32Array, share: number): number {
  if (share === 0) return bytes.length;
  let left = 0;
  for (const size of bytes) left += size;
  const mine = left * share;
  let count = bytes.length;
  for (let taken = 0; count > 0 && taken + bytes[count - 1] / 2 < mine; ) taken += bytes[--count];
  return count;
}

/**
 * Copies a batch's items from `first` on, on the calling thread; the event loop gets turns meanwhile. Marks what is copied, as that thread's.
 *
 * @returns nanoseconds that it took, without those turns
 */
export async function copyShare(
  copyOne: CopyOne,
  { items, copied, usage }: OffloadBatch,
  first: number,
): Promise<number> {
  const { to, from, bytes } = items;
  let began = performance.now();
  let worked = 0;
  const account = createCpuAccount();
  enter(account);
  let sinceLook = 0;
  for (let i = first; i < to.length; i++) {
    let done = 0;
    for (; done < bytes[i]; done += PIECE_BYTES) {
      const piece = Math.min(PIECE_BYTES, bytes[i] - done);
      if (!copyOne(to[i] + done, from[i] + done, piece)) break;
      sinceLook += piece;
      if (sinceLook < PIECE_BYTES) continue;
      sinceLook = 0;
      const now = performance.now();
      if (now - began < SLICE_MS) continue;
      worked += now - began;
      leave(account);
      await setImmediate();
      enter(account);
      began = performance.now();
    }
    if (done >= bytes[i]) copied[i] = COPIED_BY_CALLER;
  }
  worked += performance.now() - began;
  leave(account);
  usage.caller += account.ns;
  return worked * 1e6;
}
