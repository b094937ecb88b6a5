import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { Machine, MiB, type NodeId, type Order, PhysicalMemory } from 'mtcopy';
import { ageNode } from 'mtcopy/experiments';
import { expect, it } from 'vitest';

const NODE = 0 as NodeId;

function boot(bytes: number): PhysicalMemory {
  return PhysicalMemory.create({ nodes: [bytes, bytes], pcpHigh: Number.POSITIVE_INFINITY });
}

/** All folios of `order` that a node has, in the order it hands them out. */
function takeAll(memory: PhysicalMemory, order: Order): number[] {
  const taken: number[] = [];
  for (let pfn = memory.takeFolio(order, NODE); pfn !== 0; pfn = memory.takeFolio(order, NODE)) taken.push(pfn);
  return taken;
}

function ascending(pfns: readonly number[]): number[] {
  return pfns.toSorted((a, b) => a - b);
}

it('has every free folio come out once, in an order that the seed decides', () => {
  const pages = fc.integer({ min: 1, max: 3000 });
  const order = fc.integer({ min: 0, max: 10 }).map((order) => order as Order);
  const held = fc.array(fc.record({ order, keep: fc.boolean() }), { maxLength: 20 });
  fc.assert(
    fc.property(pages, order, held, fc.integer(), (pages, order, held, seed) => {
      const [fresh, aged, again] = [boot(pages * 4096), boot(pages * 4096), boot(pages * 4096)];
      for (const memory of [fresh, aged, again]) {
        // Some are held, and so are holes of other sizes between what is free.
        for (const { order, keep } of held) {
          const pfn = memory.takeFolio(order, NODE);
          if (pfn !== 0 && !keep) memory.putFolio(pfn);
        }
      }
      ageNode(aged, NODE, order, seed);
      ageNode(again, NODE, order, seed);
      expect(aged.nodes[0]?.freePages).toBe(fresh.nodes[0]?.freePages);
      const shuffled = takeAll(aged, order);
      expect(ascending(shuffled)).toEqual(ascending(takeAll(fresh, order)));
      expect(takeAll(again, order)).toEqual(shuffled);
    }),
    { numRuns: 100 },
  );
});

it('shuffles well, and differently with another seed', () => {
  const neighbours = (pfns: readonly number[]) =>
    pfns.filter((pfn, i) => Math.abs(pfn - (pfns[i - 1] ?? 0)) === 1).length;
  const orders = [1, 2].map((seed) => {
    const memory = boot(32 * MiB);
    ageNode(memory, NODE, 0 as Order, seed);
    return takeAll(memory, 0 as Order);
  }) as [number[], number[]];
  for (const order of orders) expect(neighbours(order)).toBeLessThan(order.length / 100);
  expect(orders[0]).not.toEqual(orders[1]);
});

it('touches no byte, and takes no real memory', () => {
  const memory = boot(512 * MiB);
  const view = memory.bytes.subarray(memory.startAddress, memory.startAddress + MiB);
  view.fill(0x5a);
  const hash = () => createHash('sha256').update(view).digest('hex');
  const before = hash();
  const resident = process.memoryUsage.rss();
  ageNode(memory, NODE, 0 as Order, 1);
  // Room for the metadata, and the list of frames on the heap.
  expect(process.memoryUsage.rss() - resident).toBeLessThan(64 * MiB);
  expect(hash()).toBe(before);
});

it('keeps frames shuffled while memory moves back and forth', async () => {
  await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0, pcpHigh: Number.POSITIVE_INFINITY });
  for (const node of [0, 1]) ageNode(machine.memory, node as NodeId, 0 as Order, node);
  const mm = machine.createAddressSpace();
  const area = mm.mmap({ length: '16M', populate: true });
  for (let run = 0; run < 6; run++) {
    const frames = Array.from(area.folios(), (address) => mm.folioAt(address)?.pfn ?? 0);
    const steps = frames.filter((pfn, i) => Math.abs(pfn - (frames[i - 1] ?? 0)) === 1);
    expect(steps.length).toBeLessThan(frames.length / 100);
    const { notMigrated } = await machine.movePages(mm, area.folios(), { node: (run + 1) % 2 });
    expect(notMigrated).toBe(0);
  }
});
