import { type Area, FLOWS, Machine, type Migrator, type OffloadBatch } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { ERRNO } from '#src/errno.js';
import { expectAtRest, expectBytes, filled, foliosOf, freePages } from '../support/machines.js';
import { createCpuMigrator } from '../support/migrators.js';

const PAGES = 64;
const PIECE = { folios: PAGES, bytes: PAGES * 4096 };

async function boot(flow: (typeof FLOWS)[number], shared = false) {
  const machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0, flow });
  const area = machine.createAddressSpace().mmap({ length: PAGES * 4096, populate: true, shared });
  return { machine, area, bytes: await filled(area) };
}

const move = (machine: Machine, area: Area, migrator: Migrator, node = 1) =>
  machine.movePages(area.mm, area.pages(), { node, migrator });

describe.each(['batch-move', 'pre-copy'] as const)('%s: a batch that', (flow) => {
  it.each(['EOPNOTSUPP', 'EAGAIN', 'EIO', 'ENOMEM'] as const)(
    'the migrator declines with %s is copied folio by folio, in its place',
    async (code) => {
      for (const [shared, isAsync] of [
        [false, false],
        [true, false],
        [false, true],
      ] as const) {
        const { machine, area, bytes } = await boot(flow, shared);
        await using _ = machine;
        const { migrator, counts } = createCpuMigrator(machine, () => false);
        const decline = (batch: OffloadBatch) => +migrator.copyFolios(batch) + ERRNO[code];
        const copyFolios = isAsync ? async (batch: OffloadBatch) => decline(batch) : decline;
        const declining: Migrator = { name: 'declining', copyFolios };
        const { status, stats } = await move(machine, area, declining);
        expect(new Set(status)).toEqual(new Set([1]));
        expect(stats).toMatchObject({ succeeded: PAGES, failed: 0, retries: 0, batches: 1, declined: 1 });
        expect(stats.movedBy).toEqual([{ migrator: 'kernel', ...PIECE }]);
        expect(counts).toEqual({ batches: 1, folios: PAGES, copied: 0 });
        await expectBytes(area, bytes);
        expectAtRest(area, shared ? 1 : 0);
        await machine.close();
        expect(freePages(machine)).toEqual([4096, 4096]);
      }
    },
  );

  it('it copies in part: what is marked is not copied again, what is not is, whatever lies there by then', async () => {
    const { machine, area, bytes } = await boot(flow);
    await using _ = machine;
    const migrator: Migrator = {
      name: 'writes',
      copyFolios({ items: { to }, copied }) {
        for (let i = 0; i < to.length; i++) machine.memory.bytes.fill(i, to[i], to[i] + 4096);
        for (let i = 0; i < to.length; i += 2) copied[i] = 1;
        return ERRNO.EIO;
      },
    };
    const { stats } = await move(machine, area, migrator);
    expect(stats).toMatchObject({ succeeded: PAGES, failed: 0, retries: 0, batches: 1, declined: 1 });
    for (let i = 0; i < PAGES; i += 2) bytes.fill(i, i * 4096, (i + 1) * 4096);
    await expectBytes(area, bytes);
  });

  it('has a poisoned frame leaves that folio, and no other', async () => {
    const { machine, area } = await boot(flow);
    await using _ = machine;
    const before = foliosOf(area).map(({ pfn }) => pfn);
    machine.memory.poison(before[5]);
    const { migrator, counts } = createCpuMigrator(machine);
    const { status, stats } = await move(machine, area, migrator);
    // The one by itself, as a batch of its own, which is how a call that may wait ends with every folio that is left.
    expect(stats).toMatchObject({ succeeded: PAGES - 1, failed: 1, batches: 2 });
    expect(counts).toEqual({ batches: 2, folios: PAGES + 1, copied: PAGES - 1 });
    expect(Array.from(status)).toEqual(before.map((_, i) => (i === 5 ? -ERRNO.EIO : 1)));
    expectAtRest(area);
  });
});

