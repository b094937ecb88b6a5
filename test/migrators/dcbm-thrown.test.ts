import { afterEach, expect, it, vi } from 'vitest';
import { DmaChannel } from '#src/dma/channel.js';
import { Lane } from '#src/migrators/dcbm-lane.js';
import { createDcbm, createFolios, expectNothingMapped } from '../support/dma.js';
import { errorOf } from '../support/errors.js';

/** Large enough for the calling thread's share to take several turns of the event loop; a little memory is left. */
const ORDERS = new Array(14).fill(9);

afterEach(() => vi.restoreAllMocks());

it.each([
  ['batch', 0],
  ['batch', 0.5],
  ['per-folio', 0],
  ['per-folio', 0.5],
] as const)('what waiting for a channel throws leaves nothing mapped: %s, a share of %d', async (setup, cpuShare) => {
  const folios = createFolios(ORDERS);
  await using made = await createDcbm({ memory: folios.memory, iommu: 'passthrough' });
  const { dcbm, engine } = made;
  Object.assign(dcbm, { setup, cpuShare });
  const boom = new Error('boom');
  vi.spyOn(DmaChannel.prototype, 'completions').mockRejectedValue(boom);
  expect(await errorOf(() => dcbm.copyFolios(folios.batch))).toBe(boom);
  vi.restoreAllMocks();
  await expectNothingMapped(engine, folios);
  expect(engine.freeChannels).toBe(16);
  folios.refill();
  expect(await dcbm.copyFolios(folios.batch)).toBe(0);
  expect(folios.check()).toBe(ORDERS.length);
});

it('what is thrown while the calling thread still copies its share comes to the caller, and to nobody else', async () => {
  const folios = createFolios(ORDERS);
  await using made = await createDcbm({ memory: folios.memory, iommu: 'passthrough' });
  made.dcbm.cpuShare = 0.93;
  const boom = new Error('boom');
  vi.spyOn(Lane.prototype, 'run').mockRejectedValue(boom);
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  try {
    expect(await errorOf(() => made.dcbm.copyFolios(folios.batch))).toBe(boom);
  } finally {
    process.off('unhandledRejection', note);
  }
  expect([unhandled, folios.check()]).toEqual([[], ORDERS.length - 1]);
});
