import { type DmaScenario, Wrong } from '../scenario.js';

/** In order, with an interrupt for each descriptor. */
const PTDMA = { device: 'ptdma', channels: 1, queueDepth: 2 } as const;
/** Two at once, in any order, with an interrupt where it is asked for. */
const SDXI = { device: 'sdxi', channels: 1, queueDepth: 4 } as const;

const copyOneDescriptor: DmaScenario['run'] = async ({ request, submit, finish, checkCopied }) => {
  const channel = request();
  const transfer = submit(channel);
  channel.issuePending();
  await finish(channel);
  checkCopied(transfer);
};

/** Descriptors that are submitted, copied and called back. */
export const COPIES: readonly DmaScenario[] = [
  {
    name: 'dma, one descriptor',
    device: PTDMA,
    run: copyOneDescriptor,
  },
  {
    name: 'dma, one descriptor, without the loop in C',
    device: PTDMA,
    isPortable: true,
    run: copyOneDescriptor,
  },
  {
    name: 'dma, three descriptors, one interrupt',
    device: SDXI,
    async run({ request, submit, finish, checkCopied }) {
      const channel = request();
      const transfers = [false, true, false].map((interrupt) => submit(channel, { interrupt }));
      channel.issuePending();
      await finish(channel);
      checkCopied(...transfers);
    },
  },
  {
    name: 'dma, two at once, a large one first',
    device: SDXI,
    async run({ request, submit, item, finish, checkCopied }) {
      const channel = request();
      const transfers = [submit(channel, { item: item('pieces') }), submit(channel)];
      channel.issuePending();
      await finish(channel);
      checkCopied(...transfers);
    },
  },
  {
    name: 'dma, one behind all others',
    device: { ...PTDMA, queueDepth: 4 },
    async run({ request, submit, finish, checkCopied }) {
      const channel = request();
      const transfers = [submit(channel, { fault: 'last' }), submit(channel), submit(channel)];
      channel.issuePending();
      await finish(channel);
      checkCopied(...transfers);
    },
  },
  {
    // The thread goes to sleep when the second is issued.
    name: 'dma, one after the other',
    device: PTDMA,
    async run({ request, submit, finish, checkCopied }) {
      const channel = request();
      for (let i = 0; i < 2; i++) {
        const transfer = submit(channel);
        channel.issuePending();
        await finish(channel);
        checkCopied(transfer);
      }
    },
  },
  {
    name: 'dma, one issued behind another',
    device: SDXI,
    async run({ request, submit, finish, checkCopied }) {
      const channel = request();
      // Without an interrupt, the thread looks whether this is the last.
      const first = submit(channel, { interrupt: false });
      channel.issuePending();
      const second = submit(channel);
      channel.issuePending();
      await finish(channel);
      checkCopied(first, second);
    },
  },
  {
    name: 'dma, more than the ring holds',
    device: { ...SDXI, queueDepth: 2 },
    async run({ request, submit, item, finish, checkCopied }) {
      const channel = request();
      // A small one behind a large one is complete first: its place is free, but not the first.
      const transfers = [submit(channel, { item: item('pieces') }), submit(channel)];
      channel.issuePending();
      while (transfers.length < 4) {
        if (channel.room === 0) await channel.completions(10_000);
        while (channel.room > 0 && transfers.length < 4) transfers.push(submit(channel));
        channel.issuePending();
      }
      await finish(channel);
      checkCopied(...transfers);
    },
  },
  {
    name: 'dma, polled',
    device: SDXI,
    async run({ request, submit, finish, checkCopied }) {
      const channel = request();
      const transfers = [false, false].map((interrupt) => submit(channel, { interrupt }));
      channel.issuePending();
      await finish(channel, 'poll');
      checkCopied(...transfers);
    },
  },
  {
    name: 'dma, paced',
    device: { ...PTDMA, descriptorNs: 1e9 },
    timesOut: true,
    async run({ request, submit, finish, checkCopied }) {
      const channel = request();
      const transfers = [submit(channel), submit(channel)];
      channel.issuePending();
      await finish(channel);
      checkCopied(...transfers);
    },
  },
  {
    name: 'dma, sealed and unsealed',
    device: { ...PTDMA, iommu: 'translated', key: 0x1234567 },
    async run({ engine, item, read }) {
      const own = item();
      const before = read(own);
      await engine.seal(own.from, own.bytes);
      if (read(own).equals(before)) throw new Wrong('nothing is sealed');
      await engine.unseal(own.from, own.bytes);
      if (!read(own).equals(before)) throw new Wrong('not all is unsealed');
    },
  },
  {
    name: 'dma, two channels',
    device: { ...PTDMA, channels: 2 },
    async run({ request, submit, finish, checkCopied }) {
      const channels = [request(), request()];
      const transfers = channels.map((channel) => submit(channel));
      for (const channel of channels) channel.issuePending();
      await Promise.all(channels.map((channel) => finish(channel)));
      checkCopied(...transfers);
    },
  },
  {
    name: 'dma, a descriptor of several ranges',
    device: SDXI,
    async run({ request, item, submitTables, finish, checkCopied }) {
      const channel = request();
      const transfer = submitTables(channel, [item(), item()]);
      channel.issuePending();
      await finish(channel);
      checkCopied(transfer);
    },
  },
  {
    name: 'dma, the status of what is in flight',
    device: SDXI,
    async run({ request, submit, item, finish, checkCopied, checkStatus }) {
      const channel = request();
      const transfers = [submit(channel, { item: item('pieces') }), submit(channel)];
      channel.issuePending();
      checkStatus(channel, ...transfers);
      await finish(channel);
      checkCopied(...transfers);
    },
  },
];
