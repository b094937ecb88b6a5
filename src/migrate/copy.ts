import { awaiting, chargedBefore, chargedNs } from '../copy/cpu-account.js';
import { SHORT_MS } from '../copy/worker/cpu-clock.js';
import { ERRNO, ErrnoError, show } from '../errno.js';
import { PG } from '../memory/page-metadata.js';
import { type Recording, recording } from '../trace/recording.js';
import { KiB, PAGE_SIZE } from '../units.js';
import { bytesOf, errnoOf, isPrivate, type Migration, type UnmappedFolios } from './migration.js';
import { COPIED_BY_CALLER, type Migrator, type OffloadBatch, type OffloadUsage } from './migrator.js';
import { batchOf, isWorthwhile, oneOf, putOffer } from './offer.js';
import { needResched, resched } from './resched.js';
import { streamEach, streamListOf } from './stream.js';

/** What takes less than a time slice had the core to itself, in nanoseconds. */
const SHORT_NS = SHORT_MS * 1e6;
/** What a trace counts as on its way is not less, or it would be every page that is copied by itself. */
const FLIGHT_BYTES = 64 * KiB;
/** Errno of a folio whose batch was copied without it: the calling thread is to copy it. */
const NOT_COPIED = ERRNO.EOPNOTSUPP;

/**
 * Copies the bytes of the unmapped folio `at`, by the migrator if it takes so small a batch, or else on the calling thread.
 * Returns 0, or the errno of what went wrong; that of the call's error, and nothing is copied, once there is one.
 */
export function copyFolio(migration: Migration, at: number): number | Promise<number> {
  const { error, offer, unmapped } = migration;
  const needsDevice = isPrivate(migration, at);
  const migrator = needsDevice ? migration.forPrivate : migration.migrator;
  if (migrator === undefined || error !== undefined || !canMigrate(migrator, unmapped, at))
    return copyFolioHere(migration, at);
  const bytes = bytesOf(migration, at);
  if (!needsDevice && !isWorthwhile(migrator, 1, bytes)) return copyFolioHere(migration, at);
  putOffer(offer, 0, unmapped.dst[at] * PAGE_SIZE, unmapped.src[at] * PAGE_SIZE, bytes);
  const batch = oneOf(offer, needsDevice);
  const slow = offload(migration, migrator, batch);
  if (!slow) return afterOffload(migration, at, batch);
  offer.isOneSpent = true;
  return slow.then(() => afterOffload(migration, at, batch));
}

/** What came of the one folio that a migrator was asked for: it is copied, or the calling thread's. */
function afterOffload(migration: Migration, at: number, { copied }: OffloadBatch): number | Promise<number> {
  const mark = copied[0];
  // Marks that were transferred are gone: that is none.
  if (!mark) {
    migration.offer.isOneSpent = true;
    return copyFolioHere(migration, at);
  }
  migration.unmapped.offloaded[at] = isOffloaded(mark);
  return 0;
}

/** 1 for the mark of a folio that the migrator has copied, 0 if the calling thread has. */
function isOffloaded(mark: number): number {
  return mark === COPIED_BY_CALLER ? 0 : 1;
}

/**
 * Copies the bytes of the unmapped folio `at` on the calling thread (folio_mc_copy). Returns as {@link copyFolio}; EOPNOTSUPP
 * for one that is private to a device.
 */
export function copyFolioHere(migration: Migration, at: number): number | Promise<number> {
  if (migration.error !== undefined) return errnoOf(migration.error);
  if (isPrivate(migration, at)) return ERRNO.EOPNOTSUPP;
  const { unmapped, slice, folioCopy } = migration;
  unmapped.offloaded[at] = 0;
  return folioCopy(slice, unmapped.dst[at] * PAGE_SIZE, unmapped.src[at] * PAGE_SIZE, bytesOf(migration, at));
}

/**
 * Copies the bytes of the unmapped folio `at`, that a batch's copy has left: on the calling thread; or by the device that it is
 * private to, if that wasn't asked for it yet.
 */
export function copyFolioLeft(migration: Migration, at: number): number | Promise<number> {
  const isForDevice = isPrivate(migration, at) && migration.unmapped.errno[at] !== NOT_COPIED;
  return isForDevice ? copyFolio(migration, at) : copyFolioHere(migration, at);
}

/**
 * Copies all unmapped folios whose `errno` is 0 (folios_copy), by the migrator if there is one. Leaves an errno with those
 * that are not copied: {@link copyFolioHere} may do for them.
 */
export async function copyUnmapped(migration: Migration): Promise<void> {
  const { migrator, forPrivate } = migration;
  if (migrator) await copyOffloaded(migration, migrator, false, 0);
  else await copyEach(migration, 0);
  // Not once a migrator has thrown: nothing more is moved then.
  if (forPrivate && migration.error === undefined) await copyOffloaded(migration, forPrivate, true, NOT_COPIED);
}

/** Has a migrator copy those of the unmapped folios of the errno `which` that are private to a device, or that are not. */
async function copyOffloaded(
  migration: Migration,
  migrator: Migrator,
  ofDevice: boolean,
  which: number,
): Promise<void> {
  const { unmapped, offer } = migration;
  const { errno, offloaded } = unmapped;
  const count = fillOffer(migration, migrator, ofDevice, which);
  let sum = 0;
  for (let item = 0; item < count; item++) sum += offer.items.bytes[item];
  if (count === 0 || !(ofDevice || isWorthwhile(migrator, count, sum))) return;
  const batch = batchOf(offer, count, ofDevice);
  const slow = offload(migration, migrator, batch);
  if (slow) await slow;
  for (let item = 0; item < count; item++) {
    const mark = batch.copied[item];
    // As above.
    if (!mark) continue;
    const i = offer.place[item];
    errno[i] = 0;
    offloaded[i] = isOffloaded(mark);
  }
}

