import type { Worker } from 'node:worker_threads';
import { type Area, FLOWS, Machine } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { errorOf } from '../support/errors.js';
import { expectAtRest, expectBytes, filled, freePages, nodesOf, started, until } from '../support/machines.js';
import { createTestMigrator } from '../support/migrators.js';
import { countedIn, program } from '../support/programs.js';
import { watchWorkers } from '../support/threads.js';

const DEAD = { name: 'ErrnoError', code: 'EIO', message: expect.stringContaining('its thread ended') };

/** Runs `count` on a CPU, and tells its thread. */
async function runCount(machine: Machine, area: Area, cpu: number, alive: ReadonlySet<Worker>) {
  const before = new Set(alive);
  const args = { address: area.address, length: area.length, stride: 4096 };
  const run = machine.cpus.run(area.mm, program('count'), { cpu, args });
  await started(area, [cpu]);
  const worker = Array.from(alive).find((one) => !before.has(one));
  if (!worker) throw new Error('no thread was started');
  return { run, worker };
}

describe.each(FLOWS.map((flow) => ({ flow })))('$flow: a CPU that is killed', ({ flow }) => {
  it('over and over while migrations go on and another counts', async () => {
    using workers = watchWorkers();
    await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 2, flow, ipiTimeoutMs: 20_000 });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: flow === 'serial' ? '64K' : '512K', populate: true });
    const counted = mm.mmap({ length: flow === 'serial' ? '32K' : '256K', populate: true });
    const survivor = await runCount(machine, counted, 0, workers.alive);
    let migrations = 0;
    const kills = 6;
    for (let round = 0; round < kills; round++) {
      const victim = await runCount(machine, area, 1, workers.alive);
      const ends = errorOf(() => victim.run);
      const node = (migrations++ + 1) % 2;
      const moving = machine.movePages(mm, [...area.pages(), ...counted.pages()], { node });
      if (round % 2) await new Promise((resolve) => setTimeout(resolve, round));
      void victim.worker.terminate();
      expect((await moving).stats).toMatchObject({ failed: 0, succeeded: (area.length + counted.length) / 4096 });
      expect(await ends).toMatchObject(DEAD);
      expect(machine.cpus.busy).toEqual([0]);
      // For the next one to be seen to start.
      await mm.write(area.address, new Uint8Array(64));
    }
    machine.cpus.stop();
    const stores = (await survivor.run) as number;
    expect(await countedIn(counted, 1)).toEqual([stores]);
    expectAtRest(area);
    expectAtRest(counted);
    await mm.close();
    expect(freePages(machine)).toEqual([4096, 4096]);
    console.info(
      `${flow}: ${kills} CPUs killed during ${migrations} migrations, and ${stores} stores of another exact`,
    );
  });

  it('while it waits for a page that is being migrated', async () => {
    using workers = watchWorkers();
    await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 1, flow });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '4K', populate: true });
    const { run, worker } = await runCount(machine, area, 0, workers.alive);
    const ends = errorOf(() => run);
    const migrator = createTestMigrator(machine);
    const moving = machine.movePages(mm, area.pages(), { node: 1, migrator });
    await migrator.entered;
    // Its thread sleeps now or in a moment: there is nothing else that it could do.
    await new Promise((resolve) => setTimeout(resolve, 20));
    await worker.terminate();
    expect(await ends).toMatchObject(DEAD);
    migrator.go();
    expect((await moving).stats).toMatchObject({ succeeded: 1, failed: 0 });
    expectAtRest(area);
    // The CPU runs its next program as if nothing had been.
    await mm.write(area.address, new Uint8Array(64));
    const next = await runCount(machine, area, 0, workers.alive);
    expect((await machine.movePages(mm, area.pages(), { node: 0 })).stats.succeeded).toBe(1);
    machine.cpus.stop();
    const stores = (await next.run) as number;
    expect(new BigUint64Array((await mm.read(area.address, 8)).buffer)[0]).toBe(BigInt(stores));
  });
});

describe('a CPU that is killed', () => {
  it('while it idles fails its program with EIO too', async () => {
    using workers = watchWorkers();
    await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 1 });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '16K', populate: true });
    const { address, length } = area;
    const run = machine.cpus.run(mm, program('nap'), { args: { address, length } });
    const ends = errorOf(() => run);
    const last = address + length - 4096;
    const before = (await mm.read(last, 8)).join();
    while ((await mm.read(last, 8)).join() === before) await new Promise((resolve) => setTimeout(resolve, 1));
    await until(() => Atomics.load(mm.table.cpuMask, 0) === 0);
    for (const worker of workers.alive) await worker.terminate();
    expect(await ends).toMatchObject(DEAD);
    const bytes = await filled(area);
    expect((await machine.movePages(mm, area.pages(), { node: 1 })).stats).toMatchObject({
      succeeded: 4,
      interrupts: 0,
    });
    await expectBytes(area, bytes);
  });

  it('while it waits for a page fault leaves the memory in order', async () => {
    using workers = watchWorkers();
    await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 2 });
    const mm = machine.createAddressSpace();
    for (let round = 0; round < 10; round++) {
      const area = mm.mmap({ length: '8M' });
      const args = { address: area.address, length: area.length, stride: 4096 };
      const run = machine.cpus.run(mm, program('count'), { cpu: round % 2, args });
      const ends = errorOf(() => run);
      // It faults in page after page; whenever it is killed, it waits for this thread to handle one.
      await until(() => mm.folioAt(area.address + round * 17 * 4096) !== undefined);
      await Promise.all(Array.from(workers.alive, (worker) => worker.terminate()));
      expect(await ends).toMatchObject(DEAD);
      const { status } = await machine.movePages(mm, area.pages(), { node: 1 });
      expect(Array.from(status).every((node) => node === 1 || node === -2)).toBe(true);
      await mm.munmap(area.address, area.length);
      expect(freePages(machine)).toEqual([4096, 4096]);
    }
    expect(await nodesOf(machine, mm.mmap({ length: '8K', populate: true }))).toEqual([0, 0]);
  });
});
