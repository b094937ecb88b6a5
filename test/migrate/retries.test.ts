import { tracingChannel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { FLOWS, type Folio, Machine, type MigrateTrace } from 'mtcopy';
import { describe, expect, it, vi } from 'vitest';
import { ERRNO } from '#src/errno.js';
import {
  expectAtRest,
  expectBytes,
  FLOWS_AND_MIGRATORS,
  filled,
  folioOf,
  foliosOf,
  freePages,
} from '../support/machines.js';
import { createBench } from '../support/manager.js';

/** Retries of a folio that answers EAGAIN to the end: 3 passes together and 7 by itself, or 10 together. */
const SYNC_RETRIES = 2 + 6;
const ASYNC_RETRIES = 9;
const PAGES = 8;

/** Calls `act` with every begin and end of a phase, until disposed of. */
function onPhase(act: (event: 'start' | 'end', trace: MigrateTrace) => void): Disposable {
  const channel = tracingChannel<MigrateTrace>('mtcopy:migrate');
  const start = (trace: unknown) => act('start', trace as MigrateTrace);
  const end = (trace: unknown) => act('end', trace as MigrateTrace);
  channel.start.subscribe(start);
  channel.end.subscribe(end);
  return {
    [Symbol.dispose]() {
      channel.start.unsubscribe(start);
      channel.end.unsubscribe(end);
    },
  };
}

describe.each(FLOWS_AND_MIGRATORS)('$flow, $migrator: a folio that is', (settings) => {
  it('pinned all the time is tried 10 times, and stays with EBUSY', async () => {
    await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0, threads: 1, ...settings });
    const area = machine.createAddressSpace().mmap({ length: PAGES * 4096, populate: true });
    const bytes = await filled(area);
    const pinned = [folioOf(area, 2), folioOf(area, 5)];
    for (const folio of pinned) folio.get();
    const { status, notMigrated, stats } = await machine.movePages(area.mm, area.pages(), { node: 1 });
    expect(Array.from(status)).toEqual([1, 1, -ERRNO.EBUSY, 1, 1, -ERRNO.EBUSY, 1, 1]);
    expect(stats).toMatchObject({ succeeded: 6, failed: 2, retries: 2 * SYNC_RETRIES });
    expect(notMigrated).toBe(2);
    expect(machine.vmstat).toMatchObject({ pgmigrate_success: 6, pgmigrate_fail: 2 });
    expect([folioOf(area, 2).pfn, folioOf(area, 5).pfn]).toEqual(pinned.map(({ pfn }) => pfn));
    for (const folio of pinned) folio.put();
    expectAtRest(area);
    await expectBytes(area, bytes);
    const again = await machine.movePages(area.mm, area.pages(), { node: 1 });
    expect(again.stats).toMatchObject({ succeeded: 2, failed: 0, retries: 0 });
    await expectBytes(area, bytes);
  });

  it('unlocked meanwhile moves', async () => {
    await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0, threads: 1, ...settings });
    const area = machine.createAddressSpace().mmap({ length: PAGES * 4096, populate: true });
    const bytes = await filled(area);
    const locked = folioOf(area, 3);
    locked.tryLock();
    setTimeout(() => locked.unlock(), 20);
    const { stats } = await machine.movePages(area.mm, area.pages(), { node: 1 });
    // On a busy host it may be unlocked before the first try, or after more than the first waits.
    expect(stats).toMatchObject({ succeeded: PAGES, failed: 0 });
    expectAtRest(area);
    await expectBytes(area, bytes);
  });

  it('unpinned from setImmediate moves', async () => {
    await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0, threads: 1, ...settings });
    const area = machine.createAddressSpace().mmap({ length: PAGES * 4096, populate: true });
    const bytes = await filled(area);
    const pinned = folioOf(area, 0);
    pinned.get();
    const moving = machine.movePages(area.mm, area.pages(), { node: 1 });
    let turns = 0;
    const letGo = () => (++turns === 4 ? pinned.put() : setImmediate(letGo));
    setImmediate(letGo);
    const { stats } = await moving;
    expect(stats).toMatchObject({ succeeded: PAGES, failed: 0 });
    expect(stats.retries).toBeGreaterThanOrEqual(2);
    expect(stats.retries).toBeLessThanOrEqual(SYNC_RETRIES);
    expectAtRest(area);
    await expectBytes(area, bytes);
  });

  it('pinned at one phase and unpinned at a later one moves or stays, whole', async () => {
    await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0, threads: 1, ...settings });
    const area = machine.createAddressSpace().mmap({ length: 64 * 4096, populate: true });
    const bytes = await filled(area);
    let node = 1;
    let pins = 0;
    for (let pinAt = 0; pinAt < 12; pinAt++) {
      for (let unpinAt = pinAt; unpinAt < 14; unpinAt += 2) {
        const folios = foliosOf(area).filter((_, i) => i % 7 === 0);
        let event = 0;
        let held: Folio[] = [];
        using _ = onPhase(() => {
          if (event === pinAt) held = folios.filter(takeReference);
          if (event++ === unpinAt) for (const folio of held.splice(0)) folio.put();
        });
        const { stats } = await machine.movePages(area.mm, area.pages(), { node });
        pins += folios.length;
        expect(stats.succeeded + stats.failed).toBeLessThanOrEqual(64);
        for (const folio of held.splice(0)) folio.put();
        expectAtRest(area);
        await expectBytes(area, bytes);
        node = 1 - node;
      }
    }
    await area.mm.close();
    expect(machine.memory.nodes.map(({ freePages }) => freePages)).toEqual([4096, 4096]);
    console.info(`${settings.flow}, ${settings.migrator}: ${pins} pins in mid-migration`);
  });
});

