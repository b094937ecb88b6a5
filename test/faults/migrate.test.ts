import type { Worker } from 'node:worker_threads';
import {
  type Area,
  FLOWS,
  Machine,
  MIGRATOR_NAMES,
  type Migrator,
  type MigratorName,
  type MovePagesResult,
  type OffloadBatch,
} from 'mtcopy';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { DmaEngine } from '#src/dma/engine.js';
import type { FaultPlan } from '#src/dma/faults.js';
import { PG } from '#src/memory/page-metadata.js';
import { PhysicalMemory } from '#src/memory/physical-memory.js';
import type { FolioCopy } from '#src/migrate/folio-copy.js';
import { emptyFlushBatch, TlbFlusher, UnresponsiveCpuError } from '#src/mm/tlb-flush.js';
import {
  BOOM,
  boom,
  deviceStep,
  type Fault,
  failEach,
  methodStep,
  outcomeOf,
  type Step,
  spawnsStep,
} from '../support/faults.js';
import { expectAtRest, expectBytes, filled, foliosOf, freePages } from '../support/machines.js';
import { watchWorkers } from '../support/threads.js';

const MANNERS = FLOWS.flatMap((flow) => MIGRATOR_NAMES.map((migrator) => ({ flow, migrator })));
/** Three batches, the last not full. */
const FOLIOS = 7;
const BATCH = { batchLimit: 3, batchUnit: 'folios' } as const;
/** Codes that a call may fail with, though a step of it didn't throw. */
const CODES = ['ETIMEDOUT', 'EAGAIN'];

let machine: Machine;
/** The machine's DMA engine, as soon as it is there. */
let dma: DmaEngine | undefined;
beforeAll(async () => {
  const { create } = DmaEngine;
  const spy = vi.spyOn(DmaEngine, 'create').mockImplementation(async (options) => {
    dma = await create.call(DmaEngine, options);
    return dma;
  });
  machine = await Machine.boot({
    nodes: ['16M', '16M'],
    cpus: 0,
    threads: 2,
    dma: { iommu: 'passthrough' },
    dcbm: { nrDmaChan: 2 },
  });
  await Promise.all([
    machine.sysfs.write('kernel/cpu_mt/min_bytes', '0'),
    machine.ready('mtcopy'),
    machine.ready('dcbm'),
  ]);
  spy.mockRestore();
});
afterAll(() => machine.close());

/** A target that can't be allocated. */
const allocation: Step = (n) => methodStep(PhysicalMemory.prototype, 'takeFolio', () => 0 as never)(n);

/** A folio that somebody else has locked for a moment. */
const lock: Step = (n) => {
  const { flags } = machine.memory.page;
  const isLock = (array: unknown, _: number, value: number | bigint) => array === flags && value === PG.locked;
  return methodStep(
    Atomics as { or(array: Int32Array, index: number, value: number): number },
    'or',
    (array, index) => array[index] | PG.locked,
    isLock,
  )(n);
};

/** A reference that somebody else takes, and drops after a moment. */
const reference: Step = (n) => {
  const { refcount } = machine.memory.page;
  const loads = Atomics as { load(array: Int32Array, index: number): number };
  return methodStep(
    loads,
    'load',
    (array, index) => array[index] + 1,
    (array) => array === (refcount as unknown),
  )(n);
};

/** A flush that a CPU doesn't answer. */
const flush: Step = methodStep(TlbFlusher.prototype, 'flush', (batch) => {
  emptyFlushBatch(batch);
  return Promise.reject(new UnresponsiveCpuError([0], 1, Promise.resolve()));
});

/** A flush that throws, in its first moment. */
const flushThrows: Step = methodStep(TlbFlusher.prototype, 'flush', boom);

/** A copy of the calling thread's: its source gets a memory error just before. */
const copy: Step = (n) => {
  const { memory, offload } = machine;
  const { folioCopy } = offload;
  const poisoned: number[] = [];
  const failing: FolioCopy = (slice, to, from, bytes) => {
    memory.poison(from / 4096);
    poisoned.push(from / 4096);
    return folioCopy(slice, to, from, bytes);
  };
  const fault = methodStep(offload, 'folioCopy', failing)(n);
  return {
    get times() {
      return fault.times;
    },
    [Symbol.dispose]() {
      fault[Symbol.dispose]();
      for (const pfn of poisoned.splice(0)) memory.unpoison(pfn);
    },
  };
};

/** A copy of the calling thread's that throws. */
const copyThrows: Step = (n) => methodStep(machine.offload, 'folioCopy', boom)(n);

const ofDevice = (name: keyof FaultPlan, kind: unknown) => deviceStep(() => dma as DmaEngine, name, kind);

/** Steps by what they are called: those of the calling thread, and those that a migrator has. */
const STEPS: Record<string, Step> = { allocation, lock, reference, flush, flushThrows, copy, copyThrows };
const DEVICE: Record<string, Step> = {
  mapping: ofDevice('map', true),
  submission: ofDevice('submit', true),
  'a read': ofDevice('descriptor', 'read'),
  'a channel that throws': ofDevice('descriptor', 'throw'),
};

