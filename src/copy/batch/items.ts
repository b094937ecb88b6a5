import { types } from 'node:util';
import { lengthOf } from '../../check.js';
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

/**
 * The three arrays of a batch, each read once.
 *
 * @param what what `items` must be, as an error says it
 * @throws ErrnoError EINVAL for anything but Uint32Arrays of one length
 */
export function takeArrays(items: unknown, what = 'a CopyItems'): CopyItems {
  const { to, from, bytes } = (items ?? {}) as CopyItems;
  if (![to, from, bytes].every((array) => types.isUint32Array(array))) {
    throw invalid('items', `must be ${what}`, items);
  }
  const lengths = [to, from, bytes].map(lengthOf);
  if (lengths.some((length) => length !== lengths[0])) {
    throw invalid('items', 'must have as many to as from and bytes', `${lengths[0]}, ${lengths[1]} and ${lengths[2]}`);
  }
  // Whoever copies goes by what they say.
  if ([to, from, bytes].some(({ length }) => length !== lengths[0])) {
    throw invalid('items', 'must say the length that they have', items);
  }
  return { to, from, bytes };
}
