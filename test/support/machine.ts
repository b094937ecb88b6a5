import type { Machine } from 'mtcopy';
import { expect } from 'vitest';

/** Matches an error with the kernel's `code`. */
export function errno(code: string) {
  return expect.objectContaining({ name: 'ErrnoError', code });
}

/** URL of a program for CPUs, one of test/programs. */
export function program(name: string): URL {
  return new URL(`../programs/${name}.mjs`, import.meta.url);
}

/** Free pages of each node. */
export function freePages({ memory }: Machine): number[] {
  return memory.nodes.map((node) => node.freePages);
}
