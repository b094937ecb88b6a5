import { type CopyAbortError, CopyEngine, Machine, MiB, PAGE_SIZE } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { startRecording } from '#src/trace/recording.js';
import { errorOf } from '../../support/errors.js';
import { holdThreads } from '../../support/holds.js';
import { createTestMigrator } from '../../support/migrators.js';
import { METHODS } from '../../support/native.js';
import { type ReadTrace, sumOf } from '../../support/perfetto.js';
import { traceOf } from '../../support/traces.js';

const unitsOf = ({ slices }: ReadTrace) => slices.filter(({ name }) => name === 'unit' || name === 'list');
const inFlight = ({ counters }: ReadTrace, of: string) => counters.get(`bytes in flight: ${of}`) ?? [];

describe.each(['dynamic', 'static'] as const)('%s', (schedule) => {
  it.each(['waits', 'helps'] as const)(
    'each byte of a batch is in one slice, of whoever copied it; the caller %s',
    async (caller) => {
      const { result, trace } = await traceOf(async () => {
        await using machine = await Machine.boot({ nodes: ['32M', '32M'], cpus: 0, threads: 3, schedule, caller });
        const mm = machine.createAddressSpace();
        const area = mm.mmap({ length: '16M', populate: true });
        return machine.movePages(mm, area.folios(), { node: 1, migrator: 'mtcopy', flow: 'pre-copy' });
      });
      const units = unitsOf(trace);
      expect(result.stats.movedBy).toEqual([{ migrator: 'mtcopy', folios: 4096, bytes: 16 * MiB }]);
      expect(sumOf(units, 'bytes')).toBe(16 * MiB);
      expect(new Set(units.map(({ name }) => name))).toEqual(new Set([schedule === 'static' ? 'list' : 'unit']));
      for (const { track } of units) expect(track).toMatch(/^(copy thread [012]|calling thread)$/);
      for (const of of ['migrators', 'copy engines']) {
        const values = inFlight(trace, of);
        expect(Math.max(...values)).toBe(512 * PAGE_SIZE);
        expect(values.at(-1)).toBe(0);
      }
    },
  );
});

it.each(METHODS)('each byte that %s copies is in one slice, beside the memory of the engine too', async (method) => {
  const { trace } = await traceOf(async () => {
    await using engine = await CopyEngine.create({ threads: 2, memory: '32M', method, minParallelBytes: 0 });
    const [to, from] = [engine.allocate(5 * MiB), engine.allocate(5 * MiB)];
    await engine.copy(to, from, { caller: 'waits' });
    engine.copySync(to, from, { caller: 'helps' });
    if (method === 'memory.copy') return;
    const [there, here] = [new SharedArrayBuffer(3 * MiB), new SharedArrayBuffer(3 * MiB)];
    const pairs = [{ to: new Uint8Array(there), from: new Uint8Array(here) }];
    await engine.copyBatch(pairs, { caller: 'waits' });
    engine.copyBatchSync(pairs, { caller: 'helps' });
  });
  expect(sumOf(unitsOf(trace), 'bytes')).toBe((method === 'memory.copy' ? 10 : 16) * MiB);
  expect(inFlight(trace, 'copy engines').at(-1)).toBe(0);
});

it('each byte that DMA channels copy is in one slice of theirs', async () => {
  const { trace } = await traceOf(async () => {
    await using machine = await Machine.boot({ nodes: ['32M', '32M'], cpus: 0, dcbm: { nrDmaChan: 2 } });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '8M', populate: true });
    await machine.movePages(mm, area.folios(), { node: 1, migrator: 'dcbm', flow: 'batch-move' });
  });
  const bursts = trace.slices.filter(({ name }) => name === 'descriptors');
  expect(sumOf(bursts, 'bytes')).toBe(8 * MiB);
  expect(sumOf(bursts, 'descriptors')).toBe(2048);
  expect(new Set(bursts.map(({ track }) => track))).toEqual(new Set(['DMA channel 0', 'DMA channel 1']));
  expect(inFlight(trace, 'migrators').at(-1)).toBe(0);
});

it('what the calling thread copies by itself is a slice, and so is a copy beside the memory of the engine', async () => {
  const { trace } = await traceOf(async () => {
    await using engine = await CopyEngine.create({ threads: 1, memory: '16M', minParallelBytes: MiB });
    const [to, from] = [engine.allocate(8000), engine.allocate(8000)];
    await engine.copyBatch([{ to, from }]);
    const [there, here] = [new SharedArrayBuffer(3 * MiB), new SharedArrayBuffer(3 * MiB)];
    await engine.copyBatch([{ to: new Uint8Array(there), from: new Uint8Array(here) }], { caller: 'waits' });
  });
  const byCaller = unitsOf(trace).filter(({ track }) => track === 'calling thread');
  expect(sumOf(byCaller, 'bytes')).toBe(8000);
  expect(sumOf(unitsOf(trace), 'bytes')).toBe(8000 + 3 * MiB);
});

it('a copy that is aborted has as many bytes in its slices as in its result', async () => {
  using holds = holdThreads();
  const { result, trace } = await traceOf(async () => {
    await using engine = await CopyEngine.create({ threads: 1, memory: '200M', minParallelBytes: 0 });
    const [to, from] = [engine.allocate(64 * MiB), engine.allocate(64 * MiB)];
    const abort = new AbortController();
    // Two units are copied by then.
    using claim = holds.at({ operation: 'compareExchange', value: 1, nth: 3 });
    const copying = errorOf(() => engine.copy(to, from, { signal: abort.signal, caller: 'waits' }));
    await claim.held();
    abort.abort();
    claim.go();
    return copying;
  });
  const { bytes } = (result as CopyAbortError).result;
  expect(bytes).toBe(2 * MiB);
  expect(sumOf(unitsOf(trace), 'bytes')).toBe(bytes);
});

it('what was in flight before a trace began is not counted in it, nor its end', async () => {
  using holds = holdThreads();
  const before = startRecording();
  await using engine = await CopyEngine.create({ threads: 1, memory: '16M', minParallelBytes: 0 });
  const [to, from] = [engine.allocate(4 * MiB), engine.allocate(4 * MiB)];
  using claim = holds.at({ operation: 'compareExchange', value: 1, nth: 1 });
  const copying = engine.copy(to, from, { caller: 'waits' });
  await claim.held();
  await using machine = await Machine.boot({ nodes: ['4M', '4M'], cpus: 0 });
  const migrator = createTestMigrator(machine);
  const area = machine.createAddressSpace().mmap({ length: '1M', populate: true });
  const moving = machine.movePages(area.mm, area.folios(), { node: 1, migrator, flow: 'pre-copy' });
  await migrator.entered;
  before.stop();
  const { trace } = await traceOf(async () => {
    claim.go();
    migrator.go();
    await Promise.all([copying, moving]);
  });
  for (const of of ['migrators', 'copy engines']) expect(inFlight(trace, of)).toEqual([]);
});
