import { ErrnoError } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { PAGE_SIZE } from '../units.js';

/** The error of a range of which a frame is poisoned, and was to be read: it names the first such frame. */
export function poisonError(
  memory: PhysicalMemory,
  name: string,
  address: number,
  bytes: number,
  rest: string,
): ErrnoError {
  let pfn = Math.floor(address / PAGE_SIZE);
  const last = Math.floor((address + bytes - 1) / PAGE_SIZE);
  while (pfn < last && !memory.isPoisoned(pfn * PAGE_SIZE, 1)) pfn++;
  return new ErrnoError('EHWPOISON', `${name}: frame ${pfn} has a memory error; ${rest}`);
}
