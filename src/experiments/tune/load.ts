import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { ErrnoError } from 'mtcopy';

/** Keeps a core busy until its standard input ends, as it does with whoever started it, however that ends. */
const BUSY = `process.stdin.on('end', () => process.exit()).resume();
(function spin() { for (const end = Date.now() + 20; Date.now() < end; ); setImmediate(spin); })();`;

/** Processes that never rest, until they are ended. */
export interface Load {
  /** @throws ErrnoError ESRCH if one has ended by itself: what was measured since then was beside fewer */
  check(): void;
  end(): Promise<void>;
}

/** Starts so many processes that never rest. The caller ends them. */
export async function startLoad(processes: number): Promise<Load> {
  const children = Array.from({ length: processes }, () =>
    // In groups of their own: what a terminal sends all processes of one, such as SIGINT, is the caller's alone to answer.
    spawn(process.execPath, ['-e', BUSY], { stdio: ['pipe', 'ignore', 'ignore'], detached: true, windowsHide: true }),
  );
  const check = () => {
    const gone = children.find(isOver);
    if (!gone) return;
    const why = gone.signalCode ?? `status ${gone.exitCode}`;
    throw new ErrnoError(
      'ESRCH',
      `load: busy process ${gone.pid} has ended (${why}), so fewer than ${processes} are beside what is measured: run it again`,
    );
  };
  const end = async () => {
    await Promise.all(children.map(endOne));
  };
  try {
    await Promise.all(children.map((child) => once(child, 'spawn')));
    return { check, end };
  } catch (error) {
    await end();
    throw error;
  }
}

function isOver({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

async function endOne(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || isOver(child)) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
