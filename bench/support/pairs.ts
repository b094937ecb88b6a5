import type { CopyItems, PhysicalMemory } from 'mtcopy';

/** A pair of views of the same length. */
export interface Pair {
  readonly to: Uint8Array;
  readonly from: Uint8Array;
}

/** A batch's items as views on the memory that they are addresses of. */
export function memoryPairs(memory: PhysicalMemory, { to, from, bytes }: CopyItems): Pair[] {
  const view = (address: number, i: number) => memory.bytes.subarray(address, address + bytes[i]);
  return Array.from(to, (address, i) => ({ to: view(address, i), from: view(from[i], i) }));
}

/**
 * The same addresses as bytes of two plain SharedArrayBuffers, from the first of a base on, of so many bytes each. They are made,
 * and touched, when first asked for.
 */
export function plainPairs(base: CopyItems, size: number): (items: CopyItems) => Pair[] {
  let buffers: Pair | undefined;
  return ({ to, from, bytes }) => {
    buffers ??= { to: numbered(size).fill(0), from: numbered(size) };
    const all = buffers;
    const view = (whole: Uint8Array, start: number, i: number) => whole.subarray(start, start + bytes[i]);
    return Array.from(to, (address, i) => ({
      to: view(all.to, address - base.to[0], i),
      from: view(all.from, from[i] - base.from[0], i),
    }));
  };
}

/** A plain SharedArrayBuffer's bytes, in which no two words are alike. */
function numbered(bytes: number): Uint8Array {
  const words = new Uint32Array(new SharedArrayBuffer(bytes));
  for (let i = 0; i < words.length; i++) words[i] = i;
  return new Uint8Array(words.buffer);
}

/** The loop that one would write instead. */
export function setEach(pairs: readonly Pair[]): void {
  for (const { to, from } of pairs) to.set(from);
}

/** Has each contestant copy once to what was cleared before. */
export async function verifyPairs(pairs: readonly Pair[], copies: readonly (() => unknown)[]): Promise<void> {
  for (const [number, copy] of copies.entries()) {
    for (const { to } of pairs) to.fill(0);
    await copy();
    const wrong = pairs.findIndex(({ to, from }) => Buffer.compare(to, from) !== 0);
    if (wrong >= 0) throw new Error(`contestant ${number} of ${copies.length} did not copy pair ${wrong}`);
  }
}
