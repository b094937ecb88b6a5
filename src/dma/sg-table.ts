import { types } from 'node:util';
import { invalid } from '../errno.js';

/** Which way bytes go: names of {@link DmaDirection}. */
export const DMA_DIRECTIONS = ['to-device', 'from-device'] as const;
/**
 * Which way bytes go, and so what a device may do with what is mapped for it (enum dma_data_direction): read what goes
 * `'to-device'`, write what comes `'from-device'`.
 */
export type DmaDirection = (typeof DMA_DIRECTIONS)[number];

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

/** Those that {@link createSgTable} has made: whose arrays nobody can exchange. */
const tables = new WeakSet<object>();

/** @throws ErrnoError EINVAL for what {@link createSgTable} has not made */
export function checkSgTable(name: string, value: unknown): asserts value is SgTable {
  const isTable = typeof value === 'object' && value !== null && tables.has(value);
  if (!isTable) throw invalid(name, 'must be of createSgTable', value);
}

/**
 * A table of ranges, mapped for nobody. It keeps both arrays, which must not be changed while it is mapped.
 *
 * @param address physical addresses in bytes, of any alignment
 * @param bytes above 0
 * @throws ErrnoError EINVAL for what is no Uint32Array, or arrays of different lengths; what stands in them is checked as it is
 * mapped
 */
export function createSgTable(address: Uint32Array, bytes: Uint32Array): SgTable {
  if (!types.isUint32Array(address)) throw invalid('address', 'must be a Uint32Array', address);
  if (!types.isUint32Array(bytes)) throw invalid('bytes', 'must be a Uint32Array', bytes);
  const { length } = address;
  if (length !== bytes.length) {
    throw invalid('table', 'must have as many addresses as lengths', `${length} and ${bytes.length}`);
  }
  const table = Object.freeze({ address, bytes, dma: new Uint32Array(length) });
  tables.add(table);
  return table;
}
