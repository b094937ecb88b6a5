import type { CopyItems } from '../copy/batch/items.js';

/**
 * What copies folios. The one place where a migration's bytes are moved. What it throws ends the call, which rejects with it;
 * folios that are not copied by then stay where they were.
 */
export interface Migrator {
  /** Stands in what `mtcopy:migrate` traces. */
  readonly name: string;
  /**
   * Copies one folio. Both are locked and mapped by nobody.
   *
   * @param to physical address in bytes
   * @param from physical address in bytes
   * @param bytes its size
   * @returns 0, or the errno of what went wrong: EHWPOISON for a poisoned frame, EAGAIN if another try may do
   */
  copyFolio(to: number, from: number, bytes: number): number | Promise<number>;
  /**
   * Copies a batch of folios, as {@link copyFolio} each, in any order. Those that it leaves, for any reason but EHWPOISON,
   * are copied one by one with {@link copyFolio}: EOPNOTSUPP for all of them declines the batch.
   *
   * @param items physical addresses and sizes in bytes; not to be kept
   * @param errnos where the outcome of each is to be put, 0 to 255; all 0 before, which says that it was copied
   */
  copyFolios(items: CopyItems, errnos: Uint8Array): void | Promise<void>;
}

/** Whether something has what a migrator must have. */
export function isMigrator(value: unknown): value is Migrator {
  const { name, copyFolio, copyFolios } = (value ?? {}) as Partial<Migrator>;
  return typeof name === 'string' && typeof copyFolio === 'function' && typeof copyFolios === 'function';
}