/** What of a call is checked whatever came of it: each folio is where its status says. */
function expectWhereItSays(area: Area, node: number, result: MovePagesResult | undefined): void {
  if (!result) return;
  const where = foliosOf(area).map(({ nid }) => nid);
  const says = Array.from(result.status, (status) => (status < 0 ? 1 - node : status));
  expect(where).toEqual(says);
}

/** Migrates with a failing step, and then without: nothing is lost, nothing is left over, and the next call moves all. */
async function migrateWith(
  step: Step,
  migrate: (area: Area, node: number) => Promise<MovePagesResult | undefined>,
  { shared = false, on = machine } = {},
): Promise<number> {
  const free = freePages(on);
  const length = FOLIOS * 16384;
  const area = on.createAddressSpace().mmap({ length, folioSize: '16K', populate: true, shared });
  const bytes = await filled(area);
  const used = freePages(on).reduce((sum, pages) => sum + pages, 0);
  const failures = await failEach(step, async (fault, n) => {
    const node = n % 2;
    const result = await outcomeOf(() => migrate(area, node), CODES);
    fault[Symbol.dispose]();
    expectWhereItSays(area, node, result);
    expectAtRest(area, shared ? 1 : 0);
    await expectBytes(area, bytes);
    expect(freePages(on).reduce((sum, pages) => sum + pages, 0)).toBe(used);
    // What fails at first leaves nothing to the next, which has all of it on one node, as the next run wants it.
    const { stats } = await on.movePages(area.mm, area.folios(), { node });
    expect(stats.failed).toBe(0);
    expect(new Set(foliosOf(area).map(({ nid }) => nid))).toEqual(new Set([node]));
  });
  await expectBytes(area, bytes);
  await area.mm.close();
  expect(freePages(on)).toEqual(free);
  return failures;
}

/** Whether a call takes such a step at all: a migrator that is not the calling thread leaves it nothing to copy. */
function takes(step: string, { flow, migrator }: { flow: string; migrator: MigratorName }): boolean {
  if (step.startsWith('copy')) return migrator === 'kernel';
  // Its folios are given away before they are copied, by an exchange.
  return !(step === 'reference' && flow === 'batch-move');
}

describe.each(MANNERS)('$flow, $migrator: move_pages, whichever time it is that fails of', (manner) => {
  it.each(Object.keys(STEPS).filter((step) => takes(step, manner)))('%s', async (name) => {
    const failures = await migrateWith(STEPS[name], (area, node) =>
      machine.movePages(area.mm, area.folios(), { node, ...manner, ...BATCH }),
    );
    expect(failures).toBeGreaterThan(1);
  });
});

describe.each(FLOWS)('%s, dcbm: move_pages, whichever time it is that fails of', (flow) => {
  it.each(Object.keys(DEVICE))('%s', async (name) => {
    const failures = await migrateWith(DEVICE[name], (area, node) =>
      machine.movePages(area.mm, area.folios(), { node, flow, migrator: 'dcbm', ...BATCH }),
    );
    expect(failures).toBeGreaterThan(1);
  });
});

describe.each(FLOWS)('%s, mtcopy: move_pages with', (flow) => {
  it('each frame that has a memory error', async () => {
    const area = machine.createAddressSpace().mmap({ length: FOLIOS * 16384, folioSize: '16K', populate: true });
    // The n-th folio's last frame: threads find it.
    const frame = (n: number): Fault => {
      const folio = n <= FOLIOS ? foliosOf(area)[n - 1] : undefined;
      const pfn = folio && folio.pfn + 3;
      if (pfn !== undefined) machine.memory.poison(pfn);
      return {
        times: folio ? n : 0,
        [Symbol.dispose]() {
          if (pfn !== undefined && machine.memory.isPoisoned(pfn * 4096, 1)) machine.memory.unpoison(pfn);
        },
      };
    };
    const bytes = await filled(area);
    const failures = await failEach(frame, async (fault, n) => {
      const node = n % 2;
      const { status } = await machine.movePages(area.mm, area.folios(), { node, flow, migrator: 'mtcopy', ...BATCH });
      const failed = Array.from(status.entries()).filter(([, result]) => result < 0);
      expect(failed.map(([at]) => at)).toEqual(fault.times === 0 ? [] : [n - 1]);
      fault[Symbol.dispose]();
      expectAtRest(area);
      await expectBytes(area, bytes);
      await machine.movePages(area.mm, area.folios(), { node });
    });
    expect(failures).toBe(FOLIOS);
    await area.mm.close();
  });
});

/** What has threads started, of a machine whose threads copy: two and more. */
const STARTS: Record<string, (machine: Machine, workers: ReadonlySet<Worker>) => unknown> = {
  'an engine of another schedule'(machine) {
    machine.schedule = machine.schedule === 'dynamic' ? 'static' : 'dynamic';
  },
  'more threads'(machine) {
    machine.threads += 2;
  },
  'others in the place of those that died': (_, workers) =>
    Promise.all(Array.from(workers, (worker) => worker.terminate())),
};