// Each waits 0.7 s, all of them at once. They subscribe to nothing, and count what is their machine's own.
describe.concurrent('a folio that is all the time', () => {
  it.each(FLOWS_AND_MIGRATORS)('locked is tried 10 times, and stays with EBUSY: $flow, $migrator', async (settings) => {
    await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0, threads: 1, ...settings });
    const area = machine.createAddressSpace().mmap({ length: PAGES * 4096, populate: true });
    const bytes = await filled(area);
    const locked = folioOf(area, 3);
    expect(locked.tryLock()).toBe(true);
    const { status, stats } = await machine.movePages(area.mm, area.pages(), { node: 1 });
    expect(status[3]).toBe(-ERRNO.EBUSY);
    expect(stats).toMatchObject({ succeeded: 7, failed: 1, retries: SYNC_RETRIES });
    expect(locked.locked).toBe(true);
    locked.unlock();
    expectAtRest(area);
    await expectBytes(area, bytes);
  });

  it('written back is given up by migratePages itself, and left unlocked', async () => {
    const bench = createBench();
    const area = bench.createAddressSpace().mmap({ length: 4096, populate: true });
    const folio = folioOf(area, 0);
    folio.startWriteback();
    const { stats, failedErrno } = await bench.migrate([folio]);
    expect(failedErrno).toEqual([ERRNO.EAGAIN]);
    expect(stats).toMatchObject({ succeeded: 0, failed: 1, retries: 6 });
    expect(folio.flags).toContain('writeback');
    folio.endWriteback();
    expectAtRest(area);
  });
});

/** Takes a reference unless the folio is free by now. */
function takeReference(folio: Folio): boolean {
  if (folio.refcount === 0) return false;
  folio.get();
  return true;
}

/**
 * Pins whatever frames are in use, as a device driver would that has their numbers, and lets go of them a scan later. A last
 * reference is left to the thread that frees: its frame goes on the list that starts at word 4 and has `words[1]` entries.
 */
const PINNER = `
  const { parentPort, workerData: { refcount, words, first, end } } = require('node:worker_threads');
  const held = new Uint8Array(end);
  let pins = 0;
  const pin = (pfn) => {
    const seen = Atomics.load(refcount, pfn);
    if (seen > 0 && Atomics.compareExchange(refcount, pfn, seen, seen + 1) === seen) held[pfn] = 1;
    pins += held[pfn];
  };
  const letGo = (pfn) => {
    held[pfn] = 0;
    for (;;) {
      const seen = Atomics.load(refcount, pfn);
      if (seen === 1) {
        words[4 + words[1]] = pfn;
        Atomics.add(words, 1, 1);
        return;
      }
      if (Atomics.compareExchange(refcount, pfn, seen, seen - 1) === seen) return;
    }
  };
  for (let scan = 0; Atomics.load(words, 0) === 0 && words[1] < 900_000; scan++) {
    for (let pfn = first; pfn < end; pfn++) {
      if (held[pfn]) letGo(pfn);
      else if ((pfn + scan) % 3 === 0) pin(pfn);
    }
    Atomics.store(words, 2, 1);
    Atomics.notify(words, 2);
  }
  for (let pfn = first; pfn < end; pfn++) if (held[pfn]) letGo(pfn);
  parentPort.postMessage(pins);
`;

describe('a folio whose references another thread takes and drops', () => {
  it.each(FLOWS)('%s: moves or stays, and nothing leaks', async (flow) => {
    await using machine = await Machine.boot({ nodes: ['4M', '4M'], cpus: 0, flow });
    const area = machine.createAddressSpace().mmap({ length: 128 * 4096, populate: true });
    const bytes = await filled(area);
    const { memory } = machine;
    const words = new Int32Array(new SharedArrayBuffer(2 ** 22));
    const range = { first: memory.nodes[0]?.startPfn, end: memory.nodes[1]?.endPfn };
    const workerData = { refcount: memory.page.refcount, words, ...range };
    const worker = new Worker(PINNER, { eval: true, workerData });
    const ended = once(worker, 'message');
    await once(worker, 'online');
    Atomics.wait(words, 2, 0, 5000);
    const sum = { succeeded: 0, failed: 0, retries: 0 };
    let returned = 0;
    const putLastReferences = () => {
      for (; returned < Atomics.load(words, 1); returned++) {
        const folio = memory.folio(words[4 + returned]);
        // Of a frame that nothing maps any more nobody but its holder knows.
        const inUse = folio.flags.filter((flag) => ['locked', 'isolated', 'lru'].includes(flag));
        if (folio.mapcount === 0) expect(inUse).toEqual([]);
        folio.put();
      }
    };
    for (let round = 0; round < 30; round++) {
      const { stats } = await machine.movePages(area.mm, area.pages(), { node: (round + 1) % 2 });
      for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += stats[name];
      putLastReferences();
    }
    Atomics.store(words, 0, 1);
    const [pins] = (await ended) as [number];
    await worker.terminate();
    putLastReferences();
    console.info(
      `${flow}: ${pins} pins by another thread during 30 migrations of 128 pages: ${sum.succeeded} succeeded, ` +
        `${sum.failed} failed, ${sum.retries} retries, ${returned} old frames freed late`,
    );
    expect([pins > 0, sum.retries > 0, sum.succeeded > 0]).toEqual([true, true, true]);
    expectAtRest(area);
    await expectBytes(area, bytes);
    await area.mm.close();
    expect(freePages(machine)).toEqual([1024, 1024]);
  });
});

