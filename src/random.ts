/** Numbers from 0 up to, not including, 1. */
export type Random = () => number;

/**
 * A small seeded generator (mulberry32): the same seed gives the same numbers on every machine, which is all that
 * experiments need of it. Not for secrets.
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Puts `list` in an order drawn from `random`, in place (Fisher and Yates). */
export function shuffle<T extends { length: number; [index: number]: unknown }>(list: T, random: Random): T {
  for (let last = list.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const kept = list[last];
    list[last] = list[other];
    list[other] = kept;
  }
  return list;
}
