import { invalid } from '../errno.js';

/** Which way bytes go: what a device may do with what is mapped for it (enum dma_data_direction). */
export type DmaDirection = 'to-device' | 'from-device';

/**
 * A scatter-gather table, as a struct of arrays: ranges of physical memory, and where the device finds them while they are
 * mapped for it. Entry `i` of each array belongs to range `i`.
 */
export interface SgTable {
  /** Physical addresses in bytes. */
  readonly address: Uint32Array;
  /** Bytes, above 0. */
  readonly bytes: Uint32Array;
  /** The device's addresses in bytes; they mean nothing while the table isn't mapped. */
  readonly dma: Uint32Array;
}

/**
 * A table of ranges, mapped for nobody. It keeps both arrays, which must not be changed while it is mapped.
 *
 * @throws ErrnoError EINVAL for arrays of different lengths
 */
export function createSgTable(address: Uint32Array, bytes: Uint32Array): SgTable {
  if (address.length !== bytes.length) {
    throw invalid('table', 'must have as many addresses as lengths', `${address.length} and ${bytes.length}`);
  }
  return { address, bytes, dma: new Uint32Array(address.length) };
}
