import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { KiB } from 'mtcopy';
import { afterEach, expect, it, vi } from 'vitest';
import { startLoad } from '../../../src/experiments/tune/load.js';
import { tune } from '../../../src/experiments/tune/tune.js';
import { errorOf } from '../../support/errors.js';

const children = vi.hoisted((): ChildProcess[] => []);
vi.mock('node:child_process', async (original) => {
  const own = await original<typeof import('node:child_process')>();
  const spawn = (...args: Parameters<typeof own.spawn>) => {
    const child = own.spawn(...args);
    children.push(child);
    return child;
  };
  return { ...own, spawn };
});

afterEach(() => children.splice(0));

it('notices a busy process that has ended, and says which and why', async () => {
  const load = await startLoad(2);
  try {
    expect(() => load.check()).not.toThrow();
    const [, child] = children;
    const over = once(child, 'exit');
    child.kill('SIGKILL');
    await over;
    const message = `ESRCH: load: busy process ${child.pid} has ended (SIGKILL), so fewer than 2 are beside what is measured`;
    expect(() => load.check()).toThrow(message);
  } finally {
    await load.end();
  }
  for (const { exitCode, signalCode } of children) expect([exitCode, signalCode]).toEqual([null, 'SIGKILL']);
});

it.skipIf(process.platform === 'win32')('ends none that a terminal sends a signal to, with its caller', async () => {
  const load = await startLoad(2);
  try {
    // Throws unless the process leads a group.
    for (const { pid } of children) expect(() => process.kill(-(pid as number), 0)).not.toThrow();
  } finally {
    await load.end();
  }
});

it('tunes beside no load that is gone', async () => {
  const size = { folioBytes: [64 * KiB], batchBytes: [128 * KiB], threads: [1] };
  const onProgress = ({ what }: { what: string }) => {
    if (what.includes('beside 1 busy')) children[0].kill('SIGKILL');
  };
  const error = await errorOf(() => tune({ ...size, load: 1, seconds: 0.001, quick: true }, { onProgress }));
  expect(error).toMatchObject({ code: 'ESRCH', message: expect.stringContaining('has ended (SIGKILL)') });
});
