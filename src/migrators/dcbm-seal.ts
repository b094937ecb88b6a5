import { ErrnoError, invalid } from '../errno.js';
import { type Folio, isFolioOf } from '../memory/folio.js';
import { PG } from '../memory/page-metadata.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { PAGE_SIZE } from '../units.js';

/**
 * Has a folio's bytes scrambled, or unscrambled, and says so in its flags. Meanwhile it is locked, so that it stays where it
 * is, and held.
 *
 * @param run does that to a range of physical memory, all of it or nothing
 * @throws ErrnoError EINVAL for anything but an allocated folio of this memory that isn't so yet; EBUSY for one that is
 * locked; what `run` throws
 */
export async function setPrivate(
  memory: PhysicalMemory,
  folio: Folio,
  isPrivate: boolean,
  run: (address: number, bytes: number) => Promise<void>,
): Promise<void> {
  checkFolio(memory, folio);
  if (!folio.tryLock()) {
    throw new ErrnoError('EBUSY', `folio: the one at PFN ${folio.pfn} is locked; wait for whoever holds it`);
  }
  // So that its frames are nobody else's while the device writes to them.
  folio.get();
  try {
    if (folio.private === isPrivate)
      throw invalid('folio', isPrivate ? 'must not be sealed yet' : 'must be sealed', `PFN ${folio.pfn}`);
    await run(folio.pfn * PAGE_SIZE, folio.size);
    folio.private = isPrivate;
  } finally {
    folio.unlock();
    folio.put();
  }
}

function checkFolio(memory: PhysicalMemory, folio: Folio): void {
  if (!isFolioOf(memory, folio)) throw invalid('folio', "must be a Folio of this machine's memory", folio);
  const { pfn } = folio;
  if (!(memory.page.flags[pfn] & PG.head)) throw invalid('folio', 'must be allocated', `PFN ${pfn}`);
}
