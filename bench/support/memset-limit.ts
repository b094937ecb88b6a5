import { startC } from './c-program.js';

/** C's memset and memcmp in a process of its own, over as many bytes of its own as it was started with. */
export interface Memset {
  /** Goes over all bytes once; returns nanoseconds. */
  run(threads: number, what: 'memset' | 'memcmp'): Promise<number>;
  end(): void;
}

/** Builds the C program and starts it, on huge pages if asked. */
export function startMemset(total: number, huge = false): Memset {
  const program = startC('memset-limit', huge ? [String(total), 'huge'] : [String(total)]);
  return { run: (threads, what) => program.ask(`${threads} ${what}`), end: () => program.end() };
}