describe.each(FLOWS)('%s: a migrator', (flow) => {
  const together = flow === 'batch-move' || flow === 'pre-copy';

  it('is asked for no batch below its minimums', async () => {
    const { machine, area, bytes } = await boot(flow);
    await using _ = machine;
    const { migrator, counts } = createCpuMigrator(machine);
    const room = together ? PAGES : 1;
    let node = 0;
    for (const [minimums, isAsked] of [
      [{ minFolios: room }, true],
      [{ minFolios: room + 1 }, false],
      [{ minBytes: room * 4096 }, true],
      [{ minBytes: room * 4096 + 1 }, false],
      [{ minFolios: room, minBytes: room * 4096 + 1 }, false],
      [{ minFolios: undefined, minBytes: undefined }, true],
    ] as const) {
      node = 1 - node;
      const { stats } = await move(machine, area, { ...migrator, ...minimums }, node);
      expect(stats.movedBy, JSON.stringify(minimums)).toEqual([{ migrator: isAsked ? 'cpu' : 'kernel', ...PIECE }]);
    }
    expect(counts).toEqual({ batches: 3 * (together ? 1 : PAGES), folios: 3 * PAGES, copied: 3 * PAGES });
    await expectBytes(area, bytes);
  });

  it('copies no folio that it cannot migrate; those are of no batch', async () => {
    const { machine, area, bytes } = await boot(flow);
    await using _ = machine;
    const { migrator, counts } = createCpuMigrator(machine);
    const sources = foliosOf(area).map(({ pfn }) => pfn * 4096);
    const asked: number[] = [];
    const picky: Migrator = {
      ...migrator,
      minFolios: together ? PAGES / 2 : 1,
      canMigrate(to, from) {
        expect(machine.memory.page.nid[to / 4096]).toBe(1);
        asked.push(from);
        return sources.indexOf(from) % 2 === 0;
      },
    };
    const { stats } = await move(machine, area, picky);
    expect(asked.sort()).toEqual(sources.sort());
    expect(stats.movedBy).toHaveLength(2);
    for (const { folios, bytes } of stats.movedBy) expect([folios, bytes]).toEqual([PAGES / 2, (PAGES / 2) * 4096]);
    expect(counts).toEqual({ batches: together ? 1 : PAGES / 2, folios: PAGES / 2, copied: PAGES / 2 });
    // One folio too few is left of a batch that is large enough.
    const { stats: second } = await move(
      machine,
      area,
      { ...picky, minFolios: PAGES / 2 + 1, canMigrate: (to) => to % 8192 === 0 },
      0,
    );
    if (together) expect(second.movedBy.map((one) => one.migrator)).toEqual(['kernel']);
    await expectBytes(area, bytes);
  });

  it('that throws is not asked again', async () => {
    const { machine, area, bytes } = await boot(flow);
    await using _ = machine;
    let calls = 0;
    const copyFolios = ({ copied }: { copied: Uint8Array }) => {
      calls++;
      // What it said before is not believed.
      copied.fill(1);
      throw new Error('boom');
    };
    await expect(move(machine, area, { name: 'throws', copyFolios })).rejects.toThrow('boom');
    expect(calls).toBe(1);
    expect(foliosOf(area).every(({ nid }) => nid === 0)).toBe(true);
    await expectBytes(area, bytes);
    expectAtRest(area);
  });
});

it.each(FLOWS)('marks that come after the answer, against the contract, count for nothing: %s', async (flow) => {
  for (const isAsync of [false, true]) {
    const { machine, area, bytes } = await boot(flow);
    await using _ = machine;
    const kept: Uint8Array[] = [];
    const late: Migrator = {
      name: 'late',
      copyFolios({ copied }) {
        for (const marks of kept) marks.fill(1);
        kept.push(copied);
        return isAsync ? Promise.resolve(ERRNO.EOPNOTSUPP) : ERRNO.EOPNOTSUPP;
      },
    };
    const { stats } = await machine.movePages(area.mm, area.pages(), { node: 1, migrator: late, batchLimit: 8 });
    expect(stats.movedBy).toEqual([{ migrator: 'kernel', ...PIECE }]);
    expect(kept.length).toBe(flow === 'serial' || flow === 'vanilla' ? PAGES : PAGES / 8);
    await expectBytes(area, bytes);
  }
});

it.each(FLOWS)('targets and sources are locked while a migrator has them: %s', async (flow) => {
  for (const shared of [false, true]) {
    const { machine, area, bytes } = await boot(flow, shared);
    await using _ = machine;
    const { migrator } = createCpuMigrator(machine);
    let locked = 0;
    const looking: Migrator = {
      name: 'looking',
      copyFolios(batch) {
        const { to, from } = batch.items;
        for (const address of [...to, ...from]) locked += Number(machine.memory.folio(address / 4096).locked);
        return migrator.copyFolios(batch);
      },
    };
    await move(machine, area, looking);
    expect(locked).toBe(2 * PAGES);
    await expectBytes(area, bytes);
    expectAtRest(area, shared ? 1 : 0);
  }
});
