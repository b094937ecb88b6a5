import { startC } from './c-program.js';

/** What copies in C: `'nt'` are streaming stores, `'ahead'` those with the next folio fetched meanwhile. */
export type LimitMethod = 'memcpy' | 'nt' | 'ahead';

/** C's memcpy in a process of its own, over as many bytes of its own as it was started with. */
export interface Memcpy {
  /** Copies all bytes once, in folios; returns nanoseconds. */
  copy(threads: number, folioBytes: number, shuffled: boolean, method?: LimitMethod): Promise<number>;
  /** One thread copies all bytes over and over, until the function that it returns is called: nanoseconds a copy. */
  copyOverAndOver(): () => Promise<number>;
  end(): void;
}

/** Builds the C program and starts it, on huge pages if asked. */
export function startMemcpy(total: number, huge = false): Memcpy {
  const program = startC('memcpy-limit', huge ? [String(total), 'huge'] : [String(total)]);
  return {
    copy: (threads, folioBytes, shuffled, method = 'memcpy') =>
      program.ask(`${threads} ${folioBytes} ${shuffled ? 'rand' : 'seq'} ${method}`),
    copyOverAndOver() {
      program.tell(`1 ${total} seq over`);
      return () => program.ask('stop');
    },
    end: () => program.end(),
  };
}
