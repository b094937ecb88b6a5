import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { FLOWS, Machine, MiB, MPOL_MF_MOVE_ALL } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { ERRNO } from '#src/errno.js';
import { fillRandom } from '../support/bytes.js';
import {
  expectAtRest,
  expectBytes,
  FLOWS_AND_MIGRATORS,
  filled,
  folioOf,
  fragment,
  freePages,
  nodesOf,
  started,
} from '../support/machines.js';
import { countedIn, program } from '../support/programs.js';

const SIZES = { nodes: ['16M', '16M'], threads: 1 } as const;
const allOn = (node: number, pages: number) => new Array(pages).fill(node);

describe.each(FLOWS_AND_MIGRATORS)('$flow, $migrator, to a node without a free folio of the size', (settings) => {
  it('a folio of 2 MiB is split, and its pages arrive', async () => {
    await using machine = await Machine.boot({ ...SIZES, cpus: 0, ...settings });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '4M', folioSize: '2M', populate: true });
    const bytes = await filled(area);
    expect([folioOf(area, 0).mapcount, folioOf(area, 0).order]).toEqual([1, 9]);
    const taken = fragment(machine, 1);
    const { status, notMigrated, stats } = await machine.movePages(mm, area.pages(), { node: 1 });
    expect(Array.from(status)).toEqual(allOn(1, 1024));
    expect(notMigrated).toBe(0);
    expect(stats).toMatchObject({ succeeded: 1024, failed: 0, thpSucceeded: 0, thpFailed: 2, thpSplit: 2 });
    expect(machine.vmstat).toMatchObject({
      pgmigrate_success: 1024,
      pgmigrate_fail: 0,
      thp_migration_success: 0,
      thp_migration_fail: 2,
      thp_migration_split: 2,
    });
    const orders = Array.from(area.pages(), (address) => [mm.folioAt(address)?.order, mm.folioAt(address)?.mapcount]);
    expect(orders).toEqual(new Array(1024).fill([0, 1]));
    await expectBytes(area, bytes);
    expectAtRest(area);
    // And back, as pages.
    const back = await machine.movePages(mm, area.pages(), { node: 0 });
    expect(back.stats).toMatchObject({ succeeded: 1024, failed: 0, thpSplit: 0 });
    await expectBytes(area, bytes);
    await mm.close();
    machine.memory.freeFolios(taken);
    expect(freePages(machine)).toEqual([4096, 4096]);
  });

  it('folios of 64 KiB are split too, and are no THPs', async () => {
    await using machine = await Machine.boot({ ...SIZES, cpus: 0, ...settings });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '1M', folioSize: '64K', populate: true });
    const bytes = await filled(area);
    fragment(machine, 1);
    const { stats } = await machine.movePages(mm, area.folios(), { node: 1 });
    expect(stats).toMatchObject({ succeeded: 256, failed: 0, thpFailed: 0, thpSplit: 0 });
    expect(await nodesOf(machine, area)).toEqual(allOn(1, 256));
    await expectBytes(area, bytes);
    expectAtRest(area);
  });

  it('a pinned folio is not split: it stays with ENOMEM, as do those after it', async () => {
    await using machine = await Machine.boot({ ...SIZES, cpus: 0, ...settings });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '6M', folioSize: '2M', populate: true });
    const bytes = await filled(area);
    const pinned = folioOf(area, 1);
    pinned.get();
    fragment(machine, 1);
    const free = freePages(machine);
    const { status, stats } = await machine.movePages(mm, area.folios(), { node: 1 });
    expect(Array.from(status)).toEqual([1, -ERRNO.ENOMEM, -ERRNO.ENOMEM]);
    expect(stats).toMatchObject({ succeeded: 512, failed: 1024, thpFailed: 3, thpSplit: 1 });
    expect([pinned.order, pinned.refcount - pinned.mapcount]).toEqual([9, 1]);
    pinned.put();
    await expectBytes(area, bytes);
    expectAtRest(area);
    expect(freePages(machine)).toEqual([free[0] + 512, free[1] - 512]);
  });

  it('what does not fit of a split folio stays where it was', async () => {
    await using machine = await Machine.boot({ ...SIZES, cpus: 0, ...settings });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '4M', folioSize: '2M', populate: true });
    const bytes = await filled(area);
    // 4096 / 16 pages: half a folio. The other one, of a later batch, isn't tried.
    fragment(machine, 1, 16);
    const { status, notMigrated, stats } = await machine.movePages(mm, area.pages(), { node: 1 });
    expect(stats).toMatchObject({ succeeded: 256, failed: 768, thpSplit: 1 });
    expect(Array.from(status).filter((node) => node === 1).length).toBe(256);
    expect(Array.from(status).filter((errno) => errno === -ERRNO.ENOMEM).length).toBe(768);
    expect(notMigrated).toBe(768);
    expect(freePages(machine)).toEqual([4096 - 1024 + 256, 0]);
    await expectBytes(area, bytes);
    expectAtRest(area);
  });

  it('a THP of a file is split, and its page cache stays right', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'mtcopy-split-'));
    try {
      const file = join(directory, 'file');
      const content = new Uint8Array(3 * MiB + 12_345);
      fillRandom(content, 9);
      writeFileSync(file, content);
      await using machine = await Machine.boot({ ...SIZES, cpus: 0, ...settings });
      const mm = machine.createAddressSpace();
      const area = mm.mmap({ file, folioSize: '2M', populate: true, shared: true });
      expect(folioOf(area, 0).order).toBe(9);
      const taken = fragment(machine, 1);
      const { stats } = await machine.movePages(mm, area.pages(), { node: 1 });
      expect(stats).toMatchObject({ succeeded: 1024, failed: 0, thpSplit: 2 });
      await expectBytes(area, Buffer.concat([content], 4 * MiB));
      expectAtRest(area, 1);
      // A second mapping finds the same pages, where they are now.
      const other = machine.createAddressSpace().mmap({ file, populate: true });
      expect(await nodesOf(machine, other)).toEqual(allOn(1, other.length / 4096));
      await expectBytes(other, Buffer.concat([content], other.length));
      await Promise.all([mm.close(), other.mm.close()]);
      machine.memory.freeFolios(taken);
      expect(freePages(machine)).toEqual([4096, 4096]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it.each([true, false])('a THP that two address spaces map is split for both, shared: %s', async (shared) => {
    await using machine = await Machine.boot({ ...SIZES, cpus: 0, ...settings });
    const parent = machine.createAddressSpace();
    const area = parent.mmap({ length: '2M', folioSize: '2M', populate: true, shared });
    const bytes = await filled(area);
    const child = await parent.fork(area, machine.createAddressSpace());
    expect(folioOf(area, 0).mapcount).toBe(2);
    const taken = fragment(machine, 1);
    const { stats } = await machine.movePages(parent, area.pages(), { node: 1, flags: MPOL_MF_MOVE_ALL });
    expect(stats).toMatchObject({ succeeded: 512, failed: 0, thpSplit: 1 });
    expect([await nodesOf(machine, area), await nodesOf(machine, child)]).toEqual([allOn(1, 512), allOn(1, 512)]);
    for (const one of [area, child]) {
      await expectBytes(one, bytes);
      expectAtRest(one, shared ? 1 : 0);
    }
    await child.mm.write(child.address, Uint8Array.of(1, 2, 3));
    const seen = await parent.read(area.address, 3);
    expect(Array.from(seen)).toEqual(shared ? [1, 2, 3] : Array.from(bytes.subarray(0, 3)));
    await Promise.all([parent.close(), child.mm.close()]);
    machine.memory.freeFolios(taken);
    expect(freePages(machine)).toEqual([4096, 4096]);
  });

  it('what is left of a THP after munmap of its middle is split, and the hole stays one', async () => {
    await using machine = await Machine.boot({ ...SIZES, cpus: 0, ...settings });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '2M', folioSize: '2M', populate: true });
    const bytes = await filled(area);
    await mm.munmap(area.address + 100 * 4096, 200 * 4096);
    const taken = fragment(machine, 1);
    const { status, stats } = await machine.movePages(mm, area.pages(), { node: 1 });
    expect(stats).toMatchObject({ failed: 0, thpSplit: 1 });
    const hole = new Array(200).fill(-ERRNO.EFAULT);
    expect(Array.from(status)).toEqual([...allOn(1, 100), ...hole, ...allOn(1, 212)]);
    for (const [first, end] of [
      [0, 100],
      [300, 512],
    ] as const) {
      const part = await mm.read(area.address + first * 4096, (end - first) * 4096);
      expect(Buffer.from(part).equals(bytes.subarray(first * 4096, end * 4096))).toBe(true);
    }
    expectAtRest(area);
    expect(freePages(machine)[0]).toBe(4096);
    await mm.close();
    machine.memory.freeFolios(taken);
    expect(freePages(machine)).toEqual([4096, 4096]);
  });
});

