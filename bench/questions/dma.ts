import {
  type Area,
  type DcbmOptions,
  type DmaHardware,
  FLOWS,
  Machine,
  MiB,
  type MigrateStats,
  type Migrator,
} from 'mtcopy';
import { type Contestant, inTurns, ratio, showRatio } from '../support/in-turns.js';
import { runAsked } from '../support/run-asked.js';
import { printTable, showSpread } from '../support/table.js';

/*
 * What offloading costs and gains: the registry, dcbm against mtcopy, set-up a batch against set-up a folio, devices that are
 * modelled, and the calling thread's share.
 */

const ROUNDS = 31;
const NODE = 320 * MiB;
const LENGTH = 128 * MiB;

/** Copies nothing: what is left is the work on metadata, of which the registry is a part. */
const COPIES_NOTHING: Migrator = {
  name: 'nothing',
  copyFolios({ copied }) {
    copied.fill(1);
    return 0;
  },
};

interface Hardware {
  dma?: DmaHardware;
  dcbm?: DcbmOptions;
  threads?: number;
}

function boot(hardware: Hardware = {}): Promise<Machine> {
  const common = { nodes: [NODE, NODE], cpus: 0, caller: 'waits', pcpHigh: Number.POSITIVE_INFINITY } as const;
  return Machine.boot({ ...common, ...hardware });
}

/** Moves an area to the other node, or back. */
async function move(machine: Machine, area: Area, settings: object): Promise<{ ns: number; stats: MigrateStats }> {
  const { mm, address } = area;
  const node = 1 - (mm.folioAt(address)?.nid ?? 0);
  const started = performance.now();
  const { notMigrated, stats } = await machine.movePages(mm, area.folios(), { node, ...settings });
  const ns = (performance.now() - started) * 1e6;
  if (notMigrated > 0) throw new Error(`${notMigrated} pages were not migrated`);
  return { ns, stats };
}

const timed =
  (machine: Machine, area: Area, settings: object): Contestant =>
  async () =>
    (await move(machine, area, settings)).ns;

/** A batch that gets its migrator from the registry against one whose call names it. */
async function registry(): Promise<void> {
  const rows = [];
  for (const flow of FLOWS) {
    await using machine = await boot();
    const area = machine.createAddressSpace().mmap({ length: 512 * 4096, populate: true });
    machine.offload.register(COPIES_NOTHING);
    const again =
      (settings: object): Contestant =>
      async () => {
        let ns = 0;
        for (let i = 0; i < 200; i++) ns += (await move(machine, area, { flow, ...settings })).ns;
        return ns;
      };
    const times = await inTurns({ registered: again({}), named: again({ migrator: COPIES_NOTHING }) }, ROUNDS);
    rows.push([flow, showRatio(ratio(times.named ?? [], times.registered ?? []))]);
  }
  printTable(
    ['flow', 'speed'],
    rows,
    `Speed with the migrator of the registry, of which one named by the call has 1: batches of 512 pages of 4 KiB, without their copy: medians (quartiles) of ${ROUNDS} rounds of 200 in turns.`,
  );
}

/** dcbm with as many channels against mtcopy with as many threads, both of which leave the calling thread waiting. */
async function againstMtcopy(): Promise<void> {
  const rows = [];
  for (const folioSize of ['4K', '64K', '2M']) {
    for (const count of [1, 2]) {
      await using machine = await boot({ threads: count, dcbm: { nrDmaChan: count } });
      const area = machine.createAddressSpace().mmap({ length: LENGTH, folioSize, populate: true });
      const cells = [];
      for (const batchUnit of ['pages', 'folios']) {
        const settings = { flow: 'pre-copy', batchUnit };
        const contestants: Record<string, Contestant> = {};
        for (const migrator of ['mtcopy', 'dcbm'])
          contestants[migrator] = timed(machine, area, { ...settings, migrator });
        const times = await inTurns(contestants, ROUNDS);
        cells.push(showRatio(ratio(times.mtcopy ?? [], times.dcbm ?? [])));
      }
      rows.push([folioSize, String(count), ...cells]);
    }
  }
  printTable(
    ['folio', 'threads, channels', 'batches of 512 pages', 'of 512 folios'],
    rows,
    `Speed of dcbm, of which mtcopy has 1: 128 MiB, pre-copy, medians (quartiles) of ${ROUNDS} rounds in turns.`,
  );
}

