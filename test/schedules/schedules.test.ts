import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';

/*
 * A few seconds of `npm run schedules`, so that the suite notices what it would: docs/verification.md.
 */

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Result {
  readonly schedules: number;
  readonly operations: number;
  readonly scenarios: readonly { name: string; schedules: number; exhaustive: boolean }[];
  readonly mutants: { found: number; of: number };
  readonly failures: number;
}

/** What the program prints, and its status. */
async function schedules(...options: string[]): Promise<{ status: number; result: Result; errors: string }> {
  const line = ['build/schedules/run.js', '--json', ...options];
  const { stdout, stderr, code } = await run(process.execPath, line, { cwd: ROOT }).then(
    (streams) => ({ ...streams, code: 0 }),
    (error) => error,
  );
  const last = stdout.trim().split('\n').at(-1);
  if (!last) throw new Error(`no result:\n${stderr}`);
  return { status: code, result: JSON.parse(last), errors: stderr };
}

beforeAll(() => run(process.execPath, ['scripts/build-schedules.mjs'], { cwd: ROOT }));

/** Runs these scenarios of a protocol, and expects the mutants to be found: of each text there is one. */
async function expectKept(protocol: string, scenarios: readonly string[], mutants: readonly string[]): Promise<void> {
  const { status, result, errors } = await schedules(
    // A mutant is over once it is found; beside other work that takes its time.
    ...['--seconds', '3', '--mutant-seconds', '90', '--protocol', protocol],
    ...scenarios.flatMap((name) => ['--scenarios', name]),
    ...mutants.flatMap((name) => ['--mutants', name]),
  );
  console.info(`${result.schedules} schedules, ${result.operations} operations`);
  expect(errors).not.toMatch(/FAILED|SURVIVED/);
  expect(result).toMatchObject({ failures: 0, mutants: { found: mutants.length, of: mutants.length } });
  expect(result.scenarios).toHaveLength(scenarios.length);
  for (const { schedules } of result.scenarios) expect(schedules).toBeGreaterThan(0);
  expect(status).toBe(0);
}

const PROMISE = 'keeps its promises in every schedule that is run, and those of a broken one are seen to break';

describe('the job ring', () => {
  it(PROMISE, async () => {
    const scenarios = [
      'blocking, dynamic, 2 workers',
      'blocking, static, helps',
      'slot reuse, dynamic, 1 worker',
      'two calls in flight',
      'abort, 1 worker',
      'lowered twice',
      'parked, and back for a call that blocks',
      'death, blocking, dynamic',
    ];
    const mutants = ['read after the look', 'units are free before', 'closed before the bytes', 'stored blindly'];
    await expectKept('job-ring', scenarios, mutants);
  });
});

describe('TLB flushes and migration entries', () => {
  it(PROMISE, async () => {
    const scenarios = [
      'migration, vanilla, 2 CPUs',
      'migration, one of 2 CPUs leaves',
      'two migrations at once',
      'migration, and back, a CPU that idles',
      'faults, 2 CPUs',
      'copy on write beside a CPU that loads',
      'munmap in the middle',
      'a silent CPU, fork',
      'CPU death, munmap',
    ];
    const mutants = [
      'the flush is left out',
      'answers before its access ends',
      'the last answer wakes nobody',
      'comes back with its old',
    ];
    await expectKept('tlb-flush', scenarios, mutants);
  });
});

describe('the rings of DMA channels', () => {
  it(PROMISE, async () => {
    const scenarios = [
      'dma, one issued behind another',
      'dma, terminated in mid-transfer',
      'dma, terminated before it is issued',
      'iommu, unmapped in mid-transfer, and the addresses',
      'dcbm, polled',
      'death, dma, three descriptors',
    ];
    // The last two are what was found in the library.
    const mutants = [
      'the bell is read too late',
      'written before the bytes',
      'gone is believed its count',
      'copied before it is dropped',
    ];
    await expectKept('dma-ring', scenarios, mutants);
  });
});

describe('npm run schedules', () => {
  it('runs a schedule again that has failed, and ends with 1', async () => {
    // Nobody is preempted, and the caller sleeps for ever.
    const env = { ...process.env, SCHEDULE: 'the last unit wakes nobody|blocking, dynamic, 1 worker|' };
    const failed = await run(process.execPath, ['build/schedules/run.js'], { cwd: ROOT, env }).catch((error) => error);
    expect(failed).toMatchObject({ code: 1, stdout: expect.stringMatching(/^deadlock: /) });
    expect(failed.stderr).toMatch(/^1\tcaller\t\w+\t/m);
  });

  it('runs nothing for a name that nothing has', async () => {
    const line = ['build/schedules/run.js', '--scenarios', 'none', '--mutants', 'no such line'];
    const failed = await run(process.execPath, line, { cwd: ROOT }).catch((error) => error);
    expect(failed).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/--mutants: nothing is called no such line/),
    });
  });

  it('ends with 1 if a mutant survives', async () => {
    // A scenario's time is over before its first schedule: nothing is found.
    const mutant = ['--mutants', 'the last unit wakes nobody', '--mutant-seconds', '0'];
    const { status, result } = await schedules('--scenarios', 'none', ...mutant);
    expect(result.mutants).toEqual({ found: 0, of: 1 });
    expect(status).toBe(1);
  });
});
