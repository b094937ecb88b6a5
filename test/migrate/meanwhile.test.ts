import { type Area, FLOWS, Machine, MPOL_MF_MOVE_ALL } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { ERRNO } from '#src/errno.js';
import { isSame } from '../support/bytes.js';
import { expectAtRest, expectBytes, filled, freePages, nodesOf, started } from '../support/machines.js';
import { createTestMigrator } from '../support/migrators.js';
import { countedIn, program } from '../support/programs.js';

const SIZES = { nodes: ['16M', '16M'], cpus: 0 } as const;
const sizes = FLOWS.flatMap((flow) => ['4K', '64K', '2M'].map((folioSize) => ({ flow, folioSize })));

/** Starts a migration to node 1 and returns with it stopped in its first copy. */
async function stopInCopy(machine: Machine, area: Area) {
  const migrator = createTestMigrator(machine);
  const moving = machine.movePages(area.mm, area.pages(), { node: 1, migrator, flags: MPOL_MF_MOVE_ALL });
  await migrator.entered;
  return { go: migrator.go, moving };
}

describe.each(sizes)('$flow, $folioSize: while a migration is in its copy', ({ flow, folioSize }) => {
  const boot = () => Machine.boot({ ...SIZES, flow });
  const map = (machine: Machine, shared = false) =>
    machine.createAddressSpace().mmap({ length: '4M', folioSize, populate: true, shared });

  it('munmap of everything frees everything', async () => {
    await using machine = await boot();
    const area = map(machine);
    const { go, moving } = await stopInCopy(machine, area);
    await area.mm.munmap(area.address, area.length);
    go();
    const { status } = await moving;
    expect(Array.from(status)).not.toContain(0);
    expect(freePages(machine)).toEqual([4096, 4096]);
    // The addresses are free for others.
    const next = map(machine);
    const bytes = await filled(next);
    await expectBytes(next, bytes);
  });

  it('munmap of a part frees that part, and the rest arrives', async () => {
    await using machine = await boot();
    const area = map(machine);
    const bytes = await filled(area);
    const { go, moving } = await stopInCopy(machine, area);
    await area.mm.munmap(area.address + 100 * 4096, 600 * 4096);
    go();
    await moving;
    for (const [first, end] of [
      [0, 100],
      [700, 1024],
    ] as const) {
      const part = await area.mm.read(area.address + first * 4096, (end - first) * 4096);
      expect(isSame(part, bytes.subarray(first * 4096, end * 4096))).toBe(true);
    }
    const nodes = await nodesOf(machine, area);
    expect(nodes).toEqual(Array.from(nodes, (_, i) => (i >= 100 && i < 700 ? -ERRNO.EFAULT : 1)));
    expectAtRest(area);
    await area.mm.close();
    expect(freePages(machine)).toEqual([4096, 4096]);
  });

  it('munmap and a new mmap at the same addresses are not touched by its end', async () => {
    await using machine = await boot();
    const area = map(machine);
    await filled(area, 1);
    const { go, moving } = await stopInCopy(machine, area);
    await area.mm.munmap(area.address, area.length);
    const next = area.mm.mmap({ length: '4M', folioSize: '4K', populate: true });
    expect(next.address).toBe(area.address);
    const bytes = await filled(next, 2);
    go();
    await moving;
    await expectBytes(next, bytes);
    expectAtRest(next);
    await area.mm.close();
    expect(freePages(machine)).toEqual([4096, 4096]);
  });

  it.each([true, false])('a fork gets every page, shared: %s', async (shared) => {
    await using machine = await boot();
    const area = map(machine, shared);
    const bytes = await filled(area);
    const { go, moving } = await stopInCopy(machine, area);
    const child = await area.mm.fork(area, machine.createAddressSpace());
    go();
    const { notMigrated } = await moving;
    expect(notMigrated).toBe(0);
    for (const one of [area, child]) {
      await expectBytes(one, bytes);
      expect(new Set(await nodesOf(machine, one))).toEqual(new Set([1]));
      expectAtRest(one, shared ? 1 : 0);
    }
    await area.mm.write(area.address + 5, Uint8Array.of(1, 2, 3));
    const seen = Array.from(await child.mm.read(child.address + 5, 3));
    expect(seen).toEqual(shared ? [1, 2, 3] : Array.from(bytes.subarray(5, 8)));
    await Promise.all([area.mm.close(), child.mm.close()]);
    expect(freePages(machine)).toEqual([4096, 4096]);
  });

  it.each([true, false])('close of its address space frees everything, shared: %s', async (shared) => {
    await using machine = await boot();
    const area = map(machine, shared);
    const { go, moving } = await stopInCopy(machine, area);
    await area.mm.close();
    go();
    await moving;
    expect(freePages(machine)).toEqual([4096, 4096]);
  });

  it('close of a second address space that maps the pages too leaves the first with them', async () => {
    await using machine = await boot();
    const area = map(machine, true);
    const bytes = await filled(area);
    const child = await area.mm.fork(area, machine.createAddressSpace());
    const { go, moving } = await stopInCopy(machine, area);
    await child.mm.close();
    go();
    expect((await moving).notMigrated).toBe(0);
    await expectBytes(area, bytes);
    expectAtRest(area, 1);
    await area.mm.close();
    expect(freePages(machine)).toEqual([4096, 4096]);
  });

  it('a second call for the same pages gets EBUSY, and the first is not disturbed', async () => {
    await using machine = await boot();
    const area = map(machine);
    const bytes = await filled(area);
    const { go, moving } = await stopInCopy(machine, area);
    const second = await machine.movePages(area.mm, area.pages(), { node: 1 });
    expect(new Set(second.status)).toEqual(new Set([-ERRNO.EBUSY]));
    const both = await machine.migratePages(area.mm, { from: [0], to: [1] });
    expect(both.stats.succeeded).toBe(0);
    go();
    expect(new Set((await moving).status)).toEqual(new Set([1]));
    await expectBytes(area, bytes);
    expectAtRest(area);
    await area.mm.close();
    expect(freePages(machine)).toEqual([4096, 4096]);
  });

  it('a machine that is closed waits for it', async () => {
    const machine = await boot();
    const area = map(machine);
    const { go, moving } = await stopInCopy(machine, area);
    const closing = machine.close();
    go();
    expect((await moving).notMigrated).toBe(0);
    await closing;
    expect(freePages(machine)).toEqual([4096, 4096]);
  });

  it('a store waits for it, and is not lost', async () => {
    await using machine = await boot();
    const area = map(machine);
    const bytes = await filled(area);
    const { go, moving } = await stopInCopy(machine, area);
    const storing = area.mm.write(area.address + 4090, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    await new Promise((resolve) => setTimeout(resolve, 5));
    go();
    await Promise.all([moving, storing]);
    bytes.set([1, 2, 3, 4, 5, 6, 7, 8], 4090);
    await expectBytes(area, bytes);
    expectAtRest(area);
  });
});

describe('many migrations at once', () => {
  it.each(FLOWS)('%s: with CPUs that count, munmaps and forks: no store is lost and no frame leaks', async (flow) => {
    await using machine = await Machine.boot({ nodes: ['32M', '32M'], cpus: 2, threads: 2, flow, batchLimit: 64 });
    const mm = machine.createAddressSpace();
    const pages = flow === 'serial' ? 16 : 64;
    const area = mm.mmap({ length: pages * 4096, populate: true });
    const args = { address: area.address, length: area.length, stride: 4096 };
    const runs = [0, 1].map((cpu) => machine.cpus.run(mm, program('count'), { cpu, args }));
    await started(area, [0, 1]);
    let calls = 0;
    for (let round = 0; round < 20; round++) {
      const other = mm.mmap({ length: '2M', folioSize: round % 2 ? '64K' : '2M', populate: true });
      const both = [...area.pages(), ...other.folios()];
      const migrators = ['kernel', 'mtcopy', 'kernel'] as const;
      const moves = migrators.map((migrator, i) => machine.movePages(mm, both, { node: (round + i) % 2, migrator }));
      const unmaps = mm.munmap(other.address + 256 * 4096, 128 * 4096);
      const child = machine.createAddressSpace();
      const forks = mm.fork(area, child);
      moves.push(machine.movePages(mm, area.pages(), { node: round % 2, flags: MPOL_MF_MOVE_ALL }));
      const results = await Promise.all(moves);
      for (const { stats } of results) calls += stats.batches;
      await Promise.all([unmaps, forks]);
      await child.close();
      await mm.munmap(other.address, other.length);
    }
    machine.cpus.stop();
    const stores = (await Promise.all(runs)) as number[];
    expect(await countedIn(area, 2)).toEqual(stores);
    expectAtRest(area);
    await mm.close();
    expect(freePages(machine)).toEqual([8192, 8192]);
    console.info(
      `${flow}: ${calls} batches of migrations at once, ${(stores[0] ?? 0) + (stores[1] ?? 0)} stores exact`,
    );
  });
});

describe('munmap of two areas that waits for a CPU', () => {
  it('leaves what is mapped there meanwhile', async () => {
    await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 1, ipiTimeoutMs: 20_000 });
    const mm = machine.createAddressSpace();
    const first = mm.mmap({ length: '2M', populate: true });
    const second = mm.mmap({ length: '2M', populate: true });
    const flags = mm.mmap({ length: '4K', populate: true });
    const flag = new Int32Array(new SharedArrayBuffer(4));
    const spinning = machine.cpus.run(mm, program('spin'), { args: { address: flags.address, flag } });
    await started(flags, [0]);
    const unmapping = mm.munmap(first.address, first.length + second.length);
    const next = mm.mmap({ length: '4M', populate: true });
    expect(next.address).toBe(first.address);
    const bytes = await filled(next);
    Atomics.store(flag, 0, 1);
    await Promise.all([unmapping, spinning]);
    await expectBytes(next, bytes);
    expect(freePages(machine)).toEqual([4096 - 1025, 4096]);
  });
});
