/** Which page comes next: names of {@link Pattern}. */
export const PATTERNS = ['uniform', 'normal', 'linear'] as const;
/** Which page comes next: any; one around the middle, with a sixth of the area as the deviation; the one after the last. */
export type Pattern = (typeof PATTERNS)[number];

/** Deviations from the middle to either end of the area. */
const HALF_WIDTH = 3;

/**
 * Draws whole numbers from 0 to 2^32 - 1 (xorshift). The state is in a typed array, for a number that a closure keeps is
 * allocated anew.
 */
export function createDraw(seed: number): () => number {
  const state = Uint32Array.of(Math.imul(seed + 1, 0x9e3779b1) | 1);
  return () => {
    let x = state[0];
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    state[0] = x;
    return x >>> 0;
  };
}

/** A function that returns the number of the next page, from 0, of `pages`. */
export function createPicker(pattern: Pattern, pages: number, draw: () => number): () => number {
  if (pattern === 'linear') return createWalker(pages, draw() % pages);
  if (pattern === 'normal') return () => drawNormal(pages, draw);
  return () => Math.floor((draw() / 2 ** 32) * pages);
}

function createWalker(pages: number, first: number): () => number {
  let last = first;
  return () => {
    last = last + 1 === pages ? 0 : last + 1;
    return last;
  };
}

/** By the transform of Box and Muller; what falls outside of the area is drawn once more. */
function drawNormal(pages: number, draw: () => number): number {
  for (;;) {
    const radius = Math.sqrt(-2 * Math.log((draw() + 1) / 2 ** 32));
    const deviations = radius * Math.cos((2 * Math.PI * draw()) / 2 ** 32);
    const page = Math.floor((pages / 2) * (1 + deviations / HALF_WIDTH));
    if (page >= 0 && page < pages) return page;
  }
}
