/** Nanoseconds a call, of several in a row. */
export function timed(calls: number, copy: () => Promise<unknown>): () => Promise<number> {
  return async () => {
    const started = performance.now();
    for (let call = 0; call < calls; call++) await copy();
    return ((performance.now() - started) * 1e6) / calls;
  };
}

/** The same for what blocks: awaiting it would take as long as a small copy. */
export function timedSync(calls: number, copy: () => unknown): () => number {
  return () => {
    const started = performance.now();
    for (let call = 0; call < calls; call++) copy();
    return ((performance.now() - started) * 1e6) / calls;
  };
}
