import { Machine } from 'mtcopy';
import { expect, it } from 'vitest';

const ORDERS = Array.from({ length: 11 }, (_, order) => order);

it.each(ORDERS)('populates an area with folios of order %i alone, wherever it comes to lie', async (order) => {
  await using machine = await Machine.boot({ nodes: ['64M'], cpus: 0 });
  const mm = machine.createAddressSpace();
  const folioSize = 4096 << order;
  // It ends in the middle of 4 MiB: the null page takes the first 2.
  mm.mmap({ length: '4M' });
  for (const file of [undefined, process.execPath]) {
    const area = mm.mmap({ length: 4 * folioSize, folioSize, populate: true, ...(file && { file, shared: true }) });
    const folios = Array.from(area.folios(), (address) => mm.folioAt(address));
    expect(folios.map((folio) => folio?.order)).toEqual(Array(4).fill(order));
    expect(new Set(folios.map((folio) => folio?.pfn)).size).toBe(4);
    expect(area.address % folioSize).toBe(0);
  }
});
