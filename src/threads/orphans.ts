/**
 * Aborts the starts that no thread will take up: a thread that ends before it is ready leaves in Piscina's queue the task that
 * it was started for. The newest tasks are those in the queue; `queueSize` is what exceeds the threads that are still to be
 * ready.
 *
 * @param starts of tasks that no thread has taken up yet, as far as is known, the newest last
 */
export function abortOrphans(pool: { readonly queueSize: number }, starts: Iterable<AbortController>): void {
  for (const start of Array.from(starts).reverse()) {
    if (pool.queueSize === 0) return;
    start.abort();
  }
}
