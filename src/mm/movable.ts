import { ERRNO, ErrnoError, invalid, show } from '../errno.js';
import { type Folio, isFolioOf } from '../memory/folio.js';
import { clearAndWake, tryLockFolio } from '../memory/folio-lock.js';
import { PG } from '../memory/page-metadata.js';
import type { Pfn } from '../units.js';
import type { MemoryManager } from './manager.js';
import type { MigrateMode } from './migrate-mode.js';
import type { MovableOperations } from './movable-operations.js';

/** Whether a folio is movable memory that is on no LRU. */
export function isMovable({ memory }: MemoryManager, pfn: Pfn): boolean {
  return (memory.page.flags[pfn] & PG.movable) !== 0;
}

/**
 * Makes a folio movable (__SetPageMovable), until {@link clearMovable}.
 *
 * @throws ErrnoError EINVAL for anything but an allocated folio of the machine that no address space maps, that is in no page
 * cache and to which the caller has the only reference; EEXIST for one that is movable already
 */
export function setMovable(manager: MemoryManager, folio: Folio, operations: MovableOperations): void {
  const { page } = manager.memory;
  if (!isFolioOf(manager.memory, folio)) throw invalid('folio', "must be a Folio of this machine's memory", folio);
  for (const name of ['isolate', 'migrate', 'putback'] as const) {
    if (typeof operations?.[name] !== 'function')
      throw invalid(`operations.${name}`, 'must be a function', operations?.[name]);
  }
  const { pfn } = folio;
  if (isMovable(manager, pfn)) throw new ErrnoError('EEXIST', `folio: the one at PFN ${pfn} is movable already`);
  // A range of allocContig is no folio that could be freed.
  const isFolio = (page.flags[pfn] & PG.head) !== 0;
  // One that was moved is freed by the call that moved it.
  const isAlone = page.refcount[pfn] === 1 && page.mapping[pfn] === 0 && !(page.flags[pfn] & PG.isolated);
  if (!(isFolio && isAlone)) throw invalid('folio', 'must be allocated, and nobody but its owner has it', `PFN ${pfn}`);
  manager.movable.set(pfn, operations);
  Atomics.or(page.flags, pfn, PG.movable);
}

/**
 * Makes a movable folio one like others (__ClearPageMovable): before its owner frees it.
 *
 * @throws ErrnoError EINVAL if it isn't movable; EBUSY while it is isolated
 */
export function clearMovable(manager: MemoryManager, folio: Folio): void {
  if (!isFolioOf(manager.memory, folio)) throw invalid('folio', 'must be a movable Folio', folio);
  if (!isMovable(manager, folio.pfn)) throw invalid('folio', 'must be a movable Folio', `PFN ${folio.pfn}`);
  const { flags } = manager.memory.page;
  if (flags[folio.pfn] & PG.isolated)
    throw new ErrnoError('EBUSY', `folio: the one at PFN ${folio.pfn} is being moved; wait for that to end`);
  forgetMovable(manager, folio.pfn);
}

/**
 * Drops the isolator's reference. A folio whose owner has dropped his meanwhile is freed (what unmap_and_move does with one
 * that was freed from under it), and movable no more.
 */
function putIsolated(manager: MemoryManager, pfn: Pfn): void {
  const { memory } = manager;
  if (memory.page.refcount[pfn] === 1) forgetMovable(manager, pfn);
  memory.putFolio(pfn);
}

/** Takes a movable folio from its owner, with a reference (isolate_movable_page). Returns whether it did. */
export function isolateMovable(manager: MemoryManager, pfn: Pfn, mode: MigrateMode): boolean {
  const { memory } = manager;
  const { flags, refcount } = memory.page;
  if ((flags[pfn] & (PG.movable | PG.isolated)) !== PG.movable || !tryLockFolio(memory.page, pfn)) return false;
  // First, so that its owner can't free it, or clear it, in the callback.
  Atomics.or(flags, pfn, PG.isolated);
  Atomics.add(refcount, pfn, 1);
  let isIsolated = false;
  try {
    isIsolated = operationsOf(manager, pfn).isolate(memory.folio(pfn), mode) === true;
  } finally {
    if (!isIsolated) Atomics.and(flags, pfn, ~PG.isolated);
    clearAndWake(memory.page, pfn, PG.locked);
    if (!isIsolated) putIsolated(manager, pfn);
  }
  return isIsolated;
}

/**
 * Gives an isolated movable folio back to its owner, unless he has dropped it, and drops the isolator's reference
 * (putback_movable_page).
 */
export function putbackMovable(manager: MemoryManager, pfn: Pfn): void {
  const { memory } = manager;
  const { flags, refcount } = memory.page;
  Atomics.and(flags, pfn, ~PG.isolated);
  try {
    if (refcount[pfn] > 1) operationsOf(manager, pfn).putback(memory.folio(pfn));
  } finally {
    putIsolated(manager, pfn);
  }
}

/**
 * Has the owner of a movable folio use its copy, if it is one (the last step of move_to_new_folio).
 *
 * @returns 0, also for all other folios, or the errno that the owner answered; EIO for an answer that is none; EAGAIN, and he
 * is not asked, if he has dropped it, or somebody else has it too
 */
export function moveMovable(manager: MemoryManager, src: Pfn, dst: Pfn, mode: MigrateMode): number {
  if (!isMovable(manager, src)) return 0;
  const { memory } = manager;
  const { flags, refcount } = memory.page;
  // His, and the isolator's: batch-move has looked before the copy, in which the event loop had turns.
  if (refcount[src] !== 2) return ERRNO.EAGAIN;
  const operations = operationsOf(manager, src);
  const errno = operations.migrate(memory.folio(dst), memory.folio(src), mode);
  if (errno !== 0) return Number.isInteger(errno) && errno > 0 && errno < 4096 ? errno : ERRNO.EIO;
  forgetMovable(manager, src);
  manager.movable.set(dst, operations);
  Atomics.or(flags, dst, PG.movable);
  // The owner's reference, which he may have dropped himself, as the kernel's owners do (zs_page_migrate). The isolator drops
  // its own as it frees the old folio.
  Atomics.add(refcount, dst, 1);
  if (refcount[src] > 1) Atomics.sub(refcount, src, 1);
  return 0;
}

/** Makes a folio one like others, which its last reference frees. */
export function forgetMovable(manager: MemoryManager, pfn: Pfn): void {
  manager.movable.delete(pfn);
  Atomics.and(manager.memory.page.flags, pfn, ~PG.movable);
}

function operationsOf({ movable }: MemoryManager, pfn: Pfn): MovableOperations {
  const operations = movable.get(pfn);
  if (!operations) throw new ErrnoError('EINVAL', `folio at PFN ${show(pfn)} was freed while it was movable`);
  return operations;
}
