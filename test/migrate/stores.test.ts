import { type Flow, Machine, type MachineOptions, MiB, type Migrator, type MigratorName, type Stores } from 'mtcopy';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { cachedBytes, openNative } from '#src/copy/streaming.js';
import { METHOD, METHOD_MEMORY_COPY, METHOD_STREAMING, openRing } from '#src/copy/worker/job-ring.js';
import type { NativeWalker } from '#src/copy/worker/native-walker.js';
import { errno, errorOf } from '../support/errors.js';
import { expectAtRest, expectBytes, filled, freePages } from '../support/machines.js';
import { HAS_NATIVE } from '../support/native.js';

/** Where reserved memory begins: the ring of the first engine, or the list that batches are copied with. */
const RESERVED = 4 * MiB;
const SIZES = { nodes: ['16M', '16M'], cpus: 0, threads: 1 } as const;

afterEach(() => vi.restoreAllMocks());

/** Copies nothing, and notes what each batch says of its stores. */
function createNoting(): Migrator & { readonly noted: string[] } {
  const noted: string[] = [];
  return {
    name: 'noting',
    noted,
    copyFolios({ copied, stores }) {
      noted.push(stores);
      copied.fill(1);
      return 0;
    },
  };
}

describe('the stores of a migration', () => {
  const FOLIO = 2 * MiB;
  /** Folios that the caches keep, with their targets. */
  const folios = Math.floor(cachedBytes('auto') / FOLIO);

  it.each(['pre-copy', 'vanilla'] as const)(
    'are by the bytes of the whole call, however small its batches: %s',
    async (flow) => {
      const size = (folios + 1) * FOLIO;
      await using machine = await Machine.boot({ nodes: [size, size], cpus: 0, flow });
      const { mm, ...area } = machine.createAddressSpace().mmap({ length: size, folioSize: FOLIO, populate: true });
      const pages = Array.from({ length: folios + 1 }, (_, i) => area.address + i * FOLIO);
      const stores = async (list: readonly number[], node: number) => {
        const migrator = createNoting();
        await machine.movePages(mm, list, { node, migrator });
        return migrator.noted;
      };
      expect(await stores(pages.slice(1), 1)).toEqual(new Array(folios).fill('cached'));
      expect(await stores(pages.slice(1), 0)).toEqual(new Array(folios).fill('cached'));
      expect(await stores(pages, 1)).toEqual(new Array(folios + 1).fill('streaming'));
      const migrator = createNoting();
      await machine.migratePages(mm, { from: [1], to: [0], migrator });
      expect(migrator.noted).toEqual(new Array(folios + 1).fill('streaming'));
    },
  );

  it('count what the same system call has moved before, to other nodes', async () => {
    const size = (folios + 1) * FOLIO;
    await using machine = await Machine.boot({ nodes: [size, size, size], cpus: 0, flow: 'pre-copy' });
    const { mm, ...area } = machine.createAddressSpace().mmap({ length: size, folioSize: FOLIO, populate: true });
    const pages = Array.from({ length: folios + 1 }, (_, i) => area.address + i * FOLIO);
    const migrator = createNoting();
    await machine.movePages(mm, pages, { nodes: pages.map((_, i) => (i === folios ? 2 : 1)), migrator });
    expect(migrator.noted).toEqual([...new Array(folios).fill('cached'), 'streaming']);
    const second = createNoting();
    await machine.migratePages(mm, { from: [1, 2], to: [0], migrator: second });
    expect(second.noted).toEqual([...new Array(folios).fill('cached'), 'streaming']);
  });

  it('are what the call or the machine says', async () => {
    for (const [booted, asked, noted] of [
      [undefined, undefined, 'cached'],
      ['streaming', undefined, 'streaming'],
      ['cached', 'streaming', 'streaming'],
      ['streaming', 'cached', 'cached'],
      ['streaming', 'auto', 'cached'],
    ] as const) {
      await using machine = await Machine.boot({ ...SIZES, stores: booted });
      const { mm, address } = machine.createAddressSpace().mmap({ length: '4K', populate: true });
      const migrator = createNoting();
      await machine.movePages(mm, [address], { node: 1, migrator, stores: asked });
      await machine.migratePages(mm, { from: [1], to: [0], migrator, stores: asked });
      await machine.migrateFolios(mm, [address], { node: 1, reason: 'compaction', migrator, stores: asked });
      expect(migrator.noted).toEqual([noted, noted, noted]);
    }
  });

  it('of a demotion are streaming, or what demotion_stores says, unless the call says more', async () => {
    await using machine = await Machine.boot({ ...SIZES, stores: 'cached' });
    const { mm, address } = machine.createAddressSpace().mmap({ length: '4K', populate: true });
    let node = 0;
    const demote = async (stores?: Stores) => {
      const migrator = createNoting();
      node = 1 - node;
      await machine.migrateFolios(mm, [address], { node, reason: 'demotion', migrator, stores });
      return migrator.noted[0];
    };
    expect(machine.sysfs.read('kernel/mm/migration/demotion_stores')).toBe('streaming');
    expect([await demote(), await demote('auto'), await demote('cached')]).toEqual(['streaming', 'cached', 'cached']);
    await machine.sysfs.write('kernel/mm/migration/demotion_stores', 'cached\n');
    expect([await demote(), await demote('streaming')]).toEqual(['cached', 'streaming']);
    machine.demotionStores = 'auto';
    expect(await demote()).toBe('cached');
  });

  it('and the loop that they come to are what a machine says', async () => {
    await using machine = await Machine.boot({ ...SIZES, flow: 'pre-copy' });
    const large = cachedBytes('auto') + 1;
    const said = (...asked: Parameters<Machine['methodFor']>) => machine.methodFor(...asked);
    const streams = { method: 'streaming', noStreaming: undefined };
    const doesNot = (why: string) => ({ method: 'memory.copy', noStreaming: why });
    const native = openNative();
    const reason = native.path === undefined ? native.reason : undefined;
    const expectSaid = (asked: Parameters<Machine['methodFor']>, expected: object) =>
      expect(said(...asked)).toEqual(reason === undefined ? expected : doesNot(reason));
    expectSaid([large, { migrator: 'kernel' }], streams);
    expectSaid([large, { migrator: 'mtcopy', flow: 'vanilla' }], streams);
    expectSaid([large - 1, { migrator: 'mtcopy' }], doesNot('sources and targets fit into the L3 cache'));
    expectSaid([4096, { migrator: 'mtcopy', stores: 'streaming' }], streams);
    expectSaid([large, { migrator: 'mtcopy', stores: 'cached' }], doesNot("stores: 'cached' was asked for"));
    for (const flow of ['vanilla', 'serial'] as const)
      expectSaid([large, { migrator: 'kernel', flow }], doesNot(`the calling thread copies folio by folio in ${flow}`));
    const small = { flow: 'vanilla', folioBytes: 4096 } as const;
    expectSaid(
      [large, { migrator: 'mtcopy', ...small }],
      doesNot('the calling thread copies folio by folio in vanilla'),
    );
    expectSaid([large, { migrator: 'mtcopy', ...small, folioBytes: 2 ** 20 }], streams);
    expectSaid([large, { migrator: 'mtcopy', ...small, flow: 'pre-copy' }], streams);
    expectSaid([large, { migrator: 'dcbm', ...small }], streams);
    expectSaid([4096, { migrator: 'kernel', reason: 'demotion' }], streams);
    expectSaid([4096, { migrator: 'dcbm', stores: 'cached' }], streams);
    for (const refused of [
      () => machine.methodFor(-1, { migrator: 'kernel' }),
      () => machine.methodFor(1, {} as { migrator: 'kernel' }),
      () => machine.methodFor(1, { migrator: 'none' as 'kernel' }),
      () => machine.methodFor(1, { migrator: 'kernel', stores: 'hot' as Stores }),
    ]) {
      expect(await errorOf(refused)).toEqual(errno('EINVAL'));
    }
  });

  it('that are none are refused', async () => {
    await using machine = await Machine.boot(SIZES);
    const { mm, address } = machine.createAddressSpace().mmap({ length: '4K', populate: true });
    const stores = 'hot' as Stores;
    for (const refused of [
      () => Machine.boot({ ...SIZES, stores }),
      () => Machine.boot({ ...SIZES, demotionStores: stores }),
      () => machine.movePages(mm, [address], { node: 1, stores }),
      () => machine.migratePages(mm, { from: [0], to: [1], stores }),
      () => machine.migrateFolios(mm, [address], { node: 1, reason: 'demotion', stores }),
      () => machine.sysfs.write('kernel/mm/migration/demotion_stores', 'hot'),
    ]) {
      expect(await errorOf(refused)).toEqual(errno('EINVAL'));
    }
    expect(mm.folioAt(address)?.nid).toBe(0);
  });
});

