import { spawn } from 'node:child_process';

/** What a process came to. */
interface Ended {
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
}

/** Runs Node.js to its end, or for 100 seconds: then it has no status. Output is without white space at its ends. */
export async function runNode(args: readonly string[], { cwd }: { cwd?: string } = {}): Promise<Ended> {
  const child = spawn(process.execPath, args, { timeout: 100_000, ...(cwd && { cwd }) });
  const texts = { output: '', errors: '' };
  child.stdout.on('data', (data) => {
    texts.output += data;
  });
  child.stderr.on('data', (data) => {
    texts.errors += data;
  });
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { status, output: texts.output.trim(), errors: texts.errors.trim() };
}

/** As {@link runNode}, of the text of a module. */
export function runScript(code: string, flags: readonly string[] = []): Promise<Ended> {
  return runNode([...flags, '--input-type=module', '--eval', code]);
}
