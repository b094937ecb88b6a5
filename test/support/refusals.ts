import { beforeAll, describe, expect, it } from 'vitest';
import { mtcopyEach } from './command.js';

/** Arguments that a command line refuses, and words that it says then. */
export type Refusals = readonly [args: string[], message: string][];

/** Tests that each is refused with exit status 2, all of them in one process. */
export function itRefuses(refusals: Refusals, ...before: string[]): void {
  describe('refuses with status 2', () => {
    let ended: ReturnType<typeof mtcopyEach>;
    beforeAll(() => {
      ended = mtcopyEach(refusals.map(([args]) => [...before, ...args]));
    });

    it.each(refusals.map(([args, message], i) => ({ args, message, i })))('$args', ({ message, i }) => {
      const { status, stdout, stderr } = ended[i];
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toContain(message);
    });
  });
}
