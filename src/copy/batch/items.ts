import { invalid } from '../../errno.js';

/**
 * The items of a batch as a struct of arrays: what the kernel's copy driver has as a list of `to`, `from` and size,
 * without an object an item. Entry `i` of each array belongs to item `i`.
 */
export interface CopyItems {
  /** Where each item goes: a physical address in bytes. */
  readonly to: Uint32Array;
  /** Where each item comes from: a physical address in bytes. */
  readonly from: Uint32Array;
  /** Bytes of each item. */
  readonly bytes: Uint32Array;
}

/** {@link CopyItems} on a line of addresses that may be longer than 32 bits can tell. */
export interface Ranges {
  readonly to: Uint32Array | Float64Array;
  readonly from: Uint32Array | Float64Array;
  readonly bytes: Uint32Array | Float64Array;
}

/** Room for `count` items. */
export function createCopyItems(count: number): CopyItems {
  return { to: new Uint32Array(count), from: new Uint32Array(count), bytes: new Uint32Array(count) };
}

/** Throws EINVAL unless the three arrays are of one length. */
export function checkLengths({ to, from, bytes }: CopyItems): void {
  if (from.length === to.length && bytes.length === to.length) return;
  const lengths = `${to.length}, ${from.length} and ${bytes.length}`;
  throw invalid('items', 'must have as many to as from and bytes', lengths);
}
