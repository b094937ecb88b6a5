import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { COPIED_BY_CALLER, FLOWS, Machine, type Migrator } from 'mtcopy';
import { expect, it } from 'vitest';
import { createAutoShare, engineItems } from '#src/migrators/dcbm-share.js';
import { createDcbm, createFolios } from '../support/dma.js';

const ORDERS = [9, ...new Array(200).fill(0), 4, 0, 7, ...new Array(30).fill(1)];

it.each([0, 0.1, 0.5, 0.97, 1, 'auto'] as const)('%s of a batch is the calling thread’s', async (cpuShare) => {
  const folios = createFolios(ORDERS);
  await using made = await createDcbm({ memory: folios.memory, iommu: 'translated' });
  const { dcbm } = made;
  dcbm.cpuShare = cpuShare;
  dcbm.nrDmaChan = 2;
  for (let round = 0; round < 5; round++) {
    folios.refill();
    dcbm.foliosMigrated = 0;
    expect(await dcbm.copyFolios(folios.batch)).toBe(0);
    expect(folios.check()).toBe(ORDERS.length);
    if (cpuShare !== 'auto') expect(dcbm.foliosMigrated).toBe(engineItems(folios.batch.items.bytes, cpuShare));
  }
  expect(dcbm.foliosFailures).toBe(0);
});

it.each([0, 0.5, 1])('a share of %s stands among what the calling thread has moved, and not dcbm', async (cpuShare) => {
  await using machine = await Machine.boot({
    nodes: ['16M', '16M'],
    cpus: 0,
    flow: 'pre-copy',
    migrator: 'dcbm',
    dcbm: { cpuShare },
  });
  const area = machine.createAddressSpace().mmap({ length: '2M', populate: true });
  const { stats } = await machine.movePages(area.mm, area.pages(), { node: 1 });
  const part = (migrator: string, folios: number) => (folios ? [{ migrator, folios, bytes: folios * 4096 }] : []);
  expect(stats.movedBy).toEqual([...part('kernel', 512 * cpuShare), ...part('dcbm', 512 * (1 - cpuShare))]);
  expect(machine.dcbm.foliosMigrated).toBe(512 * (1 - cpuShare));
});

it.each(FLOWS)('%s: a folio that is marked as the calling thread’s is copied, and not once more', async (flow) => {
  const copiesNothing: Migrator = {
    name: 'none',
    copyFolios({ copied }) {
      copied.fill(COPIED_BY_CALLER);
      return 0;
    },
  };
  await using machine = await Machine.boot({ nodes: ['4M', '4M'], cpus: 0, flow, migrator: copiesNothing });
  const area = machine.createAddressSpace().mmap({ length: '16K', populate: true });
  await area.mm.write(area.address, Uint8Array.of(7));
  const { stats } = await machine.movePages(area.mm, area.pages(), { node: 1 });
  expect(stats.movedBy).toEqual([{ migrator: 'kernel', folios: 4, bytes: 16384 }]);
  // Nobody has copied what it says is copied.
  expect((await area.mm.read(area.address, 1))[0]).not.toBe(7);
});

it('is copied also when the engine fails', async () => {
  const folios = createFolios(ORDERS);
  await using made = await createDcbm({ memory: folios.memory });
  made.dcbm.cpuShare = 0.5;
  made.engine.faults = { map: () => true };
  const mine = ORDERS.length - engineItems(folios.batch.items.bytes, 0.5);
  expect(await made.dcbm.copyFolios(folios.batch)).toBe(0);
  expect(folios.check()).toBe(mine);
  expect([made.dcbm.foliosMigrated, made.dcbm.foliosFailures]).toEqual([0, ORDERS.length - mine]);
});

it('leaves a poisoned folio of its own, and no other', async () => {
  const folios = createFolios(ORDERS);
  await using made = await createDcbm({ memory: folios.memory });
  made.dcbm.cpuShare = 1;
  folios.memory.poison(folios.batch.items.from[0] / 4096 + 500);
  expect(await made.dcbm.copyFolios(folios.batch)).toBe(0);
  expect(folios.batch.copied[0]).toBe(0);
  expect(folios.batch.copied.filter((mark) => mark === 0).length).toBe(1);
  expect(made.dcbm.foliosFailures).toBe(0);
});

