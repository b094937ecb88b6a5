import { type Area, FLOWS, type Machine, type Migrator, PAGE_SIZE, type Stores } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { ERRNO } from '#src/errno.js';
import { PG } from '#src/memory/page-metadata.js';
import { PAGES_A_SLICE } from '#src/migrate/resched.js';
import { expectBytes, filled, freePages } from '../support/machines.js';
import { createBench } from '../support/manager.js';
import { COPIES_NOTHING, createTestMigrator } from '../support/migrators.js';
import { boot as bootWith, flagged, watch } from '../support/turns.js';

/** With two slices' work. */
const boot = (folioSize: string, options: object) => bootWith(folioSize, options, '32M');

/** Pages of an area that are on their way. */
function unmapped({ mm, address, length }: Area): number {
  let pages = 0;
  for (let at = address; at < address + length; at += PAGE_SIZE) if (!mm.folioAt(at)) pages++;
  return pages;
}

/** Fills an area, the first byte of each page with 1, so that {@link copiedPages} counts it once it is on node 1. */
async function marked(area: Area): Promise<Uint8Array> {
  const bytes = await filled(area);
  for (let at = 0; at < bytes.length; at += PAGE_SIZE) bytes[at] = 1;
  await area.mm.write(area.address, bytes);
  return bytes;
}

function copiedPages({ memory }: Machine): number {
  const { startPfn, endPfn } = memory.nodes[1] as { startPfn: number; endPfn: number };
  let count = 0;
  for (let pfn = startPfn; pfn < endPfn; pfn++) count += memory.bytes[pfn * PAGE_SIZE] as number;
  return count;
}

describe.each(FLOWS)('%s, kernel: the event loop gets turns', (flow) => {
  // Single folios are copied in one way alone.
  const stores: Stores[] = flow === 'batch-move' || flow === 'pre-copy' ? ['cached', 'streaming'] : ['cached'];
  const all = stores.flatMap((stores) => ['4K', '64K', '2M', '4M'].map((folioSize) => ({ stores, folioSize })));
  it.each(all)('while a batch of 32 MiB in folios of $folioSize is copied, $stores', async ({ stores, folioSize }) => {
    const { machine, area, pages } = await boot(folioSize, { flow, stores, batchUnit: 'folios', batchLimit: 2 ** 20 });
    await using _ = machine;
    const bytes = await marked(area);
    const moving = machine.movePages(area.mm, area.folios(), { node: 1 });
    const { largest, end } = await watch(() => copiedPages(machine), moving);
    expect(end).toBe(pages);
    expect((await moving).notMigrated).toBe(0);
    // Less than a slice and the folio that comes next.
    expect(largest).toBeLessThanOrEqual(PAGES_A_SLICE + area.folioSize / PAGE_SIZE);
    await expectBytes(area, bytes);
  });

  it.each<[string, (area: Area, machine: Machine) => number]>([
    ['mapped where it went', (area) => area.length / PAGE_SIZE - unmapped(area)],
    ['freed where it was', (_, machine) => freePages(machine)[0] as number],
  ])('while a batch is %s', async (_, count) => {
    const { machine, area, pages } = await boot('4K', { flow, batchLimit: 2 ** 20 });
    await using _machine = machine;
    const moving = machine.movePages(area.mm, area.pages(), { node: 1, migrator: COPIES_NOTHING });
    const { largest } = await watch(() => count(area, machine), moving);
    expect((await moving).stats.succeeded).toBe(pages);
    expect(largest).toBeLessThanOrEqual(PAGES_A_SLICE + 64);
  });

  if (flow === 'serial') return;

  it('while a batch of large folios is unmapped', async () => {
    const { machine, area } = await boot('4M', { flow, batchUnit: 'folios' });
    await using _ = machine;
    const migrator = createTestMigrator(machine);
    const moving = machine.movePages(area.mm, area.folios(), { node: 1, migrator });
    const { largest, end } = await watch(() => unmapped(area), migrator.entered);
    migrator.go();
    expect((await moving).notMigrated).toBe(0);
    expect(end).toBe(area.length / PAGE_SIZE);
    expect(largest).toBeLessThanOrEqual(PAGES_A_SLICE + 1024);
  });
});

it.each(
  (['batch-move', 'pre-copy'] as const).flatMap((flow) =>
    (['cached', 'streaming'] as const).map((stores) => [flow, stores] as const),
  ),
)(
  '%s, %s: the event loop gets turns while a batch that the migrator declines is copied folio by folio',
  async (flow, stores) => {
    const { machine, area, pages } = await boot('4K', { flow, stores, batchLimit: 2 ** 20 });
    await using _ = machine;
    await marked(area);
    const migrator: Migrator = { name: 'declines', copyFolios: () => ERRNO.EOPNOTSUPP };
    const moving = machine.movePages(area.mm, area.pages(), { node: 1, migrator });
    const { largest, end } = await watch(() => copiedPages(machine), moving);
    expect(end).toBe(pages);
    expect((await moving).notMigrated).toBe(0);
    expect(largest).toBeLessThanOrEqual(PAGES_A_SLICE);
  },
);

it('folios that could not be moved are put back with turns between', async () => {
  const bench = createBench(['128M', '128M']);
  const { memory } = bench.manager;
  const folios = Array.from(memory.allocFolios(20_000, 0), (pfn) => memory.folio(pfn));
  for (const { pfn } of folios) Atomics.or(memory.page.flags, pfn, PG.lru);
  const failing = bench.migrate(folios, { mode: 'MIGRATE_ASYNC', batchLimit: 8192 });
  const { largest, end } = await watch(() => flagged(bench.manager, PG.lru), failing);
  expect(end).toBe(20_000);
  expect(largest).toBeLessThanOrEqual(PAGES_A_SLICE + 64);
});
