import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** Keeps a core busy until its standard input ends, as it does with whoever started it, however that ends. */
const BUSY = `process.stdin.on('end', () => process.exit()).resume();
(function spin() { for (const end = Date.now() + 20; Date.now() < end; ); setImmediate(spin); })();`;

/** Processes that never rest, until they are ended. */
export interface Load {
  end(): Promise<void>;
}

/** Starts so many processes that never rest. The caller ends them. */
export async function startLoad(processes: number): Promise<Load> {
  const children = Array.from({ length: processes }, () =>
    spawn(process.execPath, ['-e', BUSY], { stdio: ['pipe', 'ignore', 'ignore'] }),
  );
  const end = async () => {
    await Promise.all(children.map(endOne));
  };
  try {
    await Promise.all(children.map((child) => once(child, 'spawn')));
    return { end };
  } catch (error) {
    await end();
    throw error;
  }
}

async function endOne(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
