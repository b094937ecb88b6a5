import { invalid } from './errno.js';

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** Page frame number: a physical byte address divided by {@link PAGE_SIZE}. */
export type Pfn = Branded<number, 'Pfn'>;
/** Virtual page number: a virtual byte address divided by {@link PAGE_SIZE}. */
export type Vpn = Branded<number, 'Vpn'>;
/** Binary logarithm of a folio's number of pages: 0 is 4 KiB, 9 is 2 MiB, 10 is 4 MiB. */
export type Order = Branded<number, 'Order'>;
/** Index of a NUMA node, from 0. */
export type NodeId = Branded<number, 'NodeId'>;

/** Bytes of a page. */
export const PAGE_SIZE = 4096;
/** Binary logarithm of {@link PAGE_SIZE}. */
export const PAGE_SHIFT = 12;
/** The largest order that the buddy allocator hands out: 4 MiB, as on x86-64. */
export const MAX_PAGE_ORDER = 10 as Order;
/** The order of a folio that one PMD maps: 2 MiB. */
export const HPAGE_PMD_ORDER = 9 as Order;
/** Bytes of a cache line on every machine that Node.js supports and that matters here. */
export const CACHE_LINE = 64;

/** Bytes of a kibibyte, 2^10. */
export const KiB = 2 ** 10;
/** Bytes of a mebibyte, 2^20. */
export const MiB = 2 ** 20;
/** Bytes of a gibibyte, 2^30. */
export const GiB = 2 ** 30;

/** The number of pages that hold `bytes`. */
export function pagesOf(bytes: number): number {
  return Math.ceil(bytes / PAGE_SIZE);
}

/**
 * The order of a folio of `bytes`.
 *
 * @throws ErrnoError EINVAL unless `bytes` is a power of two from 4 KiB to 4 MiB.
 */
export function orderOf(bytes: number): Order {
  const order = typeof bytes === 'number' ? Math.log2(bytes / PAGE_SIZE) : Number.NaN;
  if (!Number.isInteger(order) || order < 0 || order > MAX_PAGE_ORDER) {
    throw invalid(
      'folio size',
      'must be a power of two from 4K to 4M',
      typeof bytes === 'number' ? formatSize(bytes) : bytes,
    );
  }
  return order as Order;
}

const SUFFIX: Record<string, number> = { '': 1, K: KiB, M: MiB, G: GiB };

/**
 * Bytes of a size such as `'64K'`, `'2M'`, `'1.5G'` or `4096`. K, M and G are powers of two; `KiB` and `kb` mean K.
 *
 * @param name what an error calls it
 * @throws ErrnoError EINVAL unless it is a whole number of bytes, 0 or more.
 */
export function parseSize(size: string | number, name = 'size'): number {
  // Of anything else a string could be made that is a size.
  const text = typeof size === 'string' || typeof size === 'number' ? String(size).trim() : '';
  const match = /^(\d+(?:\.\d+)?)([KMG]?)(?:i?B)?$/i.exec(text);
  const bytes = match ? Number(match[1]) * SUFFIX[match[2].toUpperCase()] : Number.NaN;
  if (!Number.isSafeInteger(bytes)) throw invalid(name, 'must be a size such as 4096, 64K, 2M or 1G', size);
  return bytes;
}

/**
 * `bytes` in the largest unit that leaves at most two decimals: 65536 is `64K`, 1000 is `1000`.
 *
 * @throws ErrnoError EINVAL for what is no number
 */
export function formatSize(bytes: number): string {
  if (typeof bytes !== 'number') throw invalid('bytes', 'must be a number', bytes);
  for (const [suffix, unit] of [
    ['G', GiB],
    ['M', MiB],
    ['K', KiB],
  ] as const) {
    const scaled = bytes / unit;
    if (scaled >= 1 && Number.isInteger(scaled * 4)) return `${scaled}${suffix}`;
  }
  return String(bytes);
}