/** Offers a migrator what it is to copy; all folios of that errno count as not copied now. Returns how many are offered. */
function fillOffer(migration: Migration, migrator: Migrator, ofDevice: boolean, which: number): number {
  const { unmapped, offer, manager } = migration;
  const { src, dst, errno } = unmapped;
  const { flags, order } = manager.memory.page;
  const isPicky = migrator.canMigrate !== undefined;
  let count = 0;
  for (let i = 0; i < unmapped.count; i++) {
    if (errno[i] !== which) continue;
    errno[i] = NOT_COPIED;
    const from = src[i];
    if (((flags[from] & PG.private) !== 0) !== ofDevice) continue;
    if (isPicky && !canMigrate(migrator, unmapped, i)) continue;
    offer.place[count] = i;
    putOffer(offer, count++, dst[i] * PAGE_SIZE, from * PAGE_SIZE, PAGE_SIZE << order[from]);
  }
  return count;
}

/** Copies by itself, on the calling thread, each unmapped folio that {@link copyUnmapped} left. */
export function copyLeft(migration: Migration): Promise<void> {
  return copyEach(migration, NOT_COPIED);
}

/**
 * Copies each unmapped folio of that `errno` on the calling thread, with turns of the event loop between: all of them by a list
 * past the caches, where the call wants that and it can be had.
 */
async function copyEach(migration: Migration, which: number): Promise<void> {
  const { unmapped, slice, manager } = migration;
  const list = streamListOf(migration);
  if (list) return streamEach(migration, which, list);
  const { src, errno, count } = unmapped;
  const { order } = manager.memory.page;
  for (let i = 0; i < count; i++) {
    if (errno[i] !== which) continue;
    const outcome = copyFolioHere(migration, i);
    errno[i] = typeof outcome === 'number' ? outcome : await outcome;
    if (needResched(slice, 1 << order[src[i]])) await resched(slice);
  }
}

/** Asks the migrator for a batch; once that is over its marks say what is copied. Never rejects. */
function offload(migration: Migration, migrator: Migrator, batch: OffloadBatch): Promise<void> | undefined {
  const trace = recording;
  const bytes = trace ? beginFlight(trace, batch) : 0;
  const slow = ask(migration, migrator, batch);
  if (!trace || bytes === 0) return slow;
  const land = () => trace.addBytes('migrators', -bytes);
  if (slow) return slow.then(land);
  land();
  return undefined;
}

/** As {@link offload}, which a trace shows too. */
function ask(migration: Migration, migrator: Migrator, batch: OffloadBatch): Promise<void> | undefined {
  const { offer, slice, stats } = migration;
  const { account } = slice;
  const { usage } = offer;
  const before = submission(usage);
  const charged = chargedBefore();
  try {
    const outcome = migrator.copyFolios(batch);
    // What it has submitted in this stretch counts as that, and not as the caller's too.
    account.ns -= submitted(usage, submission(usage) - before, charged);
    if (typeof outcome === 'number') {
      if (outcome !== 0) stats.declined++;
      return undefined;
    }
    return awaiting(account, () => Promise.resolve(outcome)).then(
      (errno) => {
        if (errno !== 0) stats.declined++;
      },
      (error) => giveUp(migration, error, batch),
    );
  } catch (error) {
    giveUp(migration, error, batch);
    return undefined;
  }
}

/**
 * Counts the bytes of a batch as on their way, for a trace, and returns them; 0 for fewer than {@link FLIGHT_BYTES}, which are
 * not counted.
 */
function beginFlight(trace: Recording, { items }: OffloadBatch): number {
  let bytes = 0;
  for (let item = 0; item < items.bytes.length; item++) bytes += items.bytes[item];
  if (bytes < FLIGHT_BYTES) return 0;
  trace.addBytes('migrators', bytes);
  return bytes;
}

/**
 * CPU nanoseconds of what a migrator says that it took `ns` to submit: by the clock, as a rule, so that it may have waited for
 * a core meanwhile. It is no more than what the thread was charged with beyond `charged`; what exceeds that comes off.
 */
function submitted(usage: OffloadUsage, ns: number, charged: number): number {
  if (!(ns >= SHORT_NS)) return ns > 0 ? ns : 0;
  const excess = Math.min(usage.submit, Math.max(0, ns - (chargedNs() - charged)));
  usage.submit -= excess;
  return ns - excess;
}

function submission({ map, submit, unmap }: OffloadUsage): number {
  return map + submit + unmap;
}

/** Keeps what a migrator has thrown, for the end of the call; its folios stay where they were. */
function giveUp(migration: Migration, error: unknown, { copied }: OffloadBatch): void {
  migration.error ??= error ?? new ErrnoError('EIO', `migrator: must throw an Error, not ${show(error)}`);
  copied.fill(0);
}

function canMigrate(migrator: Migrator, { src, dst }: UnmappedFolios, at: number): boolean {
  return migrator.canMigrate === undefined || migrator.canMigrate(dst[at] * PAGE_SIZE, src[at] * PAGE_SIZE);
}