describe.runIf(HAS_NATIVE)('the loop in C', () => {
  const watchWalk = () => vi.spyOn(openNative().walker as NativeWalker, 'walk');

  async function boot(options: MachineOptions, length = '4M') {
    const machine = await Machine.boot({ ...SIZES, migrator: 'kernel', ...options });
    const area = machine.createAddressSpace().mmap({ length, populate: true });
    return { machine, area, bytes: await filled(area) };
  }

  it.each<[Flow, Stores, boolean]>([
    ['pre-copy', 'streaming', true],
    ['batch-move', 'streaming', true],
    ['pre-copy', 'cached', false],
    ['batch-move', 'cached', false],
    ['pre-copy', 'auto', false],
    ['vanilla', 'streaming', false],
    ['serial', 'streaming', false],
  ])('of the calling thread, flow %s, stores %s, copies the batch: %s', async (flow, stores, walks) => {
    const walk = watchWalk();
    const { machine, area, bytes } = await boot({ flow, stores });
    await using _ = machine;
    const { stats } = await machine.movePages(area.mm, area.pages(), { node: 1 });
    expect(stats).toMatchObject({ succeeded: 1024, failed: 0 });
    expect(stats.movedBy).toEqual([{ migrator: 'kernel', folios: 1024, bytes: 4 * MiB }]);
    expect(walk.mock.calls.length > 0).toBe(walks);
    await expectBytes(area, bytes);
    expectAtRest(area);
  });

  it('copies a call that is larger than the caches, in batches of 512', async () => {
    const walk = watchWalk();
    const size = cachedBytes('auto') + 2 * MiB;
    const { machine, area, bytes } = await boot(
      { nodes: [size + 2 * MiB, size + 2 * MiB], flow: 'pre-copy' },
      `${size}`,
    );
    await using _ = machine;
    await machine.migratePages(area.mm, { from: [0], to: [1] });
    expect(walk.mock.calls.length).toBeGreaterThan(0);
    await expectBytes(area, bytes);
  });

  it('copies what a migrator has left of a batch', async () => {
    const walk = watchWalk();
    const { machine, area, bytes } = await boot({ flow: 'batch-move', stores: 'streaming' });
    await using _ = machine;
    const migrator: Migrator = { name: 'declines', copyFolios: () => 95 };
    const { stats } = await machine.movePages(area.mm, area.pages(), { node: 1, migrator });
    expect(stats.movedBy).toEqual([{ migrator: 'kernel', folios: 1024, bytes: 4 * MiB }]);
    expect(walk.mock.calls.length).toBeGreaterThan(0);
    await expectBytes(area, bytes);
  });

  it('copies nothing any more once a migrator has thrown', async () => {
    const walk = watchWalk();
    const { machine, area, bytes } = await boot({ flow: 'batch-move', stores: 'streaming' });
    await using _ = machine;
    const copyFolios = () => {
      throw new Error('boom');
    };
    await expect(
      machine.movePages(area.mm, area.pages(), { node: 1, migrator: { name: 'throws', copyFolios } }),
    ).rejects.toThrow('boom');
    expect(walk.mock.calls.length).toBe(0);
    await expectBytes(area, bytes);
    expectAtRest(area);
  });

  it('has a list of its own, that all migrations use, and that the machine gives back', async () => {
    const { machine, area, bytes } = await boot({ flow: 'pre-copy' });
    const { memory } = machine;
    const listed = () => memory.contigPages(RESERVED / 4096);
    await machine.movePages(area.mm, area.pages(), { node: 1, stores: 'cached' });
    expect(listed()).toBe(0);
    await machine.movePages(area.mm, area.pages(), { node: 0, stores: 'streaming' });
    expect(listed()).toBe(1);
    await machine.movePages(area.mm, area.pages(), { node: 1, stores: 'streaming' });
    expect(memory.contigPages(RESERVED / 4096 + 1)).toBe(0);
    await expectBytes(area, bytes);
    await machine.close();
    expect(listed()).toBe(0);
    expect(freePages(machine)).toEqual([4096, 4096]);
  });

  it('copies every byte of batches and calls that are under way at once', async () => {
    // So much that each call gives the event loop turns while it copies.
    const size = 80 * MiB;
    const options = { nodes: [size, size], flow: 'pre-copy', stores: 'streaming', batchLimit: 8192 } as const;
    const { machine, area, bytes } = await boot({ ...options, batchesInFlight: 2 }, '40M');
    await using _ = machine;
    const other = area.mm.mmap({ length: '40M', folioSize: '4M', populate: true });
    const others = await filled(other, 7);
    const moves = [area, other].map(({ mm, ...one }) => {
      const folios = Array.from({ length: one.length / one.folioSize }, (_, i) => one.address + i * one.folioSize);
      return machine.movePages(mm, folios, { node: 1 });
    });
    for (const { stats } of await Promise.all(moves)) expect(stats).toMatchObject({ succeeded: 10_240, failed: 0 });
    await expectBytes(area, bytes);
    await expectBytes(other, others);
  });

  it('is done without while there is no room for its list', async () => {
    const walk = watchWalk();
    const { machine, area, bytes } = await boot({ flow: 'pre-copy', stores: 'streaming' });
    await using _ = machine;
    // All 28 MiB of it.
    const taken = machine.memory.allocReserved(7168);
    await machine.movePages(area.mm, area.pages(), { node: 1 });
    expect(walk.mock.calls.length).toBe(0);
    await expectBytes(area, bytes);
    machine.memory.freeContig(taken);
    await machine.movePages(area.mm, area.pages(), { node: 0 });
    expect(walk.mock.calls.length).toBeGreaterThan(0);
    await expectBytes(area, bytes);
  });

  it.each<[Stores, number]>([
    ['streaming', METHOD_STREAMING],
    ['cached', METHOD_MEMORY_COPY],
    ['auto', METHOD_MEMORY_COPY],
  ])('copies what the threads of mtcopy do, as the call says: %s', async (stores, method) => {
    const migrator: MigratorName = 'mtcopy';
    const { machine, area, bytes } = await boot({ flow: 'pre-copy', migrator });
    await using _ = machine;
    await machine.movePages(area.mm, area.pages(), { node: 1, stores });
    const { words, slots } = openRing(machine.memory.buffer, RESERVED);
    const used = slots.filter(({ narrow }) => (narrow.descriptors[0] as number) > 0);
    expect(new Set(used.map(({ base }) => words[base + METHOD]))).toEqual(new Set([method]));
    await expectBytes(area, bytes);
  });
});
