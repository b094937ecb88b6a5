import { ErrnoError, formatSize, listOf, MiB, orderOf, wholeNumber } from 'mtcopy';

/** Checks the bytes of a folio. */
export function folioBytes(_name: string, value: unknown): void {
  orderOf(value as number);
}

/** Checks a list of sizes of folios. */
export const folioSizes = listOf(folioBytes);

/** Checks a number of things, of which there must be one at least. */
export const count = wholeNumber(1, Number.POSITIVE_INFINITY);

/** Checks rounds that don't count. */
export const warmUps = wholeNumber(0, Number.POSITIVE_INFINITY);

/** Checks a seed: 32 bits, and room for one more a node. */
export const seed = wholeNumber(0, 2 ** 31);

/** What two nodes can have each: a machine's memory ends at 4 GiB, of which it needs some itself. */
const MAX_NODE_BYTES = 2032 * MiB;

/**
 * @param bytes that are to be on each of two nodes
 * @param name what an error calls them
 * @throws ErrnoError ENOMEM if there can't be so many
 */
export function checkRoom(name: string, bytes: number): void {
  if (bytes <= MAX_NODE_BYTES) return;
  const most = formatSize(MAX_NODE_BYTES);
  const problem = `${formatSize(bytes)} on each of two nodes is more than a memory of 4G has: ask for at most ${most}`;
  throw new ErrnoError('ENOMEM', `${name}: ${problem}`);
}

/** @throws ErrnoError EINVAL unless `total` is whole folios, one at least */
export function checkTotal(total: number, bytes: number): void {
  if (total >= bytes && total % bytes === 0) return;
  const problem = `must be a multiple of the folio size ${formatSize(bytes)}, above 0`;
  throw new ErrnoError('EINVAL', `total: ${problem}, got ${formatSize(total)}`);
}
