import { Machine } from 'mtcopy';
import { expect, it } from 'vitest';
import { snapshot } from '../support/bytes.js';
import { errno } from '../support/errors.js';
import { expectAtRest, expectBytes, filled, folioOf, freePages } from '../support/machines.js';

it.each(['4K', '2M'])('a store after a fork fails on a sealed folio, which stays: folios of %s', async (folioSize) => {
  await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0, dma: { key: 0x5eed } });
  const parent = machine.createAddressSpace();
  const child = machine.createAddressSpace();
  const area = parent.mmap({ length: '4M', folioSize, populate: true });
  const bytes = await filled(area);
  const folio = folioOf(area, 1);
  const address = area.address + area.folioSize;
  await machine.sealFolio(folio);
  await parent.fork(area, child);
  const sealed = snapshot(folio.bytes);
  const free = freePages(machine);
  for (const mm of [parent, child]) {
    await expect(mm.write(address + 5, Uint8Array.of(1))).rejects.toThrow(errno('EOPNOTSUPP'));
    expect(mm.folioAt(address)?.pfn).toBe(folio.pfn);
  }
  expect([snapshot(folio.bytes).equals(sealed), freePages(machine)]).toEqual([true, free]);
  expectAtRest(area);
  // Others have copies of their own, and so has this one once it is plain.
  await child.write(area.address, Uint8Array.of(7));
  await machine.unsealFolio(folio);
  await child.write(address, Uint8Array.of(9));
  expect(child.folioAt(address)?.pfn).not.toBe(folio.pfn);
  await expectBytes(area, bytes);
});