/** Nanoseconds of the calling thread for a batch's set-up: mapping, submitting with interrupts, unmapping. */
async function setUp(): Promise<void> {
  const rows = [];
  for (const iommu of ['none', 'passthrough', 'translated'] as const) {
    await using machine = await boot({ dma: { iommu } });
    const area = machine.createAddressSpace().mmap({ length: 512 * 4096, populate: true });
    const steps: Record<string, number[][]> = { batch: [], 'per-folio': [] };
    for (let round = -8; round < 8 * ROUNDS; round++) {
      for (const setup of ['batch', 'per-folio'] as const) {
        machine.dcbm.setup = setup;
        const { stats } = await move(machine, area, { flow: 'pre-copy', migrator: 'dcbm' });
        const { map, submit, unmap } = stats.dmaNs;
        if (round >= 0) steps[setup]?.push([map, submit, unmap].map((ns) => ns / 512));
      }
    }
    const sum = (all: number[][] = []) => all.map((each) => each.reduce((a, b) => a + b, 0));
    for (const [setup, all] of Object.entries(steps)) {
      const column = (i: number) => showSpread(all.map((each) => each[i] ?? 0));
      rows.push([iommu, setup, column(0), column(1), column(2), showSpread(sum(all))]);
    }
    rows.push([iommu, 'ratio', '', '', '', showRatio(ratio(sum(steps['per-folio']), sum(steps.batch)))]);
  }
  printTable(
    ['IOMMU', 'set-up', 'map', 'submit', 'unmap', 'all'],
    rows,
    `Nanoseconds of the calling thread a folio, of batches of 512 folios of 4 KiB: medians (quartiles) of ${8 * ROUNDS} in turns.`,
  );
}

/** Devices that were published, as models: how fast they copy, and how much of that time the calling thread is idle. */
async function models(): Promise<void> {
  const rows = [];
  const devices = [
    { what: '5.2 µs a 4 KiB descriptor', folioSize: '4K', length: 16 * MiB, dma: { descriptorNs: 5200 }, goal: 0.768 },
    { what: '12.5 GB/s', folioSize: '2M', length: LENGTH, dma: { bandwidth: 12.5e9 }, goal: 12.5 },
    { what: '2 GB/s', folioSize: '2M', length: LENGTH, dma: { bandwidth: 2e9 }, goal: 2 },
  ];
  for (const { what, folioSize, length, dma, goal } of devices) {
    await using machine = await boot({ dma });
    const area = machine.createAddressSpace().mmap({ length, folioSize, populate: true });
    const speeds = [];
    const idle = [];
    for (let round = -2; round < ROUNDS; round++) {
      const { stats } = await move(machine, area, { flow: 'pre-copy', migrator: 'dcbm', batchUnit: 'folios' });
      if (round < 0) continue;
      speeds.push(length / stats.phasesNs.copy);
      idle.push(1 - stats.cpuNs.dma / stats.phasesNs.copy);
    }
    rows.push([
      what,
      showSpread(speeds, 3),
      showSpread(
        speeds.map((speed) => speed / goal),
        3,
      ),
      showSpread(idle, 3),
    ]);
  }
  printTable(
    ['device', 'GB/s', 'of the published', 'caller idle'],
    rows,
    `One channel, copy phase alone: medians (quartiles) of ${ROUNDS} rounds. Idle: the part of the copy in which the calling thread neither maps nor submits nor unmaps.`,
  );
}

/** The share that the calling thread copies, found by itself, against both alone. */
async function share(): Promise<void> {
  const rows = [];
  const devices = { '': {}, ', 2 GB/s': { bandwidth: 2e9 }, ', 200 MB/s': { bandwidth: 2e8 } };
  for (const folioSize of ['4K', '2M']) {
    for (const [name, dma] of Object.entries(devices)) {
      await using machine = await boot({ dma });
      const area = machine.createAddressSpace().mmap({ length: LENGTH / 4, folioSize, populate: true });
      const settings = { flow: 'pre-copy', batchUnit: 'folios' };
      const withShare =
        (cpuShare: number | 'auto'): Contestant =>
        async () => {
          machine.dcbm.cpuShare = cpuShare;
          return (await move(machine, area, { ...settings, migrator: 'dcbm' })).ns;
        };
      const times = await inTurns(
        {
          kernel: async () => (await move(machine, area, { ...settings, migrator: 'kernel' })).ns,
          engine: withShare(0),
          auto: withShare('auto'),
        },
        ROUNDS,
      );
      const { kernel = [], engine = [], auto = [] } = times;
      const better = kernel.map((ns, i) => Math.min(ns, engine[i] ?? ns));
      rows.push([
        `${folioSize}${name}`,
        showRatio(ratio(kernel, auto)),
        showRatio(ratio(engine, auto)),
        showRatio(ratio(better, auto)),
      ]);
    }
  }
  printTable(
    ['folio, device', 'of the CPU alone', 'of the engine alone', 'of the better one'],
    rows,
    `Speed of migrating with the share at 'auto', one channel, 32 MiB: medians (quartiles) of ${ROUNDS} rounds in turns.`,
  );
}

await runAsked('question', { registry, 'against-mtcopy': againstMtcopy, 'set-up': setUp, models, share });
