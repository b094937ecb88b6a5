import { ErrnoError, formatSize, listOf, orderOf, wholeNumber } from 'mtcopy';

/** Checks the bytes of a folio. */
export function folioBytes(_name: string, value: unknown): void {
  orderOf(value as number);
}

/** Checks a list of sizes of folios. */
export const folioSizes = listOf(folioBytes);

/** Checks a number of things, of which there must be one at least. */
export const count = wholeNumber(1, Number.POSITIVE_INFINITY);

/** @throws ErrnoError EINVAL unless `total` is whole folios, one at least */
export function checkTotal(total: number, bytes: number): void {
  if (total >= bytes && total % bytes === 0) return;
  const problem = `must be a multiple of the folio size ${formatSize(bytes)}, above 0`;
  throw new ErrnoError('EINVAL', `total: ${problem}, got ${formatSize(total)}`);
}
