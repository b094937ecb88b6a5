import { CopyEngine, FLOWS, Machine, MiB, type Migrator } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { runTrusted } from '#src/copy/engine.js';
import { countAttached, openRing, STOP } from '#src/copy/worker/job-ring.js';
import { createMtcopyMigrator, type RunShared } from '#src/migrators/mtcopy.js';
import { errorOf } from '../support/errors.js';
import { holdThreads, raceHeld } from '../support/holds.js';
import { expectAtRest, expectBytes, filled, foliosOf, freePages, nodesOf } from '../support/machines.js';
import { createCpuMigrator } from '../support/migrators.js';
import { watchWorkers } from '../support/threads.js';

const SIZES = { nodes: ['16M', '16M'], cpus: 0 } as const;
const PAGES = 64;
/** Where the ring of the first engine on a memory is. */
const RING = 4 * MiB;

/** A migrator that copies on the calling thread, but asks `copies` before each folio; at once, or in a later turn. */
function createFaulty(machine: Machine, copies: (from: number) => boolean, isAsync: boolean): Migrator {
  const { migrator } = createCpuMigrator(machine, (_, from) => copies(from));
  return isAsync ? { ...migrator, copyFolios: async (batch) => migrator.copyFolios(batch) } : migrator;
}

const manners = FLOWS.flatMap((flow) => [false, true].map((isAsync) => ({ flow, isAsync })));

describe.each(manners)('$flow: a migrator, asynchronous: $isAsync,', ({ flow, isAsync }) => {
  async function boot(folioSize = '4K', shared = false) {
    const machine = await Machine.boot({ ...SIZES, flow });
    const length = folioSize === '2M' ? '4M' : PAGES * 4096;
    const area = machine.createAddressSpace().mmap({ length, folioSize, populate: true, shared });
    return { machine, area, bytes: await filled(area) };
  }

  it.each([1, 30])(
    'that throws at copy %d: nothing is said to have moved that has not, and all is in order',
    async (at) => {
      const { machine, area, bytes } = await boot();
      await using _ = machine;
      let copies = 0;
      const boom = new Error('boom');
      const migrator = createFaulty(
        machine,
        () => {
          if (++copies >= at) throw boom;
          return true;
        },
        isAsync,
      );
      expect(await errorOf(() => machine.movePages(area.mm, area.pages(), { node: 1, migrator }))).toBe(boom);
      const moved = (await nodesOf(machine, area)).filter((node) => node === 1).length;
      expect(moved).toBe(machine.vmstat.pgmigrate_success);
      expect(machine.vmstat.pgmigrate_fail).toBe(PAGES - moved);
      expect(moved).toBe(flow === 'serial' || flow === 'vanilla' ? at - 1 : 0);
      expect(freePages(machine)).toEqual([4096 - PAGES + moved, 4096 - moved]);
      await expectBytes(area, bytes);
      expectAtRest(area);
      const { stats } = await machine.movePages(area.mm, area.pages(), { node: 1 });
      expect(stats).toMatchObject({ succeeded: PAGES - moved, failed: 0 });
      await expectBytes(area, bytes);
    },
  );

  it('whose marks were transferred has the calling thread copy all folios', async () => {
    const { machine, area, bytes } = await boot();
    await using _ = machine;
    const { migrator } = createCpuMigrator(machine);
    const copyFolios: Migrator['copyFolios'] = (batch) => {
      structuredClone(batch.copied, { transfer: [batch.copied.buffer as ArrayBuffer] });
      return isAsync ? Promise.resolve(0) : 0;
    };
    const { stats } = await machine.movePages(area.mm, area.pages(), {
      node: 1,
      migrator: { ...migrator, copyFolios },
    });
    expect(stats).toMatchObject({ succeeded: PAGES, failed: 0 });
    expect(stats.movedBy).toEqual([{ migrator: 'kernel', folios: PAGES, bytes: PAGES * 4096 }]);
    await expectBytes(area, bytes);
    expectAtRest(area);
  });

  it.each([false, true])('that leaves folios has the calling thread copy them, shared memory: %s', async (shared) => {
    const { machine, area, bytes } = await boot('4K', shared);
    await using _ = machine;
    const folios = foliosOf(area);
    const left = new Set(folios.filter((_, i) => i % 5 === 1 || i % 11 === 5).map(({ pfn }) => pfn * 4096));
    const migrator = createFaulty(machine, (from) => !left.has(from), isAsync);
    const { status, stats } = await machine.movePages(area.mm, area.pages(), { node: 1, migrator });
    expect(new Set(status)).toEqual(new Set([1]));
    expect(stats).toMatchObject({ succeeded: PAGES, failed: 0, retries: 0, batches: 1, declined: 0 });
    expect([...stats.movedBy].sort((a, b) => a.folios - b.folios)).toEqual([
      { migrator: 'kernel', folios: left.size, bytes: left.size * 4096 },
      { migrator: 'cpu', folios: PAGES - left.size, bytes: (PAGES - left.size) * 4096 },
    ]);
    await expectBytes(area, bytes);
    expectAtRest(area, shared ? 1 : 0);
    // Whoever maps them anew finds the same.
    if (shared) await expectBytes(await area.mm.fork(area, machine.createAddressSpace()), bytes);
    await machine.close();
    expect(freePages(machine)).toEqual([4096, 4096]);
  });
});

