import { type DmaScenario, Wrong } from '../scenario.js';

/** In order, with an interrupt for each descriptor. */
const PTDMA = { device: 'ptdma', channels: 1, queueDepth: 2 } as const;
/** Two at once, in any order. */
const SDXI = { device: 'sdxi', channels: 1, queueDepth: 4 } as const;

/** With a speed to keep to, which is far below any machine's. */
const PACED = { ...PTDMA, descriptorNs: 1e9 } as const;

/** Also for a thread that dies meanwhile. */
export const terminateInMidTransfer: DmaScenario['run'] = async (world) => {
  const { request, submit, item, later, checkOver, copyOne } = world;
  const channel = request();
  const first = submit(channel, { item: item('pieces') });
  channel.issuePending();
  await later(() => channel.terminate());
  checkOver(['ECANCELED'], first);
  await copyOne(channel);
};

/** Descriptors that fail, or are given up; and channels that end. */
export const ENDS: readonly DmaScenario[] = [
  {
    name: 'dma, descriptors that fail',
    device: SDXI,
    async run({ request, submit, finish, checkOver, checkCopied, copyOne }) {
      const channel = request();
      const failing = [submit(channel, { fault: 'read' }), submit(channel, { fault: 'abort' })];
      const other = submit(channel);
      channel.issuePending();
      await finish(channel);
      checkOver(['EIO'], ...failing);
      if (failing.some(({ errno }) => errno === 0)) throw new Wrong('what failed counts as copied');
      checkCopied(other);
      await copyOne(channel);
    },
  },
  {
    name: 'dma, terminated in mid-transfer',
    device: SDXI,
    async run({ request, submit, item, later, checkOver, copyOne }) {
      const channel = request();
      const transfers = [submit(channel, { item: item('pieces') }), submit(channel)];
      channel.issuePending();
      let terminating = Promise.resolve();
      await later(() => {
        terminating = channel.terminate();
      });
      await terminating;
      checkOver(['ECANCELED'], ...transfers);
      await copyOne(channel);
    },
  },
  {
    name: 'dma, terminated while somebody waits',
    device: PTDMA,
    async run({ request, submit, later, finish, checkOver, copyOne }) {
      const channel = request();
      const transfers = [submit(channel), submit(channel)];
      channel.issuePending();
      const terminating = later(() => channel.terminate());
      await finish(channel);
      await terminating;
      checkOver(['ECANCELED'], ...transfers);
      await copyOne(channel);
    },
  },
  {
    name: 'dma, terminated before it is issued',
    device: PTDMA,
    async run({ request, submit, checkOver, copyOne }) {
      const channel = request();
      const first = submit(channel);
      channel.issuePending();
      const second = submit(channel);
      await channel.terminate();
      checkOver(['ECANCELED'], first, second);
      await copyOne(channel);
    },
  },
  {
    name: 'dma, terminated with one behind all others',
    device: SDXI,
    async run({ request, submit, later, checkOver, copyOne }) {
      const channel = request();
      const first = submit(channel, { fault: 'last' });
      channel.issuePending();
      // By then the thread may have put the first off, and comes to this one before it copies that.
      const transfers = [first, submit(channel)];
      channel.issuePending();
      await later(() => channel.terminate());
      checkOver(['ECANCELED'], ...transfers);
      await copyOne(channel);
    },
  },
  {
    name: 'dma, prepared, terminated and submitted',
    device: PTDMA,
    async run({ request, item, giveAway, copyOne }) {
      const channel = request();
      const own = item();
      const prepared = channel.prepMemcpy(own.to, own.from, own.bytes, true);
      const terminating = channel.terminate();
      try {
        channel.submit(prepared);
      } catch {
        // So it should be.
      }
      await terminating;
      giveAway(own);
      await copyOne(channel);
    },
  },
  {
    name: 'dma, terminated, impatient',
    device: SDXI,
    isImpatient: true,
    run: terminateInMidTransfer,
  },
  {
    // The second has the first one's place in the ring.
    name: 'dma, timed out, impatient',
    device: { ...PTDMA, queueDepth: 1 },
    isImpatient: true,
    async run({ request, submit, checkOver, copyOne }) {
      const channel = request();
      const first = submit(channel);
      channel.issuePending();
      if (!(await channel.completions(5))) await channel.terminate();
      checkOver(['ECANCELED'], first);
      await copyOne(channel);
    },
  },
  {
    name: 'dma, a silent channel that answers late',
    device: { ...PTDMA, queueDepth: 1 },
    timesOut: true,
    async run({ request, submit, later, wake, checkOver, copyOne }) {
      const channel = request();
      const first = submit(channel, { fault: 'silence' });
      channel.issuePending();
      if (!(await channel.completions(5))) {
        const waking = later(() => wake(channel));
        await channel.terminate();
        checkOver(['ECANCELED'], first);
        await waking;
      }
      await copyOne(channel);
    },
  },
  {
    name: 'dma, a task that throws',
    device: SDXI,
    async run({ request, submit, item, finish, checkOver, copyOne }) {
      const channel = request();
      const transfers = [submit(channel, { item: item('pieces') }), submit(channel, { fault: 'throw' })];
      channel.issuePending();
      await finish(channel);
      checkOver(['ECANCELED'], ...transfers);
      await copyOne(channel);
    },
  },
  {
    name: 'dma, a task that throws with one behind all others',
    device: SDXI,
    async run({ request, submit, finish, checkOver, copyOne }) {
      const channel = request();
      const transfers = [submit(channel, { fault: 'last' }), submit(channel, { fault: 'throw' })];
      channel.issuePending();
      await finish(channel);
      checkOver(['ECANCELED'], ...transfers);
      await copyOne(channel);
    },
  },
  {
    // The thread's task ends as the next descriptor is issued.
    name: 'dma, released, and requested again as it rests',
    device: PTDMA,
    losesThreads: true,
    async run({ request, release, rest, later, copyOne }) {
      release(request());
      rest();
      await later(rest);
      await copyOne(request());
    },
  },
  {
    name: 'dma, terminated as it rests',
    device: PTDMA,
    losesThreads: true,
    timesOut: true,
    async run({ request, release, rest, submit, later, checkOver, copyOne }) {
      release(request());
      rest();
      const channel = request();
      const first = submit(channel);
      channel.issuePending();
      await later(() => channel.terminate());
      checkOver(['ECANCELED'], first);
      await copyOne(channel);
    },
  },
  {
    name: 'dma, terminated at rest',
    device: PTDMA,
    losesThreads: true,
    timesOut: true,
    async run({ request, release, rest, until, submit, checkOver, copyOne }) {
      release(request());
      rest();
      const channel = request();
      await until(() => !channel.isServed);
      const first = submit(channel);
      await channel.terminate();
      checkOver(['ECANCELED'], first);
      await channel.ready();
      await copyOne(channel);
    },
  },
  {
    // Copied, and not complete before its time has come.
    name: 'dma, paced, terminated',
    device: PACED,
    timesOut: true,
    async run({ request, submit, later, checkOver, copyOne }) {
      const channel = request();
      const transfers = [submit(channel), submit(channel)];
      channel.issuePending();
      await later(() => channel.terminate());
      checkOver(['ECANCELED'], ...transfers);
      await copyOne(channel);
    },
  },
  {
    name: 'dma, paced, a task that throws',
    device: PACED,
    timesOut: true,
    async run({ request, submit, finish, checkOver, copyOne }) {
      const channel = request();
      const transfers = [submit(channel), submit(channel, { fault: 'throw' })];
      channel.issuePending();
      await finish(channel);
      checkOver(['ECANCELED'], ...transfers);
      await copyOne(channel);
    },
  },
  {
    name: 'dma, closed with descriptors in flight',
    device: { ...SDXI, channels: 2 },
    closes: true,
    async run({ engine, request, submit, item, later, checkOver, afterClose }) {
      const channels = [request(), request()];
      const transfers = channels.map((channel) => submit(channel, { item: item('pieces') }));
      for (const channel of channels) channel.issuePending();
      await later(() => engine.close());
      checkOver(['ECANCELED'], ...transfers);
      afterClose();
    },
  },
];
