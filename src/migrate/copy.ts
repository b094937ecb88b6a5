import { ERRNO, ErrnoError, show } from '../errno.js';
import { PAGE_SIZE, type Pfn } from '../units.js';
import { errnoOf, type Migration } from './migration.js';
import { needResched, resched } from './resched.js';

/** The largest number that is an errno, as the kernel's. */
const MAX_ERRNO = 4095;

/**
 * Copies the bytes of one folio (folio_mc_copy). Returns 0, or the errno of what went wrong; that of the call's error, and
 * nothing is copied, once there is one.
 */
export function copyFolio(migration: Migration, src: Pfn, dst: Pfn): number | Promise<number> {
  if (migration.error !== undefined) return errnoOf(migration.error);
  const { manager, migrator } = migration;
  const bytes = PAGE_SIZE << manager.memory.page.order[src];
  try {
    const outcome = migrator.copyFolio(dst * PAGE_SIZE, src * PAGE_SIZE, bytes);
    return typeof outcome === 'number'
      ? checked(outcome)
      : Promise.resolve(outcome).then(checked, (error) => giveUp(migration, error));
  } catch (error) {
    return giveUp(migration, error);
  }
}

/** Copies all unmapped folios whose `errno` is 0 (folios_copy), and leaves there what came of each. */
export async function copyUnmapped(migration: Migration): Promise<void> {
  const { manager, migrator, unmapped, items, errnos } = migration;
  const { order } = manager.memory.page;
  let count = 0;
  for (let i = 0; i < unmapped.count; i++) {
    if (unmapped.errno[i] !== 0) continue;
    items.to[count] = unmapped.dst[i] * PAGE_SIZE;
    items.from[count] = unmapped.src[i] * PAGE_SIZE;
    items.bytes[count] = PAGE_SIZE << order[unmapped.src[i]];
    errnos[count++] = 0;
  }
  if (count === 0) return;
  const batch = {
    to: items.to.subarray(0, count),
    from: items.from.subarray(0, count),
    bytes: items.bytes.subarray(0, count),
  };
  try {
    const slow = migrator.copyFolios(batch, errnos);
    if (slow) await slow;
  } catch (error) {
    errnos.fill(giveUp(migration, error), 0, count);
  }
  for (let i = 0, item = 0; i < unmapped.count; i++) {
    if (unmapped.errno[i] === 0) unmapped.errno[i] = errnos[item++];
  }
}

/**
 * Copies by itself each unmapped folio that is `ready` and that the copy of the batch left, for any reason but a poisoned
 * frame: whatever has declined the batch, or lost a part of it, may do so with one folio.
 */
export async function copyLeft(migration: Migration): Promise<void> {
  const { src, dst, ready, errno, count } = migration.unmapped;
  const { order } = migration.manager.memory.page;
  for (let i = 0; i < count; i++) {
    if (ready[i] === 0 || errno[i] === 0 || errno[i] === ERRNO.EHWPOISON) continue;
    const outcome = copyFolio(migration, src[i] as Pfn, dst[i] as Pfn);
    errno[i] = typeof outcome === 'number' ? outcome : await outcome;
    if (needResched(migration.slice, 1 << order[src[i]])) await resched(migration.slice);
  }
}

/** The errno that a migrator answered; EIO for anything else, which a status would take for a node. */
function checked(answer: number): number {
  return Number.isInteger(answer) && answer >= 0 && answer <= MAX_ERRNO ? answer : ERRNO.EIO;
}

/** Keeps what a migrator has thrown, for the end of the call; its folios stay where they were. */
function giveUp(migration: Migration, error: unknown): number {
  migration.error ??= error ?? new ErrnoError('EIO', `migrator: must throw an Error, not ${show(error)}`);
  return ERRNO.EIO;
}
