import { type DmaScenario, type World, Wrong } from '../scenario.js';

const SDXI = { device: 'sdxi', channels: 2, queueDepth: 4 } as const;

/** What dcbm does with the device: it has a batch of folios copied. */
export const DCBM: readonly DmaScenario[] = [
  {
    name: 'dcbm, a batch over two channels',
    device: SDXI,
    run: (world) => copyBatch(world, 3, { nrDmaChan: 2 }),
  },
  {
    name: 'dcbm, a batch over two channels, translated',
    device: { ...SDXI, iommu: 'translated' },
    run: (world) => copyBatch(world, 2, { nrDmaChan: 2 }),
  },
  {
    name: 'dcbm, folio by folio, translated',
    device: { device: 'ptdma', channels: 1, queueDepth: 2, iommu: 'translated' },
    run: (world) => copyBatch(world, 2, { setup: 'per-folio' }),
  },
  {
    name: 'dcbm, a queue of one',
    device: { ...SDXI, channels: 1 },
    run: (world) => copyBatch(world, 3, { queueDepth: 1 }),
  },
  {
    name: 'dcbm, polled',
    device: { device: 'dsa', channels: 2, queueDepth: 2 },
    run: (world) => copyBatch(world, 2, { nrDmaChan: 2 }),
  },
  {
    name: 'dcbm, a descriptor that fails',
    device: { ...SDXI, iommu: 'translated' },
    async run({ engine, dcbm, batch, checkBatch }) {
      const folios = batch(2);
      let asked = 0;
      engine.faults = { descriptor: () => (asked++ === 0 ? 'iommu' : 'none') };
      await dcbm({ nrDmaChan: 2 }).copyFolios(folios);
      if (checkBatch(folios) !== 1) throw new Wrong('the other is not copied');
    },
  },
  {
    name: 'dcbm, a silent channel',
    device: SDXI,
    losesThreads: true,
    timesOut: true,
    async run({ engine, dcbm, batch, checkBatch, later, wakeAll }) {
      const folios = batch(3);
      let asked = 0;
      engine.faults = { descriptor: () => (asked++ === 1 ? 'silence' : 'none') };
      const waking = later(wakeAll);
      await dcbm({ nrDmaChan: 2, timeoutMs: 5 }).copyFolios(folios);
      checkBatch(folios);
      await waking;
      engine.faults = undefined;
    },
  },
];

/** Has a batch copied, all of it. */
export async function copyBatch(
  { dcbm, batch, checkBatch }: World,
  folios: number,
  options: Parameters<World['dcbm']>[0],
): Promise<void> {
  const own = batch(folios);
  const result = await dcbm(options).copyFolios(own);
  const copied = checkBatch(own);
  if (result !== 0 || copied !== folios) throw new Wrong(`${copied} of ${folios} folios are copied: ${result}`);
}
