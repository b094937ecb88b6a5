/** Closes all, also if closing one of them fails. @throws what the first of those has thrown, once all have ended */
export async function closeAll(closers: readonly { close(): Promise<unknown> }[]): Promise<void> {
  const outcomes = await Promise.allSettled(closers.map(async (closer) => closer.close()));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}
