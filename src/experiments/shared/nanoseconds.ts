/** What a clock counted: one that goes by steps may say 0 of what is short, of which there are no ratios. */
export function atLeast1Ns(ns: number): number {
  return Math.max(1, ns);
}
