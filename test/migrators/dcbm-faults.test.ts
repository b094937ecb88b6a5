import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DescriptorFault } from '#src/dma/faults.js';
import { SILENCE } from '#src/dma/worker/ring.js';
import { ERRNO } from '#src/errno.js';
import { at, createDcbm, createFolios, expectNothingMapped } from '../support/dma.js';
import { watchWorkers } from '../support/threads.js';

const ORDERS = [9, ...new Array(40).fill(0), 3, 0, 6, ...new Array(20).fill(1)];
const SETUPS = ['batch', 'per-folio'] as const;
const IOMMUS = ['none', 'passthrough', 'translated'] as const;
const COMBINATIONS = IOMMUS.flatMap((iommu) => SETUPS.map((setup) => ({ iommu, setup })));
/** What loses the one descriptor. */
const ONE: readonly DescriptorFault[] = ['read', 'write', 'abort', 'iommu'];
/** What loses the channel, with all that it had in flight. */
const ALL: readonly DescriptorFault[] = ['die', 'throw', 'silence'];

/** Answers `fault` for the n-th descriptor, from 1, and nothing for all others. */
function nth(n: number, fault: DescriptorFault): () => DescriptorFault {
  let count = 0;
  return () => (++count === n ? fault : 'none');
}

async function open(iommu: (typeof IOMMUS)[number], setup: (typeof SETUPS)[number], channels: number) {
  const folios = createFolios(ORDERS);
  const made = await createDcbm({ memory: folios.memory, iommu });
  made.dcbm.setup = setup;
  made.dcbm.nrDmaChan = channels;
  const run = async (partly?: 'partly') => {
    folios.refill();
    expect(await made.dcbm.copyFolios(folios.batch)).toBe(0);
    return folios.check(partly);
  };
  /** The next batch works, and counts say what came of the one before. */
  const expectRecovered = async (migrated: number) => {
    made.engine.faults = undefined;
    made.dcbm.timeoutMs = 10_000;
    expect([made.dcbm.foliosMigrated, made.dcbm.foliosFailures]).toEqual([migrated, ORDERS.length - migrated]);
    made.dcbm.foliosMigrated = made.dcbm.foliosFailures = 0;
    if (iommu === 'passthrough') await expectNothingMapped(made.engine, folios);
    expect(await run()).toBe(ORDERS.length);
    expect([made.dcbm.foliosMigrated, made.dcbm.foliosFailures]).toEqual([ORDERS.length, 0]);
    expect(made.engine.freeChannels).toBe(16);
  };
  return { ...made, folios, run, expectRecovered };
}

