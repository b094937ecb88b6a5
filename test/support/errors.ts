import { expect } from 'vitest';

/** The error that `run` throws or rejects with. */
export async function errorOf(run: () => unknown): Promise<Error & { code?: string }> {
  try {
    await run();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

/** Matches an error with the kernel's `code`. */
export function errno(code: string) {
  return expect.objectContaining({ name: 'ErrnoError', code });
}