describe('migratePages itself', () => {
  it.each(FLOWS)('%s: tries 10 times without a turn of the event loop in MIGRATE_ASYNC', async (flow) => {
    const bench = createBench();
    const area = bench.createAddressSpace().mmap({ length: PAGES * 4096, populate: true });
    const bytes = await filled(area);
    const folios = foliosOf(area);
    folios[1]?.get();
    folios[6]?.tryLock();
    let turns = 0;
    const turn = setInterval(() => turns++, 0);
    // Time stands still: a migration that takes long on a busy machine gives the event loop turns, which are not these.
    const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now());
    const { stats, failed, failedErrno } = await bench.migrate(folios, { flow, mode: 'MIGRATE_ASYNC' });
    clock.mockRestore();
    clearInterval(turn);
    expect(turns).toBe(0);
    expect(stats).toMatchObject({ succeeded: 6, failed: 2, retries: 2 * ASYNC_RETRIES, batches: 1 });
    expect(new Set(failed)).toEqual(new Set([folios[1]?.pfn, folios[6]?.pfn]));
    expect(failedErrno).toEqual([ERRNO.EAGAIN, ERRNO.EAGAIN]);
    folios[1]?.put();
    folios[6]?.unlock();
    expectAtRest(area);
    await expectBytes(area, bytes);
  });

  it.each(FLOWS)('%s: takes what is left after 3 passes folio by folio, 7 passes each', async (flow) => {
    const bench = createBench();
    const area = bench.createAddressSpace().mmap({ length: PAGES * 4096, populate: true });
    const folios = foliosOf(area);
    for (const folio of folios.slice(0, 3)) folio.get();
    const { stats } = await bench.migrate(folios, { flow, mode: 'MIGRATE_SYNC_LIGHT' });
    expect(stats).toMatchObject({ succeeded: 5, failed: 3, retries: 3 * SYNC_RETRIES, batches: 1 + 3 });
    for (const folio of folios.slice(0, 3)) folio.put();
    expectAtRest(area);
  });

  it.each(['MIGRATE_ASYNC', 'MIGRATE_SYNC_LIGHT'] as const)(
    'leaves what is written back, with EBUSY: %s',
    async (mode) => {
      for (const flow of FLOWS) {
        const bench = createBench();
        const area = bench.createAddressSpace().mmap({ length: PAGES * 4096, populate: true });
        const folios = foliosOf(area);
        folios[4]?.startWriteback();
        const { stats, failed, failedErrno } = await bench.migrate(folios, { flow, mode });
        folios[4]?.endWriteback();
        expect([failed, failedErrno]).toEqual([[folios[4]?.pfn], [ERRNO.EBUSY]]);
        expect(stats).toMatchObject({ succeeded: 7, failed: 1, retries: 0 });
        expectAtRest(area);
      }
    },
  );

  it.each(FLOWS)('%s: waits in MIGRATE_SYNC for what is written back', async (flow) => {
    const bench = createBench();
    const area = bench.createAddressSpace().mmap({ length: PAGES * 4096, populate: true });
    const bytes = await filled(area);
    const folios = foliosOf(area);
    folios[4]?.startWriteback();
    setTimeout(() => folios[4]?.endWriteback(), 30);
    const { stats, failed } = await bench.migrate(folios, { flow, mode: 'MIGRATE_SYNC' });
    expect(failed).toEqual([]);
    // A busy host may have it tried again, after a wait of 100 ms.
    expect(stats).toMatchObject({ succeeded: 8, failed: 0 });
    expectAtRest(area);
    await expectBytes(area, bytes);
  });

  it('frees what nobody but the migration holds any more', async () => {
    const bench = createBench();
    const { memory } = bench.manager;
    const area = bench.createAddressSpace().mmap({ length: PAGES * 4096, populate: true });
    const migrating = bench.migrate(foliosOf(area), { mode: 'MIGRATE_ASYNC' });
    await Promise.all([area.mm.close(), migrating]);
    expect(memory.nodes.map(({ freePages }) => freePages)).toEqual([4096, 4096]);
  });
});
