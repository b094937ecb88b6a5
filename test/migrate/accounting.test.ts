import { setTimeout as sleep } from 'node:timers/promises';
import { FLOWS, Machine, type MigrateStats, type Migrator } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { least } from '../support/attempts.js';
import { createCpuMigrator } from '../support/migrators.js';

const PAGES = 256;

async function boot(options: object) {
  const machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0, batchLimit: 64, ...options });
  const area = machine.createAddressSpace().mmap({ length: PAGES * 4096, populate: true });
  return { machine, area };
}

/** Milliseconds that this process has spent on cores; no thread of it can have spent more. */
const cpuMs = () => process.cpuUsage().user / 1e3 + process.cpuUsage().system / 1e3;

const manners = FLOWS.flatMap((flow) => [1, 2].map((batchesInFlight) => ({ flow, batchesInFlight })));

describe.each(manners)('$flow, batches in flight $batchesInFlight: the caller is charged', (manner) => {
  const batches = manner.flow === 'serial' || manner.flow === 'vanilla' ? PAGES : PAGES / 64;

  it('for its own CPU time, and not for what it waits for', async () => {
    const { machine, area } = await boot(manner);
    await using _ = machine;
    const { migrator } = createCpuMigrator(machine);
    let slept = 0;
    const slow: Migrator = {
      name: 'slow',
      async copyFolios(batch) {
        if (slept++ % (batches / 4) === 0) await sleep(100);
        return migrator.copyFolios(batch);
      },
    };
    const { stats } = await machine.movePages(area.mm, area.pages(), { node: 1, migrator: slow });
    expect(slept).toBe(batches);
    expect(stats.cpuNs.caller).toBeGreaterThan(0);
    // Four times 100 ms, or twice if two batches wait at once, are nobody's.
    expect(stats.phasesNs.copy + stats.phasesNs.move).toBeGreaterThan(190e6);
    expect(stats.cpuNs.caller).toBeLessThan(190e6);
  });

  it('not for what others do on its thread meanwhile', async () => {
    const { machine, area } = await boot(manner);
    await using _ = machine;
    const { migrator } = createCpuMigrator(machine);
    let busyMs = 0;
    const interrupted: Migrator = {
      name: 'interrupted',
      async copyFolios(batch) {
        await new Promise<void>((resolve) => {
          setImmediate(() => {
            // On the CPU, and on nobody's behalf.
            const from = cpuMs();
            if (busyMs < 120) while (cpuMs() - from < 30);
            busyMs += cpuMs() - from;
            resolve();
          });
        });
        return migrator.copyFolios(batch);
      },
    };
    const started = cpuMs();
    const { stats } = await machine.movePages(area.mm, area.pages(), { node: 1, migrator: interrupted });
    expect(busyMs).toBeGreaterThanOrEqual(120);
    expect(stats.cpuNs.caller / 1e6).toBeLessThan(cpuMs() - started - busyMs / 2);
  });

  it('and a migrator for what it says it has spent', async () => {
    const { machine, area } = await boot(manner);
    await using _ = machine;
    const { migrator } = createCpuMigrator(machine);
    const device: Migrator = {
      name: 'device',
      copyFolios(batch) {
        for (const [i, name] of (['threads', 'map', 'submit', 'wait', 'unmap'] as const).entries())
          batch.usage[name] += 10 ** i;
        return migrator.copyFolios(batch);
      },
    };
    const { stats } = await machine.movePages(area.mm, area.pages(), { node: 1, migrator: device });
    expect([stats.cpuNs.threads, stats.cpuNs.dma]).toEqual([batches, 10_110 * batches]);
    const [map, submit, wait, unmap] = [10, 100, 1000, 10_000].map((ns) => ns * batches);
    expect(stats.dmaNs).toEqual({ map, submit, wait, unmap });
  });
});

it.each(FLOWS)('%s: what others do in the turns of the event loop that it gives is not charged', async (flow) => {
  await using machine = await Machine.boot({ nodes: ['64M', '64M'], cpus: 0, flow });
  const area = machine.createAddressSpace().mmap({ length: '32M', populate: true });
  let busyMs = 0;
  let isOver = false;
  const beBusy = () => {
    const from = cpuMs();
    while (cpuMs() - from < 10);
    busyMs += cpuMs() - from;
    if (!isOver) setImmediate(beBusy);
  };
  const started = cpuMs();
  const moving = machine.movePages(area.mm, area.pages(), { node: 1 });
  setImmediate(beBusy);
  const { stats } = await moving;
  isOver = true;
  const spent = cpuMs() - started;
  expect(busyMs).toBeGreaterThan(60);
  expect(stats.cpuNs.caller / 1e6).toBeLessThan(spent - busyMs / 2);
});

