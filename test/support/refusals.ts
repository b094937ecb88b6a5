import { describe, expect, it } from 'vitest';
import { mtcopy } from './command.js';

/** Arguments that a command line refuses, and words that it says then. */
export type Refusals = readonly [args: string[], message: string][];

/** Tests that each is refused with exit status 2. */
export function itRefuses(refusals: Refusals, ...before: string[]): void {
  describe('refuses with status 2', () => {
    it.each(refusals.map(([args, message]) => ({ args, message })))('$args', async ({ args, message }) => {
      const { status, stdout, stderr } = await mtcopy(...before, ...args);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toContain(message);
    });
  });
}
