import { expect, vi } from 'vitest';

/**
 * Makes a call, and does something once what the call is given has been looked at, and before any thread copies of it: as its
 * first job is published.
 */
export async function beforePublished<T>(call: () => Promise<T>, run: () => void): Promise<T> {
  const { store } = Atomics;
  let isRun = false;
  // The first of this thread's stores is that of a job's words, before its units may be claimed.
  const spy = vi.spyOn(Atomics, 'store').mockImplementation(((...stored: Parameters<typeof store>) => {
    if (!isRun) {
      isRun = true;
      run();
    }
    return store(...stored);
  }) as typeof store);
  try {
    return await call();
  } finally {
    spy.mockRestore();
    expect(isRun).toBe(true);
  }
}
