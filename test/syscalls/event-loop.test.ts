import { setImmediate } from 'node:timers/promises';
import { type Area, type Machine, PAGE_SIZE } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { PG } from '#src/memory/page-metadata.js';
import { PAGES_A_SLICE } from '#src/migrate/resched.js';
import { expectAtRest, expectBytes, filled, foliosOf, freePages } from '../support/machines.js';
import { createTestMigrator } from '../support/migrators.js';
import { boot, flagged, NODE, watch } from '../support/turns.js';

const calls = {
  movePages: (machine: Machine, area: Area, options: object) =>
    machine.movePages(area.mm, area.pages(), { node: 1, ...options }),
  migratePages: (machine: Machine, area: Area, options: object) =>
    machine.migratePages(area.mm, { from: [0], to: [1], ...options }),
};

describe.each(['movePages', 'migratePages'] as const)('%s gives the event loop turns while it isolates', (name) => {
  it.each(['4K', '64K'])('folios of %s', async (folioSize) => {
    const { machine, area, pages } = await boot(folioSize);
    await using _ = machine;
    const migrator = createTestMigrator(machine);
    const moving = calls[name](machine, area, { migrator });
    const { largest, end } = await watch(() => flagged(machine, PG.isolated), migrator.entered);
    migrator.go();
    const { notMigrated, stats } = await moving;
    expect([notMigrated, stats.succeeded]).toEqual([0, pages]);
    expect(end).toBe(name === 'movePages' ? 8192 : pages);
    expect(largest).toBeLessThanOrEqual(PAGES_A_SLICE + 16);
    expect(stats.phasesNs.isolate).toBeGreaterThan(0);
  });

  it('and finds what is mapped by then: nothing, or other memory', async () => {
    const { machine, area, pages } = await boot('4K');
    await using _ = machine;
    const { mm, address, length } = area;
    const bytes = await filled(area);
    const moving = calls[name](machine, area, {});
    await setImmediate();
    expect(flagged(machine, PG.isolated)).toBeGreaterThan(0);
    // Pages that were isolated, and pages that are still to be.
    await mm.munmap(address + 64 * PAGE_SIZE, length - 128 * PAGE_SIZE);
    const other = mm.mmap({ length: '1M', node: 1, populate: true });
    const { notMigrated, stats } = await moving;
    expect(stats.succeeded).toBeGreaterThanOrEqual(128);
    expect(stats.succeeded).toBeLessThan(pages);
    const where = Array.from((await machine.movePages(mm, area.pages())).status);
    const isOther = (i: number) =>
      i >= (other.address - address) / PAGE_SIZE && i < (other.address - address + 2 ** 20) / PAGE_SIZE;
    expect(where).toEqual(where.map((_, i) => (i < 64 || i >= pages - 64 || isOther(i) ? 1 : -14)));
    expect(notMigrated).toBeLessThanOrEqual(name === 'movePages' ? pages : 0);
    expect(Buffer.from(await mm.read(address, 64 * PAGE_SIZE)).equals(bytes.subarray(0, 64 * PAGE_SIZE))).toBe(true);
    expectAtRest(area);
    await mm.close();
    expect(freePages(machine)).toEqual([NODE / PAGE_SIZE, NODE / PAGE_SIZE]);
  });

  it('and leaves what another call has isolated or moved by then', async () => {
    const { machine, area, pages } = await boot('4K');
    await using _ = machine;
    const bytes = await filled(area);
    const results = [calls[name](machine, area, {})];
    await setImmediate();
    results.push(calls[name](machine, area, {}), machine.movePages(area.mm, area.pages().reverse(), { node: 1 }));
    const moved = await Promise.all(results);
    expect(moved.reduce((sum, { stats }) => sum + stats.succeeded, 0)).toBe(pages);
    await expectBytes(area, bytes);
    expectAtRest(area);
    expect(new Set(foliosOf(area).map(({ nid }) => nid))).toEqual(new Set([1]));
    await area.mm.close();
    expect(freePages(machine)).toEqual([NODE / PAGE_SIZE, NODE / PAGE_SIZE]);
  });

  it('and ends if its address space is closed by then', async () => {
    const { machine, area } = await boot('4K');
    await using _ = machine;
    const moving = calls[name](machine, area, {});
    await setImmediate();
    await area.mm.close();
    await moving;
    expect(freePages(machine)).toEqual([NODE / PAGE_SIZE, NODE / PAGE_SIZE]);
  });
});

it('the query form of movePages gives the event loop turns', async () => {
  const { machine, area, pages } = await boot('4K');
  await using _ = machine;
  let turns = 0;
  const asking = machine.movePages(area.mm, area.pages());
  await watch(() => turns++, asking);
  expect(turns).toBeGreaterThan(pages / PAGES_A_SLICE);
});