it('is as many bytes as asked for, but for half a folio', () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 10 }), { minLength: 1, maxLength: 100 });
  fc.assert(
    fc.property(sizes, fc.double({ min: 0, max: 1, noNaN: true }), (orders, share) => {
      const bytes = Uint32Array.from(orders, (order) => 4096 << order);
      const count = engineItems(bytes, share);
      const all = bytes.reduce((sum, size) => sum + size, 0);
      const mine = bytes.subarray(count).reduce((sum, size) => sum + size, 0);
      expect(Math.abs(mine - all * share)).toBeLessThanOrEqual(Math.max(...bytes) / 2 + 1);
    }),
  );
  expect(engineItems(Uint32Array.of(4096, 4096), 0)).toBe(2);
  expect(engineItems(Uint32Array.of(4096, 4096), 1)).toBe(0);
});

it('auto comes to where both end together, however fast each is', () => {
  const gbs = fc.double({ min: 0.3, max: 30, noNaN: true });
  fc.assert(
    fc.property(gbs, gbs, (cpu, engine) => {
      const auto = createAutoShare();
      const bytes = 2 ** 26;
      // Some are the calling thread's alone.
      for (let batch = 0; batch < 80; batch++) {
        const cpuBytes = bytes * auto.share;
        const engineBytes = bytes - cpuBytes;
        const cpuNs = cpuBytes / cpu;
        // That the engine is through is not noticed before the calling thread is.
        const engineNs = engineBytes > 0 ? Math.max(engineBytes / engine, cpuNs) : 0;
        auto.note({ cpuBytes, cpuNs, engineBytes, engineNs, wallNs: Math.max(cpuNs, engineNs) });
      }
      const longer = Math.max((bytes * auto.share) / cpu, (bytes * (1 - auto.share)) / engine);
      expect(longer).toBeLessThanOrEqual(1.1 * (bytes / (cpu + engine)));
    }),
  );
});

it('auto leaves an engine out that takes longer to wake than it gains, and tries it again, ever less often', () => {
  const auto = createAutoShare();
  const [bytes, cpu, engine, wakeNs] = [2 ** 21, 10, 10, 300_000];
  const tried: number[] = [];
  let wasted = 0;
  for (let batch = 0; batch < 1000; batch++) {
    const cpuBytes = bytes * auto.share;
    const engineBytes = bytes - cpuBytes;
    const cpuNs = cpuBytes / cpu;
    const engineNs = engineBytes > 0 ? Math.max(engineBytes / engine + wakeNs, cpuNs) : 0;
    const wallNs = Math.max(cpuNs, engineNs);
    if (engineBytes > 0) tried.push(batch);
    wasted += wallNs - bytes / cpu;
    auto.note({ cpuBytes, cpuNs, engineBytes, engineNs, wallNs });
  }
  expect(tried.length).toBeGreaterThan(5);
  expect(tried.length).toBeLessThan(80);
  expect(wasted).toBeLessThan(0.08 * 1000 * (bytes / cpu));
  // As soon as it gains it is used for good.
  let used = 0;
  for (let batch = 0; batch < 500; batch++) {
    const cpuBytes = bytes * auto.share;
    const engineBytes = bytes - cpuBytes;
    const cpuNs = cpuBytes / cpu;
    const engineNs = engineBytes > 0 ? Math.max(engineBytes / engine, cpuNs) : 0;
    if (engineBytes > 0 && batch >= 400) used++;
    auto.note({ cpuBytes, cpuNs, engineBytes, engineNs, wallNs: Math.max(cpuNs, engineNs) });
  }
  expect(used).toBe(100);
});

it.each(['sleep', 'poll'] as const)(
  'the event loop turns while channels copy, and while the share is: %s',
  async (wait) => {
    const folios = createFolios([9, 9, 9, 9, 9, 9, 9, 9]);
    await using made = await createDcbm({ memory: folios.memory });
    made.dcbm.wait = wait;
    made.engine.faults = { descriptor: () => 'silence' };
    made.dcbm.timeoutMs = 200;
    for (const cpuShare of [0, 0.9]) {
      made.dcbm.cpuShare = cpuShare;
      let isOver = false;
      const copying = Promise.resolve(made.dcbm.copyFolios(folios.batch)).finally(() => {
        isOver = true;
      });
      for (let turn = 0; turn < 20; turn++) await setImmediate();
      expect(isOver).toBe(false);
      await copying;
    }
  },
);
