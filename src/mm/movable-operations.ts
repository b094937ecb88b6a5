import type { Folio } from '../memory/folio.js';
import type { MigrateMode } from './migrate-mode.js';

/**
 * What the owner of movable memory that is on no LRU does as it is moved (struct movable_operations): a compressed store, a
 * balloon, or whoever else finds its folios by itself. Called on the machine's thread, and not to wait. An owner who drops his
 * reference on a folio that is isolated is not called for it again, and it is freed.
 */
export interface MovableOperations {
  /**
   * Whether the folio may be moved now. From then on its owner leaves its bytes alone, until {@link migrate} or
   * {@link putback}.
   */
  isolate(folio: Folio, mode: MigrateMode): boolean;
  /**
   * Has the owner use `dst`, to which the bytes are copied, instead of `src`. Its reference goes over to `dst`, if it agrees,
   * also if it drops the one on `src` itself.
   *
   * @returns 0, or an errno: EAGAIN to be asked again; with any other the folio stays, though all modes but MIGRATE_ASYNC try
   * it once more by itself
   */
  migrate(dst: Folio, src: Folio, mode: MigrateMode): number;
  /** The folio is its owner's again, where it was. */
  putback(folio: Folio): void;
}
