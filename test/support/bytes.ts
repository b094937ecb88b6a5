import type { CopyPair } from 'mtcopy';
import { expect } from 'vitest';

/** Bytes that differ nearly everywhere from their neighbours and from those of another seed. */
export function fillRandom(view: ArrayBufferView, seed: number): void {
  // By words, which takes a third of the time: the suite fills some gigabytes.
  const words = new Uint32Array(Math.ceil(view.byteLength / 4));
  let state = (seed * 0x9e3779b1) | 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  bytes.set(new Uint8Array(words.buffer, 0, bytes.length));
}

/** The view's bytes as they are: on the same memory, or a copy that nobody else has. */
export function bytesOf(view: ArrayBufferView): Buffer {
  return Buffer.from(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);
}

export function snapshot(view: ArrayBufferView): Buffer {
  return Buffer.from(bytesOf(view));
}

/** Whether two views hold the same bytes; as fast as memcmp, which `toEqual` is not. */
export function isSame(a: ArrayBufferView, b: ArrayBufferView): boolean {
  return bytesOf(a).equals(bytesOf(b));
}

/** Whether a view holds nothing but one byte; as fast, where `every` makes a call for each. */
export function isAll(view: ArrayBufferView, byte: number): boolean {
  return bytesOf(view).equals(Buffer.alloc(view.byteLength, byte));
}

/** Consecutive pairs of the given sizes on two views; `gap` bytes stay free between them. */
export function pairsOf(to: Uint8Array, from: Uint8Array, sizes: readonly number[], gap = 0): CopyPair[] {
  let offset = 0;
  return sizes.map((size) => {
    const pair = { to: to.subarray(offset, offset + size), from: from.subarray(offset, offset + size) };
    offset += size + gap;
    return pair;
  });
}

/** Expects the pairs that are not in `failed` to be copied, byte for byte. */
export function expectCopied(pairs: readonly CopyPair[], failed: readonly { index: number }[] = []): void {
  const missing = new Set(failed.map(({ index }) => index));
  const wrong = pairs.findIndex(({ to, from }, i) => !missing.has(i) && !isSame(to, from));
  expect(wrong, 'position of an item that is not what its source is').toBe(-1);
}
