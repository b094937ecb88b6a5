import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';

const PROGRAM = 'build/memcpy-limit';

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

/** Builds the C program and starts it, on huge pages if asked. It ends with this process, however that ends: its input does. */
export function startMemcpy(total: number, huge = false): Memcpy {
  mkdirSync('build', { recursive: true });
  try {
    execFileSync('cc', ['-O2', '-o', PROGRAM, 'bench/support/memcpy-limit.c', '-lpthread'], { stdio: 'inherit' });
  } catch {
    console.error('This benchmark needs a C compiler, as the command cc.');
    process.exit(1);
  }
  const child = spawn(PROGRAM, huge ? [String(total), 'huge'] : [String(total)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error('the C program ended');
    return Number(value);
  };
  return {
    copy(threads, folioBytes, shuffled, method = 'memcpy') {
      child.stdin.write(`${threads} ${folioBytes} ${shuffled ? 'rand' : 'seq'} ${method}\n`);
      return answer();
    },
    copyOverAndOver() {
      child.stdin.write(`1 ${total} seq over\n`);
      return () => {
        child.stdin.write('stop\n');
        return answer();
      };
    },
    end: () => child.stdin.end(),
  };
}