describe('while folios of 2 MiB are split', () => {
  it.each(FLOWS)('%s: two CPUs that count in them lose nothing', async (flow) => {
    await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 2, flow });
    const mm = machine.createAddressSpace();
    fragment(machine, 1);
    let stores = 0;
    for (let round = 0; round < (flow === 'serial' ? 2 : 10); round++) {
      const area = mm.mmap({ length: '2M', folioSize: '2M', populate: true });
      const args = { address: area.address, length: area.length, stride: 4096 };
      const runs = [0, 1].map((cpu) => machine.cpus.run(mm, program('count'), { cpu, args }));
      await started(area, [0, 1]);
      // To a node where it must be split, and back.
      for (const node of [1, 0]) {
        const pages = area.pages().slice(0, flow === 'serial' ? 1 : 512);
        const { stats } = await machine.movePages(mm, pages, { node });
        expect(stats).toMatchObject({ failed: 0, thpSplit: node });
      }
      machine.cpus.stop();
      const counts = (await Promise.all(runs)) as number[];
      expect(await countedIn(area, counts.length)).toEqual(counts);
      stores = counts.reduce((sum, count) => sum + count, stores);
      await mm.munmap(area.address, area.length);
    }
    expect(freePages(machine)).toEqual([4096, 2048]);
    console.info(`${flow}: ${stores} stores while folios of 2 MiB were split and moved`);
  });

  it('a thread that takes references on them never holds what is split', async () => {
    await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0 });
    const { memory } = machine;
    const mm = machine.createAddressSpace();
    const taken = fragment(machine, 1);
    // Takes and drops references on whatever is in use of node 0; one that became the last is given to the other thread.
    const code = `
      const { parentPort, workerData: { refcount, words, first, end } } = require('node:worker_threads');
      let pins = 0;
      while (Atomics.load(words, 0) === 0) {
        for (let pfn = first; pfn < end; pfn += 512) {
          const seen = Atomics.load(refcount, pfn);
          if (seen === 0 || Atomics.compareExchange(refcount, pfn, seen, seen + 1) !== seen) continue;
          pins++;
          for (let left = Atomics.load(refcount, pfn); ; left = Atomics.load(refcount, pfn)) {
            if (left === 1) {
              words[4 + words[1]] = pfn;
              Atomics.add(words, 1, 1);
              break;
            }
            if (Atomics.compareExchange(refcount, pfn, left, left - 1) === left) break;
          }
        }
        Atomics.store(words, 2, 1);
        Atomics.notify(words, 2);
      }
      parentPort.postMessage(pins);`;
    const words = new Int32Array(new SharedArrayBuffer(2 ** 22));
    const [node] = memory.nodes;
    const workerData = { refcount: memory.page.refcount, words, first: node?.startPfn, end: node?.endPfn };
    const worker = new Worker(code, { eval: true, workerData });
    const ended = once(worker, 'message');
    await once(worker, 'online');
    Atomics.wait(words, 2, 0, 5000);
    let split = 0;
    let returned = 0;
    for (let round = 0; round < 30; round++) {
      const area = mm.mmap({ length: '6M', folioSize: '2M', populate: true });
      const bytes = await filled(area, round + 1);
      const { stats } = await machine.movePages(mm, area.pages(), { node: 1 });
      split += stats.thpSplit;
      await expectBytes(area, bytes);
      await mm.munmap(area.address, area.length);
      for (; returned < Atomics.load(words, 1); returned++) memory.putFolio(words[4 + returned]);
    }
    Atomics.store(words, 0, 1);
    const [pins] = (await ended) as [number];
    await worker.terminate();
    for (; returned < Atomics.load(words, 1); returned++) memory.putFolio(words[4 + returned]);
    console.info(`${pins} references taken and dropped while ${split} of 90 folios were split`);
    memory.freeFolios(taken);
    expect([pins > 0, split > 0]).toEqual([true, true]);
    expect(freePages(machine)).toEqual([4096, 4096]);
  });
});
