/** Worker threads, and whether the caller is one more: what is held against as many threads of C. */
export const THREADS = [
  { threads: 1, caller: 'waits' },
  { threads: 2, caller: 'waits' },
  { threads: 1, caller: 'helps' },
] as const;

/** The mean of several calls, in nanoseconds. */
export async function mean(calls: number, run: () => Promise<number>): Promise<number> {
  let sum = 0;
  for (let call = 0; call < calls; call++) sum += await run();
  return sum / calls;
}
