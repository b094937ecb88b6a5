import { Machine } from 'mtcopy';
import { expect, it } from 'vitest';
import { errno, errorOf } from '../support/errors.js';
import { folioOf } from '../support/machines.js';
import { createTestMigrator } from '../support/migrators.js';

/*
 * What docs/migration.md says that differs from Linux in the system calls, where no other test has it: what is refused is in
 * move-pages-errors.test.ts, cpusets in migrate-pages.test.ts, what happens meanwhile in move-pages-meanwhile.test.ts.
 */

const [ENOENT, EPERM, ENOMEM, EBUSY] = [-2, 'EPERM', -12, -16];

async function boot(options = {}) {
  const machine = await Machine.boot({ nodes: ['16M', '16M', '4M'], cpus: 0 });
  return { machine, mm: machine.createAddressSpace(options) };
}

it('a load from a page without memory gives it a folio of its own, which moves', async () => {
  const { machine, mm } = await boot();
  await using _ = machine;
  const area = mm.mmap({ length: '8K' });
  expect(await mm.read(area.address, 4)).toEqual(new Uint8Array(4));
  expect(Array.from((await machine.movePages(mm, area.pages(), { node: 1 })).status)).toEqual([1, ENOENT]);
});

it('a page that is listed again for its node has the status that it has the first time', async () => {
  const { machine, mm } = await boot();
  await using _ = machine;
  const area = mm.mmap({ length: '8K', populate: true });
  folioOf(area, 1).get();
  const [moves, held] = area.pages() as unknown as [number, number];
  const { status } = await machine.movePages(mm, [moves, moves, held, held, moves], { node: 1 });
  expect(Array.from(status)).toEqual([1, 1, EBUSY, EBUSY, 1]);
});

it('a page that another call is moving is EBUSY to one that asks', async () => {
  const { machine, mm } = await boot();
  await using _ = machine;
  const area = mm.mmap({ length: '8K', populate: true });
  const migrator = createTestMigrator(machine);
  const moving = machine.movePages(mm, [area.address], { node: 1, migrator });
  await migrator.entered;
  expect(Array.from((await machine.movePages(mm, area.pages())).status)).toEqual([EBUSY, 0]);
  migrator.go();
  expect(Array.from((await moving).status)).toEqual([1]);
});

it('a call goes on after pages for which a node has no room', async () => {
  const { machine, mm } = await boot();
  await using _ = machine;
  machine.memory.allocFolios(1024, 0, { node: 2 });
  const area = mm.mmap({ length: '16K', populate: true });
  const result = await machine.movePages(mm, area.pages(), { nodes: [1, 2, 2, 1] });
  expect([Array.from(result.status), result.notMigrated]).toEqual([[1, ENOMEM, ENOMEM, 1], 2]);
});

it('the user of an address space may move its pages, and whoever has CAP_SYS_NICE, as user 0 has unless told otherwise', async () => {
  const { machine, mm } = await boot({ uid: 7 });
  await using _ = machine;
  const area = mm.mmap({ length: '4K', populate: true });
  let node = 0;
  for (const caller of [{ uid: 7 }, { uid: 8, capSysNice: true }, { uid: 0 }, {}]) {
    node = 1 - node;
    expect(Array.from((await machine.movePages(mm, area.pages(), { node, ...caller })).status)).toEqual([node]);
  }
  for (const caller of [{ uid: 8 }, { uid: 0, capSysNice: false }]) {
    expect(await errorOf(() => machine.movePages(mm, area.pages(), { node: 1, ...caller }))).toEqual(errno(EPERM));
  }
});

it('an allocation does not go by the cpuset', async () => {
  const { machine, mm } = await boot({ memsAllowed: [0] });
  await using _ = machine;
  expect(folioOf(mm.mmap({ length: '4K', node: 1, populate: true }), 0).nid).toBe(1);
});

it('a wait for a lock or for a writeback ends', async () => {
  const { machine, mm } = await boot();
  await using _ = machine;
  const area = mm.mmap({ length: '8K', populate: true });
  folioOf(area, 0).tryLock();
  folioOf(area, 1).startWriteback();
  expect(Array.from((await machine.movePages(mm, area.pages(), { node: 1 })).status)).toEqual([EBUSY, EBUSY]);
});