describe('a thread of mtcopy that is killed in the middle of a copy', () => {
  it.each(FLOWS)('%s: loses nothing, not even the try: the calling thread copies what it left', async (flow) => {
    using workers = watchWorkers();
    using holds = holdThreads();
    await using machine = await Machine.boot({ nodes: ['64M', '64M'], cpus: 0, flow });
    // An engine whose caller takes no part of its own.
    await using engine = await CopyEngine.create({
      memory: machine.memory,
      threads: 2,
      schedule: 'static',
      caller: 'waits',
      method: 'typed-array',
      minParallelBytes: 0,
    });
    const ring = openRing(machine.memory.buffer, RING);
    const stop = ring.slots[0].base + STOP;
    const [to, from] = [engine.allocate(MiB), engine.allocate(MiB)];
    const run: RunShared = (work, items, stores) => runTrusted(engine, work, items, 'auto', stores);
    const mtcopy = createMtcopyMigrator(run, machine.memory);
    const ends: Promise<unknown>[] = [];
    let copied = 0;
    let held = 0;
    /** Has the threads copy, and every third time kills them all with one of them, at least, in the middle of it. */
    const copyAndKill = async <T>(copy: () => T | Promise<T>): Promise<T> => {
      if (copied++ % 3 > 0) return copy();
      // Both are there again.
      do await engine.copy(to, from);
      while (countAttached(ring, 2) < 2);
      // A thread looks there before each piece: two pieces are copied by the fourth look, whoever makes it.
      using hold = holds.at({ operation: 'load', array: ring.words, index: stop, nth: 4 });
      const copying = Promise.resolve(copy());
      expect(await raceHeld(hold, copying)).toBe(true);
      held++;
      for (const worker of workers.alive) ends.push(worker.terminate());
      return await copying;
    };
    const migrator: Migrator = {
      name: 'mtcopy',
      copyFolios: (batch) => copyAndKill(async () => mtcopy.copyFolios(batch)),
    };
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '24M', folioSize: '2M', populate: true });
    const bytes = await filled(area);
    for (let round = 0; round < 4; round++) {
      const node = (round + 1) % 2;
      const { status, stats } = await machine.movePages(mm, area.folios(), { node, batchUnit: 'folios', migrator });
      expect(new Set(status)).toEqual(new Set([node]));
      expect(stats).toMatchObject({ succeeded: area.length / 4096, failed: 0, retries: 0 });
      expectAtRest(area);
      await expectBytes(area, bytes);
    }
    await Promise.all(ends);
    expect(held).toBeGreaterThan(0);
    for (const bytes of [to, from]) engine.free(bytes);
    await mm.close();
    expect(freePages(machine)).toEqual([16384, 16384]);
    console.info(`${flow}: ${ends.length} threads killed in the middle of ${held} of ${copied} copies`);
  });
});
