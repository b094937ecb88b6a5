/**
 * Amdahl's law: by how much the whole gets faster when a part of it does.
 *
 * @param F the part's share of the time, 0 to 1
 * @param S how many times as fast the part is; `Infinity` for the most that any S allows
 */
export function amdahl(F: number, S: number): number {
  return 1 / (1 - F + F / S);
}
