import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DMA_DEVICES, type DmaDeviceName } from '#src/dma/device.js';
import { ERRNO } from '#src/errno.js';
import { createDcbm, createFolios } from '../support/dma.js';

const DEVICES = Object.keys(DMA_DEVICES) as DmaDeviceName[];
const IOMMUS = ['none', 'passthrough', 'translated'] as const;
const SETUPS = ['batch', 'per-folio'] as const;
const WAITS = ['sleep', 'poll'] as const;
const DEVICES_AND_IOMMUS = DEVICES.flatMap((device) => IOMMUS.map((iommu) => ({ device, iommu })));
const SETUPS_AND_WAITS = SETUPS.flatMap((setup) => WAITS.map((wait) => ({ setup, wait })));
const ORDERS = [9, ...new Array(200).fill(0), 4, 0, 7, ...new Array(30).fill(1)];

describe.each(DEVICES_AND_IOMMUS)('copies every folio of a batch: $device, IOMMU $iommu', ({ device, iommu }) => {
  const folios = createFolios(ORDERS);
  // One for all tests: to start its threads takes longer than any of them.
  let made: Awaited<ReturnType<typeof createDcbm>>;
  beforeAll(async () => {
    made = await createDcbm({ memory: folios.memory, device, iommu, queueDepth: 64 });
  });
  afterAll(() => made.engine.close());

  it.each(SETUPS_AND_WAITS)('$setup, $wait', async ({ setup, wait }) => {
    const { dcbm } = made;
    dcbm.setup = setup;
    dcbm.wait = wait;
    dcbm.foliosMigrated = dcbm.foliosFailures = folios.batch.usage.threads = 0;
    for (const channels of [1, 3]) {
      dcbm.nrDmaChan = channels;
      folios.refill();
      expect(await dcbm.copyFolios(folios.batch)).toBe(0);
      expect(folios.check()).toBe(ORDERS.length);
    }
    expect(dcbm.foliosMigrated).toBe(2 * ORDERS.length);
    expect(dcbm.foliosFailures).toBe(0);
    expect(folios.batch.usage.threads).toBeGreaterThan(0);
  });
});

it('uses as many channels as are free, and declines a batch when there is none', async () => {
  const folios = createFolios(ORDERS);
  await using made = await createDcbm({ memory: folios.memory, channels: 3 });
  const { engine, dcbm } = made;
  dcbm.nrDmaChan = 8;
  const mine = [engine.request(), engine.request()];
  expect(await dcbm.copyFolios(folios.batch)).toBe(0);
  expect(folios.check()).toBe(ORDERS.length);
  mine.push(engine.request());
  folios.refill();
  expect(await dcbm.copyFolios(folios.batch)).toBe(ERRNO.EOPNOTSUPP);
  expect(folios.check()).toBe(0);
  expect(dcbm.foliosFailures).toBe(ORDERS.length);
  engine.release(mine[0]);
  expect(await dcbm.copyFolios(folios.batch)).toBe(0);
  expect(folios.check()).toBe(ORDERS.length);
});

it.each([1, 2, 3])('has no more in flight than %i a channel', async (queueDepth) => {
  const folios = createFolios(ORDERS);
  await using made = await createDcbm({ memory: folios.memory, queueDepth: 8 });
  made.dcbm.queueDepth = queueDepth;
  const channel = made.engine.request();
  made.engine.release(channel);
  let most = 0;
  made.engine.faults = {
    submit: () => {
      // Before this one counts.
      most = Math.max(most, channel.inFlight + 1);
      return false;
    },
  };
  expect(await made.dcbm.copyFolios(folios.batch)).toBe(0);
  expect(folios.check()).toBe(ORDERS.length);
  expect(most).toBe(queueDepth);
});
