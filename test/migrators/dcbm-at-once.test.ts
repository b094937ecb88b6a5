import { PhysicalMemory } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { ERRNO } from '#src/errno.js';
import { isSame, snapshot } from '../support/bytes.js';
import { at, createDcbm, createFolios } from '../support/dma.js';
import { watchWorkers } from '../support/threads.js';

const ORDERS = [8, ...new Array(100).fill(0), 4, 0, 6, ...new Array(30).fill(1)];
const SETUPS = ['batch', 'per-folio'] as const;

describe.each(SETUPS)('%s:', (setup) => {
  it('several batches share the channels, and those that find none are declined', async () => {
    const memory = PhysicalMemory.create({ nodes: ['32M', '32M'] });
    const batches = Array.from({ length: 5 }, () => createFolios(ORDERS, memory));
    await using made = await createDcbm({ memory, device: 'dsa', channels: 3, iommu: 'translated' });
    Object.assign(made.dcbm, { setup, nrDmaChan: 2 });
    let migrated = 0;
    for (let round = 0; round < 5; round++) {
      for (const { refill } of batches) refill();
      const errnos = await Promise.all(batches.map(({ batch }) => made.dcbm.copyFolios(batch)));
      const marked = batches.map(({ check }) => check());
      // Two channels, one, and none.
      const none = ERRNO.EOPNOTSUPP;
      expect(errnos).toEqual([0, 0, none, none, none]);
      expect(marked).toEqual([ORDERS.length, ORDERS.length, 0, 0, 0]);
      migrated += 2 * ORDERS.length;
    }
    expect([made.dcbm.foliosMigrated, made.dcbm.foliosFailures]).toEqual([migrated, (migrated / 2) * 3]);
    expect(made.engine.freeChannels).toBe(3);
  });

  it('channels whose threads are killed at any moment lose no byte, and are served again', async () => {
    using workers = watchWorkers();
    const folios = createFolios([9, 9, 9, ...ORDERS]);
    await using made = await createDcbm({ memory: folios.memory, device: 'sdxi', iommu: 'passthrough' });
    Object.assign(made.dcbm, { setup, nrDmaChan: 3, timeoutMs: 1e6 });
    const copy = async () => {
      folios.refill();
      return made.dcbm.copyFolios(folios.batch);
    };
    expect(await copy()).toBe(0);
    for (let round = 0; round < 9; round++) {
      const victims = Array.from(workers.alive).slice(0, 1 + (round % 3));
      const copying = copy();
      for (let turn = 0; turn < round % 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      const ends = victims.map((victim) => victim.terminate());
      expect(await copying).toBe(0);
      // What a thread was copying when it died is partly there, and nothing comes after that.
      folios.check('partly');
      const { to, bytes } = folios.batch.items;
      const targets = Array.from(to, (address, i) => at(folios.memory, address, bytes[i]));
      const before = targets.map(snapshot);
      await Promise.all(ends);
      expect(targets.every((target, i) => isSame(target, before[i]))).toBe(true);
      // The next one has everybody again.
      expect(await copy()).toBe(0);
      expect(folios.check()).toBe(ORDERS.length + 3);
    }
    expect(made.engine.freeChannels).toBe(8);
  });
});