describe.each(COMBINATIONS)('IOMMU $iommu, $setup:', ({ iommu, setup }) => {
  // One for all tests, each of which ends with a batch that works: to start its threads takes longer than most of them.
  let made: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => {
    made = await open(iommu, setup, 2);
  });
  beforeEach(() => {
    made.engine.faults = undefined;
    made.dcbm.nrDmaChan = 2;
    made.dcbm.foliosMigrated = made.dcbm.foliosFailures = 0;
  });
  afterAll(() => made.engine.close());

  it.each(ONE)('a descriptor with the fault %s loses its folio, and no other', async (fault) => {
    made.engine.faults = { descriptor: nth(7, fault) };
    expect(await made.run()).toBe(ORDERS.length - 1);
    expect(made.folios.batch.copied[6]).toBe(0);
    await made.expectRecovered(ORDERS.length - 1);
  });

  it.each(ALL)('a channel with the fault %s loses what it had in flight', async (fault) => {
    made.engine.faults = { descriptor: nth(3, fault) };
    // Of the others' end the batch hears: it doesn't wait for nothing.
    made.dcbm.timeoutMs = fault === 'silence' ? 500 : 1e6;
    const marked = await made.run();
    expect(marked).toBeGreaterThan(0);
    expect(made.folios.batch.copied[2]).toBe(0);
    await made.expectRecovered(marked);
  });

  it('what a channel had no room for yet is left too, when that is lost', async () => {
    made.dcbm.nrDmaChan = 1;
    made.dcbm.queueDepth = 4;
    made.engine.faults = { descriptor: nth(3, 'die') };
    const marked = await made.run();
    expect(marked).toBeLessThan(4);
    made.dcbm.queueDepth = 1024;
    await made.expectRecovered(marked);
  });

  it('one that completes after all others is waited for', async () => {
    made.engine.faults = { descriptor: nth(1, 'last') };
    expect(await made.run()).toBe(ORDERS.length);
    await made.expectRecovered(ORDERS.length);
  });

  it('a mapping that fails loses what was to be mapped', async () => {
    for (const n of [1, 2]) {
      let count = 0;
      made.engine.faults = { map: () => ++count === n };
      const left = setup === 'batch' ? 0 : ORDERS.length - 1;
      expect(await made.run()).toBe(left);
      await made.expectRecovered(left);
      made.dcbm.foliosMigrated = made.dcbm.foliosFailures = 0;
    }
  });

  it('a submission that fails loses its folio', async () => {
    let count = 0;
    made.engine.faults = { submit: () => ++count === 5 };
    expect(await made.run()).toBe(ORDERS.length - 1);
    expect(made.folios.batch.copied[4]).toBe(0);
    made.engine.faults = { submit: () => true };
    made.dcbm.foliosMigrated = made.dcbm.foliosFailures = 0;
    expect(await made.run()).toBe(0);
    await made.expectRecovered(0);
  });

  it('a poisoned folio is left, and no other', async () => {
    const { from } = made.folios.batch.items;
    made.folios.memory.poison(from[0] / 4096 + 300);
    expect(await made.run()).toBe(ORDERS.length - 1);
    expect(made.folios.batch.copied[0]).toBe(0);
    made.folios.memory.unpoison(from[0] / 4096 + 300);
    await made.expectRecovered(ORDERS.length - 1);
  });
});

it.each(COMBINATIONS)(
  'what a silent channel was told to write it never writes later: $iommu, $setup',
  async ({ iommu, setup }) => {
    using workers = watchWorkers();
    await using made = await open(iommu, setup, 1);
    const { engine, dcbm, folios } = made;
    dcbm.timeoutMs = 100;
    engine.faults = { descriptor: nth(1, 'silence') };
    // The channel that the batch gets, for it is the only free one.
    const others = Array.from({ length: 15 }, () => engine.request());
    const [mine] = [engine.request()];
    engine.release(mine);
    expect(await made.run()).toBe(0);
    expect(workers.alive.size).toBe(0);
    // The frames are somebody else's now, and the channel answers.
    const { to, bytes } = folios.batch.items;
    const all = Array.from(to, (address, i) => at(folios.memory, address, bytes[i]));
    for (const view of all) view.fill(7);
    Atomics.add(mine.words, SILENCE, 1);
    Atomics.notify(mine.words, SILENCE);
    await sleep(50);
    expect(all.every((view) => view.every((byte) => byte === 7))).toBe(true);
    for (const other of others) engine.release(other);
    await made.expectRecovered(0);
  },
);

it.each(SETUPS)('an engine that is closed in the middle of a batch leaves the rest: %s', async (setup) => {
  using workers = watchWorkers();
  await using made = await open('translated', setup, 2);
  made.engine.faults = { descriptor: nth(20, 'silence') };
  // What a thread copies when it is ended is there, or a part of it, without a mark.
  const running = made.run('partly');
  await sleep(20);
  await made.engine.close();
  const marked = await running;
  expect(marked).toBeLessThan(ORDERS.length);
  expect([made.dcbm.foliosMigrated, made.dcbm.foliosFailures]).toEqual([marked, ORDERS.length - marked]);
  expect(workers.alive.size).toBe(0);
  // And none is left by then.
  expect(await made.dcbm.copyFolios(made.folios.batch)).toBe(ERRNO.EOPNOTSUPP);
});