describe.each(FLOWS)(
  '%s, mtcopy: from whichever start of a thread on all fail, in the middle of move_pages, of',
  (flow) => {
    it.each(Object.keys(STARTS))('%s', async (name) => {
      using workers = watchWorkers();
      await using own = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0, migrator: 'mtcopy', threads: 2 });
      await own.sysfs.write('kernel/cpu_mt/min_bytes', '0');
      const mtcopy = own.offload.active as Migrator;
      const move = async (area: Area, node: number) => {
        let batches = 0;
        const migrator: Migrator = {
          ...mtcopy,
          async copyFolios(batch: OffloadBatch) {
            if (++batches === 2) await STARTS[name](own, workers.alive);
            return mtcopy.copyFolios(batch);
          },
        };
        return own.movePages(area.mm, area.folios(), { node, flow, migrator, ...BATCH });
      };
      expect(await migrateWith(spawnsStep, move, { on: own })).toBeGreaterThan(1);
      await own.close();
      expect(workers.alive.size).toBe(0);
    });
  },
);

describe.each(FLOWS)('%s: migrate_pages, whichever time it is that fails of', (flow) => {
  it.each(Object.keys(STEPS).filter((step) => takes(step, { flow, migrator: 'kernel' })))('%s', async (name) => {
    const failures = await migrateWith(STEPS[name], async (area, node) => {
      const options = { from: [1 - node], to: [node], flow, ...BATCH };
      await machine.migratePages(area.mm, options);
      return undefined;
    });
    expect(failures).toBeGreaterThan(1);
  });
});

describe.each(FLOWS)('%s: memory that has a page cache, whichever time it is that fails of', (flow) => {
  it.each(Object.keys(STEPS))('%s', async (name) => {
    const failures = await migrateWith(
      STEPS[name],
      (area, node) => machine.movePages(area.mm, area.folios(), { node, flow, ...BATCH }),
      { shared: true },
    );
    expect(failures).toBeGreaterThan(name === 'reference' && flow === 'batch-move' ? -1 : 1);
  });
});

describe.each(FLOWS)('%s: whichever call of its own migrator throws,', (flow) => {
  it.each(['copyFolios', 'canMigrate'] as const)('%s', async (method) => {
    const migrator = {
      name: 'own',
      canMigrate: () => true,
      copyFolios: () => 0,
    };
    const failures = await migrateWith(methodStep(migrator, method, boom), (area, node) =>
      machine.movePages(area.mm, area.folios(), { node, flow, migrator, ...BATCH }),
    );
    expect(failures).toBeGreaterThan(1);
  });
});

describe.each(FLOWS)("%s: movable memory, whichever call of its owner's throws,", (flow) => {
  it.each(['isolate', 'migrate', 'putback'] as const)('%s', async (method) => {
    const { memory } = machine;
    const free = freePages(machine);
    let folios = Array.from(memory.allocFolios(FOLIOS, 2), (pfn) => memory.folio(pfn));
    const seen = (at: number) => new Set(folios[at].bytes);
    for (const [at, folio] of folios.entries()) folio.bytes.fill(at + 1);
    const operations = {
      isolate: () => true,
      migrate(dst: { pfn: number }, src: { pfn: number }) {
        folios = folios.map((folio) => (folio.pfn === src.pfn ? memory.folio(dst.pfn) : folio));
        return 0;
      },
      putback() {},
    };
    for (const folio of folios) machine.setMovable(folio, operations);
    const step = methodStep(operations as Record<typeof method, () => never>, method, boom);
    const failures = await failEach(step, async (fault, n) => {
      const node = n % 2;
      // One of them is held by somebody else: it is put back, and so is another that has no room.
      folios[0].get();
      await outcomeOf(() => machine.migrateMovable(folios, { node, reason: 'compaction', flow, ...BATCH }));
      folios[0].put();
      fault[Symbol.dispose]();
      for (const [at, folio] of folios.entries()) {
        expect(seen(at)).toEqual(new Set([at + 1]));
        expect([folio.refcount, folio.flags.includes('isolated'), folio.locked]).toEqual([1, false, false]);
      }
      const { status } = await machine.migrateMovable(folios, { node, reason: 'compaction', flow });
      expect(new Set(status)).toEqual(new Set([node]));
    });
    expect(failures).toBeGreaterThan(0);
    for (const folio of folios) {
      machine.clearMovable(folio);
      folio.put();
    }
    expect(freePages(machine)).toEqual(free);
  });
});

it('what was thrown is what came out', async () => {
  const area = machine.createAddressSpace().mmap({ length: '16K', populate: true });
  using _ = flushThrows(1);
  await expect(machine.movePages(area.mm, area.pages(), { node: 1 })).rejects.toBe(BOOM);
  await area.mm.close();
});
