import { type Area, FLOWS, type Folio, Machine, type Migrator } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { ERRNO } from '#src/errno.js';
import { expectAtRest, filled, foliosOf, fragment } from '../support/machines.js';
import { createCpuMigrator, createTestMigrator } from '../support/migrators.js';

const PAGES = 64;

/** Scrambles a frame's bytes, or unscrambles them: with its number, and a key that nobody else has. */
function scramble(bytes: Uint8Array, pfn: number): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] ^= ((pfn + (i >> 12)) * 37 + (i & 4095) * 11 + 0x5a) & 255;
}

/** A device's migrator: of private folios it copies those that it `takes`. */
function createDevice({ memory: { bytes: physical } }: Machine, takes: (i: number) => boolean = () => true) {
  const asked: [boolean, number][] = [];
  const migrator: Migrator = {
    name: 'device',
    copiesPrivate: true,
    minFolios: 1000,
    copyFolios({ items: { to, from, bytes }, copied, isPrivate }) {
      asked.push([isPrivate, to.length]);
      for (let i = 0; i < to.length; i++) {
        if (!isPrivate || !takes(i)) continue;
        const plain = physical.slice(from[i], from[i] + bytes[i]);
        scramble(plain, from[i] / 4096);
        scramble(plain, to[i] / 4096);
        physical.set(plain, to[i]);
        copied[i] = 1;
      }
      return 0;
    },
  };
  return { migrator, asked };
}

/** An area of which every third folio is private. */
async function boot(flow: (typeof FLOWS)[number], folioSize = '4K') {
  const machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0, flow });
  const length = folioSize === '4K' ? PAGES * 4096 : '4M';
  const area = machine.createAddressSpace().mmap({ length, folioSize, populate: true });
  const bytes = await filled(area);
  const secret = foliosOf(area).filter((_, i) => i % 3 === 0);
  for (const folio of secret) {
    scramble(folio.bytes, folio.pfn);
    folio.private = true;
  }
  return { machine, area, bytes, count: secret.length };
}

/** What stands in an area, with what is private unscrambled, is what stood there. */
function expectPlain(area: Area, bytes: Uint8Array, count: number): void {
  let found = 0;
  for (const [i, address] of area.folios().entries()) {
    // A smaller one, if the folio was split.
    const folio = area.mm.folioAt(address) as Folio;
    const plain = folio.bytes.slice();
    if (folio.private) scramble(plain, folio.pfn);
    found += folio.private ? 1 : 0;
    const expected = bytes.subarray(i * area.folioSize, i * area.folioSize + plain.length);
    expect(Buffer.compare(plain, expected), `folio ${i}`).toBe(0);
  }
  expect(found).toBe(count);
}

describe.each(FLOWS)('%s: folios that are private to a device', (flow) => {
  const together = flow === 'batch-move' || flow === 'pre-copy';

  it.each(['registered for other reasons', 'named by the call'])('are copied by its migrator, %s', async (how) => {
    const { machine, area, bytes, count } = await boot(flow);
    await using _ = machine;
    const { migrator, asked } = createDevice(machine);
    const isNamed = how === 'named by the call';
    if (!isNamed) machine.offload.register(migrator, 'damon');
    const options = { node: 1, ...(isNamed && { migrator }) };
    const { status, stats } = await machine.movePages(area.mm, area.pages(), options);
    expect(new Set(status)).toEqual(new Set([1]));
    // By themselves, past its minimum, under which it isn't asked for all others.
    expect(asked).toEqual(together ? [[true, count]] : new Array(count).fill([true, 1]));
    expect(stats.movedBy).toEqual([
      { migrator: 'kernel', folios: PAGES - count, bytes: (PAGES - count) * 4096 },
      { migrator: 'device', folios: count, bytes: count * 4096 },
    ]);
    expectPlain(area, bytes, count);
    expectAtRest(area);
  });

  it.each(['nothing', 'one that cannot', 'kernel'])('stay where they are, with EOPNOTSUPP, beside %s', async (what) => {
    const { machine, area, bytes, count } = await boot(flow);
    await using _ = machine;
    if (what === 'one that cannot') machine.offload.register(createCpuMigrator(machine).migrator, 'all');
    if (what === 'kernel') machine.offload.register(createDevice(machine).migrator, 'all');
    const options = { node: 1, ...(what === 'kernel' && { migrator: 'kernel' as const }) };
    const { status, stats } = await machine.movePages(area.mm, area.pages(), options);
    expect(Array.from(status)).toEqual(Array.from(status, (_, i) => (i % 3 === 0 ? -ERRNO.EOPNOTSUPP : 1)));
    expect(stats).toMatchObject({ succeeded: PAGES - count, failed: count });
    expectPlain(area, bytes, count);
    expectAtRest(area);
  });

  it('stay there too if it leaves them, and are copied by nobody else', async () => {
    const { machine, area, bytes, count } = await boot(flow);
    await using _ = machine;
    const { migrator } = createDevice(machine, (i) => i % 2 === 1);
    machine.offload.register(migrator, 'all');
    const { status, stats } = await machine.movePages(area.mm, area.pages(), { node: 1 });
    const moved = together ? count >> 1 : 0;
    expect(stats).toMatchObject({ succeeded: PAGES - count + moved, failed: count - moved });
    expect(Array.from(status).filter((one) => one === -ERRNO.EOPNOTSUPP)).toHaveLength(count - moved);
    expectPlain(area, bytes, count);
    expectAtRest(area);
  });

  it('stay private when one is split, for the target has no room for it whole', async () => {
    const { machine, area, bytes } = await boot(flow, '2M');
    await using _ = machine;
    fragment(machine, 1);
    machine.offload.register(createDevice(machine).migrator, 'all');
    const { stats } = await machine.movePages(area.mm, area.pages(), { node: 1 });
    expect(stats).toMatchObject({ succeeded: 1024, failed: 0, thpSplit: 2 });
    expectPlain(area, bytes, 1);
    expectAtRest(area);
  });
});

