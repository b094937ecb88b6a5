import { tracingChannel } from 'node:diagnostics_channel';
import { FLOWS, type Folio, type Migrator } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { PG } from '#src/memory/page-metadata.js';
import { OffloadRegistry } from '#src/migrate/offload.js';
import { errorOf } from '../support/errors.js';
import { expectAtRest, expectBytes, filled, foliosOf, freePages } from '../support/machines.js';
import { type Bench, createBench } from '../support/manager.js';
import { createCpuMigrator } from '../support/migrators.js';

const PAGES = 64;
/** How often a batch of each flow looks at its migrator's name while it is traced: at begin and end of each step, and last. */
const LOOKS = { serial: 3, vanilla: 9, 'batch-move': 13, 'pre-copy': 11 };
const manners = FLOWS.flatMap((flow) => [1, 2].map((batchesInFlight) => ({ flow, batchesInFlight })));

/** A migration of an area that gets `error`: every folio is back and whole then, and no frame is lost. */
async function expectAllBack(bench: Bench, options: object, error: unknown, mend = () => {}): Promise<void> {
  const area = bench.createAddressSpace().mmap({ length: PAGES * 4096, populate: true });
  const bytes = await filled(area);
  const migrating = bench.migrate(foliosOf(area), { batchLimit: 16, ...options });
  expect(await errorOf(() => migrating)).toEqual(error);
  mend();
  expectAtRest(area);
  await expectBytes(area, bytes);
  const { pgmigrate_success: moved, pgmigrate_fail: stayed } = bench.manager.vmstat;
  expect([moved + stayed, foliosOf(area).filter(({ nid }) => nid === 1).length]).toEqual([PAGES, moved]);
  await area.mm.close();
  expect(freePages(bench.manager)).toEqual([4096, 4096]);
}

describe.each(manners)('$flow, batches in flight $batchesInFlight: whatever is thrown, folios go back:', (manner) => {
  it('by a flush', async () => {
    const bench = createBench();
    const { tlb } = bench.manager;
    const flush = tlb.flush.bind(tlb);
    tlb.flush = () => {
      throw new Error('boom');
    };
    await expectAllBack(bench, manner, new Error('boom'), () => {
      tlb.flush = flush;
    });
  });

  it('between any two steps', async () => {
    // Four batches.
    for (let at = 1; at <= 4 * LOOKS[manner.flow]; at++) {
      const bench = createBench();
      let looks = 0;
      const migrator: Migrator = {
        ...createCpuMigrator(bench.manager).migrator,
        // Whoever is traced looks at the name before and after each step.
        get name(): string {
          if (++looks === at) throw new Error('boom');
          return 'boom';
        },
      };
      const channel = tracingChannel('mtcopy:migrate');
      const ignore = () => {};
      channel.start.subscribe(ignore);
      try {
        const migrators = new OffloadRegistry(bench.manager.memory).named(migrator);
        await expectAllBack(bench, { ...manner, migrators }, new Error('boom'));
      } finally {
        channel.start.unsubscribe(ignore);
      }
    }
  });

  it('before the first batch', async () => {
    await expectAllBack(createBench(), { ...manner, batchLimit: 2 ** 40 }, expect.any(RangeError));
  });
});

describe('a call of which more pages fail than fit on the stack', () => {
  it.each([1, 2, 4])('puts them all back, batches in flight %d', async (batchesInFlight) => {
    const bench = createBench(['2100M', '1900M']);
    const { memory } = bench.manager;
    // More for each of those that are in flight.
    const count = 130_000 * batchesInFlight;
    const folios: Folio[] = Array.from(memory.allocFolios(count, 0), (pfn) => memory.folio(pfn));
    // Their owner holds them: none can be moved.
    for (const { pfn } of folios) Atomics.or(memory.page.flags, pfn, PG.lru);
    const free = freePages(bench.manager);
    const options = { mode: 'MIGRATE_ASYNC', batchLimit: 8192, batchesInFlight } as const;
    const { stats, failed, failedErrno } = await bench.migrate(folios, options);
    expect([stats.failed, failed.length, failedErrno.length]).toEqual([count, count, count]);
    expect(freePages(bench.manager)).toEqual(free);
    const stuck = folios.findIndex(({ pfn }) => {
      return memory.page.refcount[pfn] !== 1 || (memory.page.flags[pfn] & (PG.lru | PG.isolated)) !== PG.lru;
    });
    expect(stuck).toBe(-1);
  });
});
