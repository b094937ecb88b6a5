import { spawn } from 'node:child_process';
import { CopyEngine, Machine } from 'mtcopy';
import { describe, expect, it, vi } from 'vitest';
import { COMMAND, mtcopyIn } from '../support/command.js';

/** Command lines that would go on for minutes, each with many more runs than it gets. */
const LONG = {
  copy: ['copy', '--total', '4M', '--threads', '1', '--runs', '1000000'],
  migrate: [
    ...['migrate', '--total', '4M', '--folio-size', '2M', '--migrator', 'kernel', '--flow', 'vanilla'],
    ...['--runs', '1000000', '--warmup', '0'],
  ],
  pmbench: ['pmbench', '--pages', '512', '--cpus', '1', '--flow', 'serial,vanilla', '--seconds', '0.2'],
  reproduce: ['reproduce', 'cycles-per-page', '--quick', '--seconds', '600'],
};
type Name = keyof typeof LONG;

/** When it is interrupted: at such a call, which is in the middle of a run. */
const MOMENTS: Record<Name, (calls: number, flow: unknown) => boolean> = {
  // Two calls a run: the fifth run, of which one warms up.
  copy: (calls) => calls === 9,
  // Three calls a run: the fifth.
  migrate: (calls) => calls === 13,
  pmbench: (calls, flow) => calls > 5 && flow === 'vanilla',
  // Six calls a run, three runs a round: the third round after 64 that warm up.
  reproduce: (calls) => calls === 1206,
};

/** Runs a command with --progress, and sends it a signal once it says that a run begins; resolves once it has ended. */
function interrupted(signal: NodeJS.Signals, args: readonly string[]) {
  const child = spawn(process.execPath, [COMMAND, ...args, '--progress']);
  const ended = { status: null as number | null, stdout: '', stderr: '' };
  child.stdout.on('data', (data) => {
    ended.stdout += data;
  });
  child.stderr.on('data', (data) => {
    if (ended.stderr === '') child.kill(signal);
    ended.stderr += data;
  });
  return new Promise<typeof ended>((resolve) => child.on('close', (status) => resolve({ ...ended, status })));
}

/** Runs a command that is interrupted in the middle. */
async function endedEarly(name: Name, ...args: string[]) {
  const ending = new AbortController();
  let calls = 0;
  const look = (flow: unknown) => {
    if (MOMENTS[name](++calls, flow)) ending.abort();
  };
  const { copyBatch } = CopyEngine.prototype;
  if (name === 'copy') {
    vi.spyOn(CopyEngine.prototype, 'copyBatch').mockImplementation(function (this: CopyEngine, ...call) {
      look(undefined);
      return copyBatch.apply(this, call);
    });
  }
  const { movePages } = Machine.prototype;
  vi.spyOn(Machine.prototype, 'movePages').mockImplementation(function (this: Machine, ...call) {
    look(call[2]?.flow);
    return movePages.apply(this, call);
  });
  const ended = await mtcopyIn({ signal: ending.signal }, ...LONG[name], ...args);
  vi.restoreAllMocks();
  return ended;
}

describe('a command that is interrupted', () => {
  it.each(Object.keys(LONG) as Name[])('prints what was measured so far, and ends with 130: %s', async (name) => {
    const { status, stdout } = await endedEarly(name, '--json');
    expect(status).toBe(130);
    const { command, cutShort, results, tables } = JSON.parse(stdout);
    expect({ command, cutShort }).toEqual({ command: name, cutShort: true });
    expect((results ?? tables).length).toBeGreaterThan(0);
    if (name === 'copy') expect(results).toMatchObject([{ verified: true, samplesNs: { length: 4 } }]);
    if (name === 'migrate') expect(results).toMatchObject([{ verified: true, samplesNs: { length: 5 } }]);
  });

  it('says below its table that it was cut short', async () => {
    const { status, stdout } = await endedEarly('copy');
    expect(status).toBe(130);
    expect(stdout).toMatch(/^4M, folios of 2M/);
    expect(stdout).toMatch(/\nCut short: not every run was made\.\n$/);
  });

  it.each([...(Object.keys(LONG) as Name[]), 'sysfs' as const])(
    'says that nothing was measured if nothing was: %s',
    async (name) => {
      const args = name === 'sysfs' ? ['sysfs'] : LONG[name];
      const nothing = 'Nothing was measured: it was cut short before a run had ended.';
      const signal = AbortSignal.abort();
      expect(await mtcopyIn({ signal }, ...args)).toEqual({ status: 130, stdout: `${nothing}\n`, stderr: '' });
      const { status, stdout } = await mtcopyIn({ signal }, ...args, '--json');
      expect(status).toBe(130);
      const { cutShort, results, tables, files } = JSON.parse(stdout);
      expect({ cutShort, rows: results ?? tables ?? files }).toEqual({ cutShort: true, rows: [] });
      const csv = await mtcopyIn({ signal }, ...args, '--csv');
      expect(csv).toEqual({ status: 130, stdout: '', stderr: `mtcopy: ${nothing}\n` });
    },
  );

  it('ends while memory is being filled', async () => {
    const ending = new AbortController();
    // Filling 256 MiB takes many turns of the event loop, of which this is one of the first.
    setTimeout(() => setImmediate(() => ending.abort()));
    const { status, stdout } = await mtcopyIn({ signal: ending.signal }, 'copy', '--total', '256M', '--json');
    expect(status).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({ cutShort: true, results: [] });
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('has the status 130 as a process, after %s', async (signal) => {
    const { status, stdout } = await interrupted(signal, LONG.migrate);
    expect(status).toBe(130);
    expect(stdout).toMatch(/\n(Cut short|Nothing was measured): |^Nothing was measured: /);
  });
});
