import { PAGE_SIZE } from '../units.js';
import { openNative } from './streaming.js';

/**
 * Has the system make the pages under a view on whole pages now, huge ones where it has them to give: what is scattered over
 * those is copied faster, for they take fewer page walks. Blocks meanwhile. The bytes stay as they are, also those that others
 * write at the same time.
 */
export function populate(pages: Uint8Array): void {
  const { walker } = openNative();
  // Whatever it answers: a system without huge pages makes others.
  walker?.adviseHuge(pages);
  if (walker?.populate(pages) === 0) return;
  // A store has a page made, a load would not; this one leaves the byte as it is.
  for (let at = 0; at < pages.length; at += PAGE_SIZE) Atomics.or(pages, at, 0);
}