it.each(FLOWS)('%s: nothing that is private is moved by a migrator that has thrown', async (flow) => {
  const { machine, area, bytes, count } = await boot(flow);
  await using _ = machine;
  const { migrator } = createDevice(machine);
  let calls = 0;
  const throwing: Migrator = {
    ...migrator,
    minFolios: 1,
    copyFolios(batch) {
      calls++;
      if (!batch.isPrivate) throw new Error('boom');
      return migrator.copyFolios(batch);
    },
  };
  machine.offload.register(throwing, 'all');
  await expect(machine.movePages(area.mm, area.pages(), { node: 1 })).rejects.toThrow('boom');
  const moved = foliosOf(area).filter(({ nid }) => nid === 1).length;
  // Folio by folio the first one, which is private, comes before the one that it throws for.
  expect([calls, moved]).toEqual(flow === 'serial' || flow === 'vanilla' ? [2, 1] : [1, 0]);
  expectPlain(area, bytes, count);
  expectAtRest(area);
});

it('are waited for by unregister, as every batch is', async () => {
  const { machine, area, count } = await boot('pre-copy');
  await using _ = machine;
  // Waits in its first batch, which is of private folios alone: it is registered for no reason.
  const slow = { ...createTestMigrator(machine), copiesPrivate: true };
  machine.offload.register(slow, 'none');
  const moving = machine.movePages(area.mm, area.pages(), { node: 1 });
  await slow.entered;
  let isLeft = false;
  const leaving = machine.offload.unregister(slow).then(() => {
    isLeft = true;
  });
  // Batches that begin now don't get it, though nobody else can copy what they have.
  const other = machine.createAddressSpace().mmap({ length: '4K', populate: true });
  for (const folio of foliosOf(other)) folio.private = true;
  const { status } = await machine.movePages(other.mm, other.pages(), { node: 1 });
  expect(Array.from(status)).toEqual([-ERRNO.EOPNOTSUPP]);
  expect(isLeft).toBe(false);
  slow.go();
  const [{ stats }] = await Promise.all([moving, leaving]);
  expect(stats.movedBy.find((one) => one.migrator === 'test')).toMatchObject({ folios: count });
});

it.each(FLOWS)('one whose owner answers EAGAIN once is copied by the device again: %s', async (flow) => {
  await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0, flow });
  const { migrator, asked } = createDevice(machine);
  machine.offload.register(migrator, 'none');
  let folio = machine.memory.allocFolio(0, { node: 0 });
  let answers = 0;
  machine.setMovable(folio, {
    isolate: () => true,
    migrate(dst) {
      if (answers++ === 0) return ERRNO.EAGAIN;
      folio = dst;
      return 0;
    },
    putback() {},
  });
  folio.bytes.fill(7);
  scramble(folio.bytes, folio.pfn);
  folio.private = true;
  // Which tries each batch several times, and no folio once more by itself.
  const { status } = await machine.migrateMovable([folio], { node: 1, reason: 'compaction', mode: 'MIGRATE_ASYNC' });
  expect([status[0], answers, asked.length]).toEqual([1, 2, 2]);
  scramble(folio.bytes, folio.pfn);
  expect(folio.bytes.every((byte) => byte === 7)).toBe(true);
});
