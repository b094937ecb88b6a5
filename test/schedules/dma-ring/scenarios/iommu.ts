import type { DmaChannel } from 'mtcopy';
import { type DmaScenario, type World, Wrong } from '../scenario.js';

const TRANSLATED = { device: 'ptdma', channels: 1, queueDepth: 2, iommu: 'translated' } as const;

/** Memory that is mapped for the device, and unmapped. */
export const IOMMU: readonly DmaScenario[] = [
  {
    name: 'iommu, addresses used again',
    device: TRANSLATED,
    async run({ request, copyMapped }) {
      const channel = request();
      await copyMapped(channel);
      await copyMapped(channel);
    },
  },
  {
    name: 'iommu, unmapped in mid-transfer',
    device: TRANSLATED,
    async run(world) {
      await unmapInMidTransfer(world);
    },
  },
  {
    name: 'iommu, unmapped in mid-transfer, passthrough',
    device: { ...TRANSLATED, iommu: 'passthrough' },
    async run(world) {
      await unmapInMidTransfer(world);
    },
  },
  {
    name: 'iommu, unmapped in mid-transfer, and the addresses used again',
    device: TRANSLATED,
    async run({ request, item, map, submit, later, giveAway, finish, checkOver, checkCopied }) {
      const channel = request();
      const [own, next] = [item(), item()];
      const { dma, unmapTo, unmapFrom } = map(own);
      const first = submit(channel, { item: own, dma, isKept: true });
      channel.issuePending();
      await later(async () => {
        await unmapTo();
        giveAway(own);
      });
      // The same address of the device's, for another range.
      const other = map(next);
      if (other.dma.from !== dma.to) throw new Wrong('the address is not used again');
      await finish(channel);
      checkOver(['EFAULT'], first);
      const second = submit(channel, { item: next, dma: other.dma });
      channel.issuePending();
      await finish(channel);
      checkCopied(second);
      await Promise.all([unmapFrom(), other.unmap()]);
    },
  },
  {
    // The other channel has translations of its own in use.
    name: 'iommu, unmapped while another channel works',
    device: { ...TRANSLATED, channels: 2 },
    async run({ request, item, map, submit, later, giveAway, finish, checkOver, checkCopied }) {
      const channels = [request(), request()];
      const items = channels.map(() => item());
      const maps = items.map(map);
      const transfers = channels.map((channel, i) => submit(channel, { item: items[i], dma: maps[i].dma }));
      for (const channel of channels) channel.issuePending();
      await later(async () => {
        await maps[0].unmap();
        giveAway(items[0]);
      });
      await Promise.all(channels.map((channel) => finish(channel)));
      checkOver(['EFAULT'], transfers[0]);
      checkCopied(transfers[1]);
      await maps[1].unmap();
    },
  },
  {
    name: 'iommu, unmapped of a channel that is ended',
    device: TRANSLATED,
    timesOut: true,
    async run({ request, item, map, submit, checkOver, copyMapped }) {
      const channel = request();
      const own = item();
      const { dma, unmap } = map(own);
      const transfer = submit(channel, { item: own, dma, fault: 'silence' });
      channel.issuePending();
      await channel.completions(5);
      const unmapping = unmap();
      await channel.terminate();
      await unmapping;
      checkOver(['ECANCELED'], transfer);
      await copyMapped(channel);
    },
  },
];

/**
 * Unmaps the target of a descriptor that may be anywhere: it fails, or is complete, and nothing is written later. A channel
 * remembers what it has translated once, so it is the second of that range.
 */
async function unmapInMidTransfer(world: World): Promise<DmaChannel> {
  const { request, item, map, submit, later, giveAway, finish, checkOver, checkCopied } = world;
  const channel = request();
  const own = item();
  const { dma, unmapTo, unmapFrom } = map(own);
  const asked = { item: own, dma, isKept: true };
  const first = submit(channel, asked);
  channel.issuePending();
  await finish(channel);
  checkCopied(first);
  const second = submit(channel, asked);
  channel.issuePending();
  await later(async () => {
    await unmapTo();
    giveAway(own);
  });
  await finish(channel);
  checkOver(['EFAULT'], second);
  await unmapFrom();
  return channel;
}
