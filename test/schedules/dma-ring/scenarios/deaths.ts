import type { DmaScenario } from '../scenario.js';
import { terminateInMidTransfer } from './ends.js';

const SDXI = { device: 'sdxi', channels: 1, queueDepth: 4 } as const;

/** A channel's thread that dies, at each of its operations. */
export const DEATHS: readonly DmaScenario[] = [
  {
    name: 'death, dma, three descriptors',
    device: SDXI,
    dies: true,
    async run({ request, submit, item, finish, checkOver, copyOne }) {
      const channel = request();
      const transfers = [submit(channel, { item: item('pieces') }), submit(channel), submit(channel)];
      channel.issuePending();
      await finish(channel);
      checkOver(['ECANCELED'], ...transfers);
      await copyOne(channel);
    },
  },
  {
    name: 'death, dma, polled',
    device: SDXI,
    dies: true,
    async run({ request, submit, finish, checkOver, copyOne }) {
      const channel = request();
      const transfers = [submit(channel, { interrupt: false }), submit(channel, { interrupt: false })];
      channel.issuePending();
      await finish(channel, 'poll');
      checkOver(['ECANCELED'], ...transfers);
      await copyOne(channel);
    },
  },
  {
    name: 'death, dma, terminated',
    device: SDXI,
    dies: true,
    run: terminateInMidTransfer,
  },
  {
    name: 'death, iommu, unmapped in mid-transfer',
    device: { ...SDXI, iommu: 'translated' },
    dies: true,
    async run({ request, item, map, submit, later, giveAway, finish, checkOver, copyMapped }) {
      const channel = request();
      const own = item();
      const { dma, unmap } = map(own);
      const transfer = submit(channel, { item: own, dma });
      channel.issuePending();
      await later(async () => {
        await unmap();
        giveAway(own);
      });
      await finish(channel);
      checkOver(['EFAULT', 'ECANCELED'], transfer);
      await copyMapped(channel);
    },
  },
  {
    name: 'death, dcbm, two channels',
    device: { ...SDXI, channels: 2 },
    dies: true,
    async run({ dcbm, batch, checkBatch }) {
      for (let i = 0; i < 2; i++) {
        const folios = batch(3);
        await dcbm({ nrDmaChan: 2 }).copyFolios(folios);
        checkBatch(folios);
      }
    },
  },
];
