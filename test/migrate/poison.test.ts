import { Machine } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { ERRNO } from '#src/errno.js';
import { isSame } from '../support/bytes.js';
import { expectAtRest, FLOWS_AND_MIGRATORS, filled, folioOf, freePages } from '../support/machines.js';

const SIZES = { nodes: ['32M', '32M'], cpus: 0, threads: 1 } as const;
const all = FLOWS_AND_MIGRATORS.flatMap((settings) =>
  (['cached', 'streaming'] as const).flatMap((stores) =>
    ['4K', '64K', '2M'].map((folioSize) => ({ ...settings, stores, folioSize })),
  ),
);

describe.each(all)('$flow, $migrator, $stores, $folioSize', ({ folioSize, ...settings }) => {
  it('a poisoned frame fails its folio alone, and the others of its batch move', async () => {
    await using machine = await Machine.boot({ ...SIZES, ...settings, batchUnit: 'folios' });
    const { memory } = machine;
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: folioSize === '2M' ? '10M' : '1M', folioSize, populate: true });
    const bytes = await filled(area);
    const folios = area.length / area.folioSize;
    const broken = [1, folios - 2];
    const frames = broken.map((n) => folioOf(area, n).pfn + area.folioSize / 4096 - 1);
    for (const frame of frames) memory.poison(frame);
    const { status, notMigrated, stats } = await machine.movePages(mm, area.folios(), { node: 1 });
    expect(Array.from(status)).toEqual(Array.from({ length: folios }, (_, n) => (broken.includes(n) ? -ERRNO.EIO : 1)));
    const pages = area.folioSize / 4096;
    expect(stats).toMatchObject({ succeeded: (folios - 2) * pages, failed: 2 * pages, retries: 0 });
    expect(notMigrated).toBe(2);
    expectAtRest(area);
    for (const [n, address] of area.folios().entries()) {
      const expected = bytes.subarray(n * area.folioSize, (n + 1) * area.folioSize);
      expect(folioOf(area, n).nid).toBe(broken.includes(n) ? 0 : 1);
      if (broken.includes(n)) {
        await expect(mm.read(address, area.folioSize)).rejects.toMatchObject({ code: 'EHWPOISON' });
        // All of it but the frame is as it was.
        expect(isSame(folioOf(area, n).bytes, expected)).toBe(true);
      } else {
        expect(isSame(await mm.read(address, area.folioSize), expected)).toBe(true);
      }
    }
    await mm.close();
    // A poisoned frame is not given out again.
    expect(freePages(machine)).toEqual([8192 - 2, 8192]);
    for (const frame of frames) memory.unpoison(frame);
    expect(freePages(machine)).toEqual([8192, 8192]);
  });
});

describe('a store to a poisoned page that a fork shares', () => {
  it('fails, and copies nothing', async () => {
    await using machine = await Machine.boot(SIZES);
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '8K', populate: true });
    const child = await mm.fork(area, machine.createAddressSpace());
    machine.memory.poison(folioOf(area, 0).pfn);
    const free = freePages(machine);
    const storing = child.mm.write(child.address, Uint8Array.of(1));
    await expect(storing).rejects.toMatchObject({ code: 'EHWPOISON' });
    expect(freePages(machine)).toEqual(free);
    await child.mm.write(child.address + 4096, Uint8Array.of(1));
    expect((await mm.read(area.address + 4096, 1))[0]).toBe(0);
  });
});
