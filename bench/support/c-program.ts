import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';

/** A C program that answers lines with numbers. */
export interface CProgram {
  /** Writes a line, to which there may be no answer. */
  tell(line: string): void;
  /** The number of the next answer. */
  answer(): Promise<number>;
  /** Writes a line and reads the answer. */
  ask(line: string): Promise<number>;
  end(): void;
}

/** Builds bench/support/NAME.c and starts it. It ends with this process, however that ends: its input does. */
export function startC(name: string, args: readonly string[]): CProgram {
  const file = `build/${name}`;
  mkdirSync('build', { recursive: true });
  try {
    execFileSync('cc', ['-O2', '-o', file, `bench/support/${name}.c`, '-lpthread'], { stdio: 'inherit' });
  } catch {
    console.error('This benchmark needs a C compiler, as the command cc.');
    process.exit(1);
  }
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const tell = (line: string) => child.stdin.write(`${line}\n`);
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error('the C program ended');
    return Number(value);
  };
  return {
    tell,
    answer,
    ask(line) {
      tell(line);
      return answer();
    },
    end: () => child.stdin.end(),
  };
}
