import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startTraceFile } from '#src/report/index.js';
import { recording } from '#src/trace/recording.js';
import { createTraceWriter, INTERRUPT, RING_RECORDS } from '#src/trace/ring.js';
import { COMMAND, mtcopy, mtcopyIn } from '../support/command.js';
import { until } from '../support/machines.js';
import { readTrace, sumOf } from '../support/perfetto.js';
import { itRefuses } from '../support/refusals.js';
import { tracePlace } from '../support/traces.js';

const COMMANDS = {
  migrate: ['migrate', '--total', '4M', '--folio-size', '4K', '--runs', '1', '--warmup', '0', '--threads', '2'],
  pmbench: ['pmbench', '--pages', '512', '--cpus', '1', '--seconds', '0.02', '--runs', '1'],
  reproduce: ['reproduce', 'dma-setup', '--quick', '--seconds', '0.001', '--warmup', '0'],
};

describe.each(Object.entries(COMMANDS))('mtcopy %s --trace', (_, args) => {
  it('writes a trace that follows the rules, and prints what it prints without', async () => {
    using place = tracePlace();
    writeFileSync(place.path, 'x'.repeat(1e6));
    const { status, stdout, stderr } = await mtcopy(...args, '--json', '--trace', place.path);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).not.toHaveProperty('trace');
    const { slices, open, tracks } = readTrace(place.path);
    expect(open).toBe(0);
    expect(slices.every(({ begin, end }) => end >= begin)).toBe(true);
    expect(slices.map(({ name }) => name)).toEqual(expect.arrayContaining(['isolate', 'unmap', 'flush', 'putBack']));
    expect(tracks).toContain('migration lane 0');
  });
});

it('traces interrupts of pmbench as often as it counts them', async () => {
  using place = tracePlace();
  const args = ['pmbench', '--pages', '2048', '--cpus', '1', '--seconds', '0.2', '--runs', '1', '--flow', 'serial'];
  const { stdout } = await mtcopy(...args, '--json', '--trace', place.path);
  const { results } = JSON.parse(stdout) as { results: { ipis: number }[] };
  expect(results[0]?.ipis).toBeGreaterThan(0);
  const instants = readTrace(place.path).instants.filter(({ name }) => name === 'interrupt');
  // No program runs yet when it moves what doesn't count; the last call's are counted.
  expect(instants).toHaveLength(results[0]?.ipis as number);
});

it('a run that is cut short, and one that fails, leave a trace of what was done', async () => {
  using place = tracePlace();
  const abort = new AbortController();
  const running = mtcopyIn({ signal: abort.signal }, ...COMMANDS.migrate, '--runs', '1000000', '--trace', place.path);
  await until(() => existsSync(place.path) && statSync(place.path).size > 1000);
  abort.abort();
  expect((await running).status).toBe(130);
  const { slices, open } = readTrace(place.path);
  expect(open).toBe(0);
  expect(sumOf(slices, 'kernelBytes')).toBeGreaterThan(0);
  const failed = await mtcopy('migrate', '--input', join(place.folder, 'gone'), '--trace', place.path);
  expect(failed).toMatchObject({ status: 1, stderr: expect.stringContaining('ENOENT') });
  expect(readTrace(place.path).tracks).toEqual([]);
  expect(recording).toBeUndefined();
});

it('a process that is killed leaves the trace up to there, with slices that have not ended', async () => {
  using place = tracePlace();
  const args = [...COMMANDS.migrate, '--runs', '1000000', '--trace', place.path];
  const child = spawn(process.execPath, [COMMAND, ...args], { stdio: 'ignore' });
  const ended = once(child, 'close');
  await until(() => existsSync(place.path) && statSync(place.path).size > 10_000);
  child.kill('SIGKILL');
  await ended;
  expect(readTrace(place.path).slices.length).toBeGreaterThan(10);
});

it('says on standard error what the trace lacks', async () => {
  using place = tracePlace();
  const running = mtcopy(...COMMANDS.migrate, '--trace', place.path);
  await until(() => recording !== undefined);
  const threads = recording?.attach('cpu', 1);
  if (!threads) throw new Error('nothing is recorded');
  const writer = createTraceWriter(threads.setup, 0);
  for (let i = 0; i < RING_RECORDS + 7; i++) writer.instant(INTERRUPT);
  expect((await running).stderr).toBe(
    `mtcopy: ${place.path} lacks 7 records, which came faster than they could be collected; it says where\n`,
  );
});

it('says before it measures that the file could not be written', async () => {
  using place = tracePlace();
  const gone = await mtcopy(...COMMANDS.migrate, '--trace', join(place.folder, 'gone', 'file'));
  expect(gone).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringContaining('ENOENT: trace: there is no folder'),
  });
  mkdirSync(place.path);
  const folder = await mtcopy(...COMMANDS.migrate, '--trace', place.path);
  expect(folder).toMatchObject({ stdout: '', stderr: expect.stringContaining('EISDIR: trace: must be a file') });
  expect(folder.status).not.toBe(0);
});

it.each(['input', 'baseline', 'profile'])('is not written over --%s', async (option) => {
  using place = tracePlace();
  const text = JSON.stringify({ command: 'migrate', results: [{ gbps: { median: 1 } }] });
  writeFileSync(place.path, text);
  const args = [...COMMANDS.migrate, `--${option}`, place.path, '--trace', place.path];
  const { status, stdout, stderr } = await mtcopy(...args);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  if (option !== 'profile') expect(stderr).toContain(`trace: must be another file than ${place.path}, which is read`);
  expect(readFileSync(place.path, 'utf8')).toBe(text);
});

itRefuses([
  [['migrate', '--trace', '/dev/null'], 'EINVAL: trace: must be a file, got /dev/null'],
  [['copy', '--trace', 'file'], "unknown option '--trace'"],
]);

it.skipIf(process.platform === 'win32')('prints what was measured, although there was no room for its trace', () => {
  using place = tracePlace();
  // A file may have 8 KiB: as little as a disk that is full.
  const line = 'ulimit -f 8 && exec "$0" "$@"';
  const args = [COMMAND, ...COMMANDS.migrate, '--runs', '5', '--json', '--trace', place.path];
  const { status, stdout, stderr } = spawnSync('bash', ['-c', line, process.execPath, ...args], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: expect.stringMatching(/^mtcopy: EIO: trace: .* EFBIG: .*\n$/),
  });
  expect(JSON.parse(stdout).results.length).toBeGreaterThan(0);
});

it.skipIf(!existsSync('/dev/full'))('says that a device was full, and what the results are all the same', () => {
  const file = startTraceFile('/dev/full', 'a test');
  expect(() => file.stop()).toThrow(/^EIO: trace: \/dev\/full can't be written: ENOSPC/);
  expect(recording).toBeUndefined();
});
