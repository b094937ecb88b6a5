import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { CopyEngine, KiB, MiB } from 'mtcopy';
import protobuf from 'protobufjs';
import { expect, it } from 'vitest';
import { startTraceFile } from '#src/report/index.js';
import { recording } from '#src/trace/recording.js';
import { COMMAND } from '../../support/command.js';
import { errorOf } from '../../support/errors.js';
import { readTrace, sumOf } from '../../support/perfetto.js';
import { tracePlace } from '../../support/traces.js';

/** The smallest that there is. */
const UNIT = 64 * KiB;

it('what real threads drop is told, and where; what is there still nests', async () => {
  using place = tracePlace();
  const file = startTraceFile(place.path, 'a test');
  const units = 2500;
  {
    await using engine = await CopyEngine.create({
      ...{ threads: 1, memory: '340M', minParallelBytes: 0, unitBytes: UNIT },
    });
    const [to, from] = [engine.allocate(units * UNIT), engine.allocate(units * UNIT)];
    await engine.ready();
    // One job, and nobody reads the ring until its end.
    engine.copySync(to, from, { caller: 'waits' });
  }
  const dropped = file.stop();
  const { slices, instants, open } = readTrace(place.path);
  expect(open).toBe(0);
  expect(dropped).toBeGreaterThan(400);
  expect(slices.every(({ parent, end, begin }) => parent === undefined && end >= begin)).toBe(true);
  const told = instants.filter(({ name }) => name === 'records dropped: the ring was full');
  expect(told.reduce((sum, { says }) => sum + Number(says.records), 0)).toBe(dropped);
  expect(told.every(({ track }) => track === 'copy thread 0')).toBe(true);
  expect(slices.length + dropped).toBe(units);
  expect(sumOf(slices, 'bytes')).toBe(slices.length * UNIT);
});

it('what a program records without a turn of the event loop is written before there is too much of it', async () => {
  using place = tracePlace();
  const file = startTraceFile(place.path, 'a test');
  const copies = 30_000;
  const written: number[] = [];
  {
    await using engine = await CopyEngine.create({ threads: 1, memory: '16M', minParallelBytes: MiB });
    const [to, from] = [engine.allocate(8), engine.allocate(8)];
    const batch = [{ to, from }];
    for (let i = 0; i < copies; i++) {
      engine.copyBatchSync(batch);
      if (i % 1000 === 0) written.push(statSync(place.path).size);
    }
  }
  // Three records each, and a chunk has 8192 of them.
  expect(written.at(-1)).toBeGreaterThan(500_000);
  expect(file.stop()).toBe(0);
  // A begin and an end of each, and what describes the trace and names what is in it.
  expect(countPackets(readFileSync(place.path)) - 2 * copies).toBe(5);
});

it('of two processes that write one trace the first is told, and the other has its trace', async () => {
  using place = tracePlace();
  const file = startTraceFile(place.path, 'a test');
  const record = () => {
    const track = recording?.takeLane() ?? -1;
    recording?.begin(track, 'first', performance.now(), 0);
    recording?.end(track, performance.now());
  };
  record();
  // Its timer has written what there is, and writes on while the other does.
  await new Promise((resolve) => setTimeout(resolve, 300));
  record();
  const { ino } = statSync(place.path);
  const size = ['--total', '4M', '--folio-size', '4K', '--migrator', 'kernel', '--runs', '1', '--warmup', '0'];
  const other = spawnSync(process.execPath, [COMMAND, 'migrate', ...size, '--trace', place.path], { encoding: 'utf8' });
  expect({ status: other.status, stderr: other.stderr }).toEqual({ status: 0, stderr: '' });
  // A file of its own: whenever the first writes, it doesn't write there.
  expect(statSync(place.path).ino).not.toBe(ino);
  const error = await errorOf(async () => file.stop());
  expect(error).toMatchObject({ code: 'EIO', message: expect.stringContaining('another process writes it now') });
  expect(recording).toBeUndefined();
  const { slices, open } = readTrace(place.path);
  expect(open).toBe(0);
  expect(slices.map(({ name }) => name)).toContain('isolate');
  expect(slices.map(({ name }) => name)).not.toContain('first');
});

it('a trace whose file is emptied meanwhile says so, and is not written on', async () => {
  using place = tracePlace();
  const file = startTraceFile(place.path, 'a test');
  const track = recording?.takeLane() ?? -1;
  recording?.instant(track, 'one', performance.now());
  writeFileSync(place.path, 'x');
  const error = await errorOf(async () => file.stop());
  expect(error).toMatchObject({ code: 'EIO' });
  expect(statSync(place.path).size).toBe(1);
});

it('a trace that is removed meanwhile says so', async () => {
  using place = tracePlace();
  const file = startTraceFile(place.path, 'a test');
  rmSync(place.path);
  const error = await errorOf(async () => file.stop());
  expect(error).toMatchObject({ code: 'EIO', message: expect.stringContaining('it was removed meanwhile') });
  expect(existsSync(place.path)).toBe(false);
});

it('a trace takes the place of what a link leads to, and leaves nothing beside it', () => {
  using place = tracePlace();
  const there = join(place.folder, 'there');
  symlinkSync('there', place.path);
  writeFileSync(there, 'an older one');
  startTraceFile(place.path, 'a test').stop();
  expect(readTrace(there).open).toBe(0);
  expect(lstatSync(place.path).isSymbolicLink()).toBe(true);
  expect(readdirSync(place.folder).sort()).toEqual(['there', 'trace.pftrace']);
});

function countPackets(trace: Uint8Array): number {
  const reader = protobuf.Reader.create(trace);
  let packets = 0;
  for (; reader.pos < reader.len; packets++) reader.skipType(reader.uint32() & 7);
  return packets;
}