it.each(FLOWS)('%s: the caller is charged once: never with more than its process has spent', async (flow) => {
  await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0, flow });
  const mm = machine.createAddressSpace();
  const [small, huge] = [
    mm.mmap({ length: '200K', populate: true }),
    mm.mmap({ length: '2M', folioSize: '2M', populate: true }),
  ];
  const measure = async () => {
    let charged = 0;
    const before = cpuMs();
    for (let round = 1; round <= 200; round++) {
      for (const area of [small, huge]) {
        const { stats } = await machine.movePages(mm, area.folios(), { node: round % 2 });
        charged += stats.cpuNs.caller / 1e6;
      }
    }
    expect(charged).toBeGreaterThan(0);
    return charged / (cpuMs() - before);
  };
  expect(await least(1.1, measure)).toBeLessThan(1.1);
});

it("what a device takes on the calling thread is its own, and not the caller's too", async () => {
  const { machine, area } = await boot({ flow: 'pre-copy' });
  await using _ = machine;
  const { migrator } = createCpuMigrator(machine);
  const submits: Migrator = {
    name: 'submits',
    copyFolios(batch) {
      const from = cpuMs();
      while (cpuMs() - from < 50);
      batch.usage.submit += (cpuMs() - from) * 1e6;
      return migrator.copyFolios(batch);
    },
  };
  const { stats } = await machine.movePages(area.mm, area.pages(), { node: 1, migrator: submits });
  expect(stats.dmaNs.submit).toBeGreaterThanOrEqual(120e6);
  expect(stats.cpuNs.dma).toBe(stats.dmaNs.submit);
  expect(stats.cpuNs.caller).toBeLessThan(100e6);
});

it('the threads of mtcopy are charged for, and what each migrator moved adds up', async () => {
  await using machine = await Machine.boot({
    nodes: ['64M', '64M'],
    cpus: 0,
    migrator: 'mtcopy',
    flow: 'pre-copy',
    threads: 2,
    caller: 'waits',
  });
  const mm = machine.createAddressSpace();
  const [large, small] = [mm.mmap({ length: '16M', populate: true }), mm.mmap({ length: '64K', populate: true })];
  const sum: MigrateStats[] = [];
  for (const area of [large, small]) sum.push((await machine.movePages(mm, area.pages(), { node: 1 })).stats);
  const [{ cpuNs, movedBy }, few] = sum as [MigrateStats, MigrateStats];
  expect(movedBy).toEqual([{ migrator: 'mtcopy', folios: 4096, bytes: 2 ** 24 }]);
  expect(cpuNs.threads).toBeGreaterThan(0);
  expect(cpuNs.dma).toBe(0);
  expect(few.movedBy).toEqual([{ migrator: 'kernel', folios: 16, bytes: 2 ** 16 }]);
  expect(few.cpuNs.threads).toBe(0);
  // All of them, by the other system call, in folios that both migrators have a part in.
  const { stats } = await machine.migratePages(mm, { from: [1], to: [0] });
  expect(stats.movedBy.reduce((folios, one) => folios + one.folios, 0)).toBe(4112);
  expect(stats.cpuNs.caller).toBeGreaterThan(0);
  expect(Number.isInteger(stats.cpuNs.caller)).toBe(true);
});

it('of two calls at once, the one that does more is charged more', async () => {
  await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0 });
  const map = (pages: number) => machine.createAddressSpace().mmap({ length: pages * 4096, populate: true });
  const [large, small] = [map(512), map(1)];
  let rightly = 0;
  for (let round = 0; round < 21; round++) {
    const move = async (area: typeof large) =>
      (await machine.movePages(area.mm, area.pages(), { node: 1 - (round % 2) })).stats.cpuNs.caller;
    // The one that is called last, and so goes on last, does less.
    const [much, little] = await Promise.all([move(large), move(small)]);
    if (much > 2 * little) rightly++;
  }
  expect(rightly).toBeGreaterThan(10);
});

it('what a migrator says that it used, and is no time, counts as none', async () => {
  const { machine, area } = await boot({});
  await using _ = machine;
  const { migrator } = createCpuMigrator(machine);
  const wrong: Migrator = {
    name: 'wrong',
    copyFolios(batch) {
      Object.assign(batch.usage, { threads: -1e12, map: Number.NaN, wait: Number.POSITIVE_INFINITY, unmap: '1' });
      return migrator.copyFolios(batch);
    },
  };
  const { stats } = await machine.movePages(area.mm, area.pages(), { node: 1, migrator: wrong });
  expect(stats.dmaNs).toEqual({ map: 0, submit: 0, wait: 0, unmap: 0 });
  expect([stats.cpuNs.threads, stats.cpuNs.dma]).toEqual([0, 0]);
  expect(stats.cpuNs.caller).toBeGreaterThanOrEqual(0);
  expect(stats.cpuNs.caller).toBeLessThan(1e12);
});
