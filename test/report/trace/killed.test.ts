import { CopyEngine, Machine, MiB, PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { expect, it } from 'vitest';
import { DmaEngine } from '#src/dma/engine.js';
import { createRings } from '#src/trace/ring.js';
import { errorOf } from '../../support/errors.js';
import { holdThreads } from '../../support/holds.js';
import { started } from '../../support/machines.js';
import { sumOf } from '../../support/perfetto.js';
import { program } from '../../support/programs.js';
import { traceOf } from '../../support/traces.js';

/** Rings of so many threads, as a hold knows them: by their length. A slice begins where HEAD is stored first. */
const headOf = (rings: number) =>
  ({ operation: 'store', array: new Int32Array(createRings(rings)), index: 0 }) as const;
/** Rings that an engine has: one for each worker that it can have. */
const MAX_THREADS = 64;

it('a copy thread that is killed in a slice leaves a trace with it and all that others did', async () => {
  using holds = holdThreads();
  const { trace } = await traceOf(async () => {
    await using engine = await CopyEngine.create({ threads: 1, memory: '32M', minParallelBytes: 0 });
    const [to, from] = [engine.allocate(8 * MiB), engine.allocate(8 * MiB)];
    // Its first unit is copied, and it has said that the second begins.
    using second = holds.at({ ...headOf(MAX_THREADS), nth: 3, when: 'after' });
    const copying = engine.copy(to, from, { caller: 'waits' });
    await second.held();
    await second.end();
    await copying;
    await engine.ready();
    await engine.copy(to, from, { caller: 'waits' });
  });
  const units = trace.slices.filter(({ name }) => name === 'unit');
  expect(new Set(units.map(({ track }) => track))).toEqual(new Set(['copy thread 0', 'calling thread']));
  // Two copies; what the dead one had begun the caller has copied.
  expect(sumOf(units, 'bytes')).toBe(16 * MiB);
  const cut = units.filter(({ says }) => says.bytes === undefined);
  expect(cut.map(({ track }) => track)).toEqual(['copy thread 0']);
  // It ends before the next one of its thread begins.
  const later = units.filter(({ track, begin }) => track === 'copy thread 0' && begin > (cut[0]?.begin ?? 0));
  expect(later.length).toBeGreaterThan(0);
  expect(later.every(({ begin }) => begin >= (cut[0]?.end ?? Number.NaN))).toBe(true);
});

it('a CPU that is killed in a program leaves a trace with that, and with the next program', async () => {
  using holds = holdThreads();
  const { trace } = await traceOf(async () => {
    await using machine = await Machine.boot({ nodes: ['4M', '4M'], cpus: 1 });
    const area = machine.createAddressSpace().mmap({ length: 4 * PAGE_SIZE, populate: true });
    const args = { address: area.address, length: area.length, stride: PAGE_SIZE };
    using begun = holds.at({ ...headOf(1), when: 'after' });
    const killed = errorOf(() => machine.cpus.run(area.mm, program('count'), { cpu: 0, args }));
    await begun.held();
    await begun.end();
    expect(await killed).toMatchObject({ code: 'EIO' });
    const running = machine.cpus.run(area.mm, program('count'), { cpu: 0, args });
    await started(area, [0]);
    expect((await machine.movePages(area.mm, area.pages(), { node: 1 })).notMigrated).toBe(0);
    machine.cpus.stop();
    await running;
  });
  const programs = trace.slices.filter(({ name }) => name === 'program');
  expect(programs.map(({ parent, track }) => [parent, track])).toEqual([
    [undefined, 'CPU 0'],
    [undefined, 'CPU 0'],
  ]);
  expect(programs[1]?.begin).toBeGreaterThanOrEqual(programs[0]?.end ?? Number.NaN);
  expect(trace.instants.filter(({ name }) => name === 'interrupt').length).toBeGreaterThan(0);
});

it('a DMA channel that dies in a burst leaves a trace with that, and with the bursts of the next thread', async () => {
  const memory = PhysicalMemory.create({ nodes: ['4M'] });
  const frames = Array.from(memory.allocFolios(8, 0), (pfn) => pfn * PAGE_SIZE);
  const { trace } = await traceOf(async () => {
    await using engine = await DmaEngine.create({ memory, device: 'ptdma' });
    const channel = engine.request();
    const copyFour = async () => {
      for (let i = 0; i < 4; i++) channel.submit(channel.prepMemcpy(frames[4 + i], frames[i], PAGE_SIZE, true));
      channel.issuePending();
      while (channel.inFlight > 0) await channel.completions(10_000);
    };
    let asked = 0;
    engine.faults = { descriptor: () => (asked++ === 1 ? 'die' : 'none') };
    await copyFour();
    engine.faults = undefined;
    await copyFour();
  });
  const bursts = trace.slices.filter(({ name }) => name === 'descriptors');
  const [cut, ...later] = bursts;
  expect(cut?.says).toEqual({});
  expect(later.length).toBeGreaterThan(0);
  expect(later.every(({ begin, parent }) => parent === undefined && begin >= (cut?.end ?? Number.NaN))).toBe(true);
  expect(sumOf(later, 'bytes')).toBeGreaterThanOrEqual(4 * PAGE_SIZE);
});
