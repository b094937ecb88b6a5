import { Machine } from 'mtcopy';
import { expect, it } from 'vitest';
import { expectAtRest, expectBytes, filled, folioOf, freePages } from '../support/machines.js';

const NODES = ['16M', '16M', '16M', '16M'];

/** Moves pages 0, 1, ... of an area, each at its place of the list to the node that stands beside it. */
async function move(list: readonly (readonly [page: number, node: number])[], folioSize = '4K') {
  const machine = await Machine.boot({ nodes: NODES, cpus: 0 });
  const area = machine.createAddressSpace().mmap({ length: '4M', folioSize, populate: true });
  const bytes = await filled(area);
  const pages = list.map(([page]) => area.address + page * 4096);
  const { status, notMigrated, stats } = await machine.movePages(area.mm, pages, {
    nodes: list.map(([, node]) => node),
  });
  await expectBytes(area, bytes);
  expectAtRest(area);
  const [last] = pages.slice(-1) as [number];
  return { machine, area, status: Array.from(status), notMigrated, stats, end: area.mm.folioAt(last)?.nid };
}

it.each<[string, [number, number][], number[]]>([
  // As do_pages_move: what is queued for one node is moved before a page is queued for another.
  [
    'there and on',
    [
      [0, 1],
      [0, 2],
      [0, 1],
    ],
    [1, 2, 1],
  ],
  [
    'there and back',
    [
      [0, 1],
      [0, 0],
    ],
    [1, 0],
  ],
  [
    'with others between',
    [
      [0, 1],
      [1, 2],
      [0, 3],
      [1, 1],
      [0, 2],
    ],
    [1, 2, 3, 1, 2],
  ],
  [
    'to one node only, with another page between',
    [
      [0, 1],
      [1, 2],
      [0, 1],
    ],
    [1, 2, 1],
  ],
  [
    'from where it is',
    [
      [0, 0],
      [0, 1],
      [0, 0],
    ],
    [0, 1, 0],
  ],
])('the last node of a page that is listed several times wins: %s', async (_, list, expected) => {
  const { machine, area, status, notMigrated, end } = await move(list);
  await using _machine = machine;
  expect([status, notMigrated, end]).toEqual([expected, 0, expected.at(-1)]);
  const last = new Map(list);
  for (const [page, node] of last) expect(folioOf(area, page).nid).toBe(node);
  await machine.close();
  expect(freePages(machine)).toEqual([4096, 4096, 4096, 4096]);
});

it.each(['64K', '2M', '4M'])('so does that of the last page of a folio of %s', async (folioSize) => {
  const { machine, status, end, stats } = await move(
    [
      [0, 1],
      [3, 2],
      [15, 2],
      [7, 1],
    ],
    folioSize,
  );
  await using _ = machine;
  expect([status, end]).toEqual([[1, 2, 2, 1], 1]);
  expect(stats.batches).toBe(3);
});

it('nodes that alternate are one migration each, unless a page comes again', async () => {
  const list = Array.from({ length: 1000 }, (_, i) => [i, 1 + (i % 3)] as const);
  const { machine, status, stats } = await move(list);
  await using _ = machine;
  expect(status).toEqual(list.map(([, node]) => node));
  expect(stats).toMatchObject({ succeeded: 1000, batches: 3 });
});

it('a page that comes again in a list of many costs one migration more a node', async () => {
  const once = Array.from({ length: 1000 }, (_, i) => [i, 1 + (i % 2)] as const);
  const { machine, status, stats, end } = await move([...once, [999, 3], [998, 3]]);
  await using _ = machine;
  expect(status).toEqual([...once.map(([, node]) => node), 3, 3]);
  expect([stats.batches, end]).toEqual([3, 3]);
});
