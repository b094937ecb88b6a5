import { FLOWS, Machine, type Migrator } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { ERRNO } from '#src/errno.js';
import { createKernelMigrator } from '#src/migrators/kernel.js';
import { expectAtRest, expectBytes, filled, folioOf, freePages } from '../support/machines.js';

const PAGES = 64;

/**
 * Answers `errnoOf` each folio of a batch, by its position and address, and copies it if that is 0; `single` for a folio by
 * itself, likewise. Counts both kinds of copies.
 */
function createPicky({ memory }: Machine, errnoOf: (i: number, from: number) => number, single = 0) {
  const kernel = createKernelMigrator(memory);
  const asked = { batches: 0, folios: 0 };
  const migrator: Migrator = {
    name: 'picky',
    copyFolio(...args) {
      asked.folios++;
      return single === 0 ? kernel.copyFolio(...args) : single;
    },
    copyFolios({ to, from, bytes }, errnos) {
      asked.batches++;
      for (let i = 0; i < to.length; i++) {
        const [source, target, length] = [from[i], to[i], bytes[i]] as [number, number, number];
        errnos[i] = errnoOf(i, source) || (kernel.copyFolio(target, source, length) as number);
      }
    },
  };
  return { migrator, asked };
}

async function boot(flow: (typeof FLOWS)[number], shared = false) {
  const machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0, flow });
  const area = machine.createAddressSpace().mmap({ length: PAGES * 4096, populate: true, shared });
  return { machine, area, bytes: await filled(area) };
}

describe.each(['batch-move', 'pre-copy'] as const)('%s: a batch that', (flow) => {
  it.each(['EOPNOTSUPP', 'EAGAIN', 'EIO', 'ENOMEM'] as const)(
    'the migrator declines with %s is copied folio by folio, in its place',
    async (code) => {
      for (const shared of [false, true]) {
        const { machine, area, bytes } = await boot(flow, shared);
        await using _ = machine;
        const { migrator, asked } = createPicky(machine, () => ERRNO[code]);
        const { status, stats } = await machine.movePages(area.mm, area.pages(), { node: 1, migrator });
        expect(new Set(status)).toEqual(new Set([1]));
        expect(stats).toMatchObject({ succeeded: PAGES, failed: 0, retries: 0, batches: 1 });
        expect(asked).toEqual({ batches: 1, folios: PAGES });
        await expectBytes(area, bytes);
        expectAtRest(area, shared ? 1 : 0);
        await machine.close();
        expect(freePages(machine)).toEqual([4096, 4096]);
      }
    },
  );

  it('it copies in part: only what is left is copied folio by folio', async () => {
    const { machine, area, bytes } = await boot(flow);
    await using _ = machine;
    const { migrator, asked } = createPicky(machine, (i) => (i % 4 === 1 ? ERRNO.EIO : 0));
    const { stats } = await machine.movePages(area.mm, area.pages(), { node: 1, migrator });
    expect(stats).toMatchObject({ succeeded: PAGES, failed: 0, retries: 0, batches: 1 });
    expect(asked).toEqual({ batches: 1, folios: PAGES / 4 });
    await expectBytes(area, bytes);
  });

  it('has a folio that cannot be copied by itself either leaves that, and no other', async () => {
    const { machine, area, bytes } = await boot(flow);
    await using _ = machine;
    // An errno that takes more than a byte, whose lower 8 bits are 0.
    const held = folioOf(area, 5).pfn * 4096;
    const { migrator } = createPicky(machine, (_i, from) => (from === held ? ERRNO.EOPNOTSUPP : 0), 512);
    const address = area.pages()[5] as number;
    const { status, stats } = await machine.movePages(area.mm, [...area.pages()], { node: 1, migrator });
    expect(stats.succeeded).toBe(PAGES - 1);
    expect(Array.from(status)).toEqual(Array.from(area.pages(), (page) => (page === address ? -512 : 1)));
    expect(folioOf(area, 5).nid).toBe(0);
    await expectBytes(area, bytes);
    expectAtRest(area);
  });
});

it.each(['batch-move', 'pre-copy'] as const)('%s: a poisoned frame is not copied again', async (flow) => {
  const { machine, area } = await boot(flow);
  await using _ = machine;
  const { migrator, asked } = createPicky(machine, (i) => (i === 5 ? ERRNO.EHWPOISON : 0));
  const { stats } = await machine.movePages(area.mm, area.pages(), { node: 1, migrator });
  // Once by itself, as a batch of its own, which is how a call that may wait ends with every folio that is left.
  expect(stats).toMatchObject({ succeeded: PAGES, failed: 0, batches: 2 });
  expect(asked).toEqual({ batches: 2, folios: 0 });
});

it.each(FLOWS)('%s: a migrator that throws by itself is not asked again', async (flow) => {
  const { machine, area, bytes } = await boot(flow);
  await using _ = machine;
  const { migrator } = createPicky(machine, () => ERRNO.EAGAIN);
  let calls = 0;
  const copyFolio = () => {
    calls++;
    throw new Error('boom');
  };
  const moving = machine.movePages(area.mm, area.pages(), { node: 1, migrator: { ...migrator, copyFolio } });
  await expect(moving).rejects.toThrow('boom');
  expect(calls).toBe(1);
  await expectBytes(area, bytes);
  expectAtRest(area);
});
