import { DMA_SETUPS, type DmaPhases, type DmaSetup, type IommuMode, Machine, MiB, PAGE_SIZE } from 'mtcopy';
import { median } from 'simple-statistics';
import { type Control, isCutShort } from '../shared/control.js';
import { runInTurns, type Variant } from '../shared/in-turns.js';
import { type MigrationRun, mapMovedMemory, moveAcross } from '../shared/moved-memory.js';
import { atLeast1Ns } from '../shared/nanoseconds.js';
import { type Ratio, ratioOf } from '../shared/ratio.js';
import { shareTime } from '../shared/share-time.js';
import type { Experiment, Scale } from './experiment.js';
import { type Figure, figuresOf } from './figure.js';
import { type Claim, digits, estimateText } from './finding.js';
import { type Amounts, bytesThatFit, LEAST_PART, lessText, timeTrials, withWarmUp } from './fit.js';

const IOMMUS = ['passthrough', 'translated'] as const satisfies readonly IommuMode[];
/** Bytes that are moved in a run, in batches of 512 folios of 4 KiB; what is asked for is a batch's cost, whose number matters little. */
const BYTES = { quick: 2 * MiB, thorough: 16 * MiB } as const;
/** Rounds that don't count: by then the code is compiled. */
const WARM_UPS = 30;

/** No figure was published: the change from a mapping and an interrupt for each folio is said to have saved an order of magnitude. */
const CLAIMED = { setUpAFolioByABatch: 10, source: 'claimed as an order of magnitude, without a table' } as const;

/** One way to set a batch up, with one IOMMU: medians of the runs, in nanoseconds a folio of 4 KiB. */
export interface DmaSetupRow {
  /** What stands between the device and the memory. */
  readonly iommu: IommuMode;
  /** How a batch is set up. */
  readonly setup: DmaSetup;
  /** Runs that counted. */
  readonly runs: number;
  /** CPU time of the calling thread for mapping. */
  readonly mapNs: number;
  /** CPU time of submitting, likewise. */
  readonly submitNs: number;
  /** CPU time of unmapping, likewise. */
  readonly unmapNs: number;
  /** The sum of the three. */
  readonly setUpNs: number;
  /** Wall time of the copy: the set-up, and the wait for the engine. */
  readonly copyNs: number;
  /** The set-up against the same with `'batch'`. */
  readonly setUpByBatch: Ratio;
  /** The copy against the same with `'batch'`. */
  readonly copyByBatch: Ratio;
}

/** What setting an engine up costs, for each folio or for a batch. */
export interface DmaSetups extends Amounts {
  /** Folios of 4 KiB that a run moves. */
  readonly folios: number;
  /** A row for each IOMMU and set-up; fewer if it was cut short. */
  readonly rows: readonly DmaSetupRow[];
}

/** {@link Experiment}: the cost of a mapping and an interrupt for each folio, against one table and one completion for a batch. */
export const dmaSetupExperiment: Experiment<DmaSetups, Claim> = {
  question: 'What does one mapped table and one completion a batch save, against one of each a folio?',
  published: {},
  claimed: CLAIMED,
  measure,
  findings,
  figures,
  parts,
};

async function measure(scale: Scale, control: Control): Promise<DmaSetups> {
  const usualBytes = Math.min(scale.bytes, scale.quick ? BYTES.quick : BYTES.thorough);
  const started = performance.now();
  const bytes = scale.quick ? usualBytes : await bytesWithin(usualBytes, scale, control);
  const nextSeconds = shareTime(scale.seconds - (performance.now() - started) / 1000, IOMMUS.length);
  const rows: DmaSetupRow[] = [];
  for (const iommu of IOMMUS) {
    if (isCutShort(control)) break;
    rows.push(...(await measureIommu(iommu, bytes, { ...scale, seconds: nextSeconds() }, control)));
  }
  return { bytes, usualBytes, folios: bytes / PAGE_SIZE, rows };
}

async function bytesWithin(bytes: number, { seconds, warmUps = WARM_UPS }: Scale, control: Control): Promise<number> {
  if (isCutShort(control)) return bytes;
  const leastSeconds = await withWays('translated', bytes / LEAST_PART, (ways) =>
    timeTrials(withWarmUp(ways), control),
  );
  return bytesThatFit({ bytes, seconds: seconds / IOMMUS.length, leastSeconds, warmUpsOf: () => warmUps });
}

async function measureIommu(
  iommu: IommuMode,
  bytes: number,
  { seconds, bound, warmUps = WARM_UPS }: Scale,
  control: Control,
): Promise<DmaSetupRow[]> {
  const turns = { warmUps, seconds, bound, measure: 'ns of set-up' };
  const samples = await withWays(iommu, bytes, (ways) => runInTurns(ways, setUpNs, turns, control));
  if (samples[0].length === 0) return [];
  return DMA_SETUPS.map((setup, i) => summarize(iommu, setup, bytes / PAGE_SIZE, samples[i], samples[0]));
}

async function withWays<T>(
  iommu: IommuMode,
  bytes: number,
  measure: (ways: readonly Variant<MigrationRun>[]) => Promise<T>,
): Promise<T> {
  const machine = await Machine.boot({ nodes: [bytes, bytes], cpus: 0, dma: { iommu } });
  try {
    const memory = mapMovedMemory(machine, bytes, PAGE_SIZE);
    const ways = DMA_SETUPS.map((dmaSetup) => ({
      name: `${iommu}, ${dmaSetup}`,
      run: () => moveAcross(memory, { flow: 'pre-copy', migrator: 'dcbm', dmaSetup }),
    }));
    return await measure(ways);
  } finally {
    await machine.close();
  }
}

function setUpNs({ dmaNs: { map, submit, unmap } }: MigrationRun): number {
  return atLeast1Ns(map + submit + unmap);
}

function summarize(
  iommu: IommuMode,
  setup: DmaSetup,
  folios: number,
  runs: readonly MigrationRun[],
  batch: readonly MigrationRun[],
): DmaSetupRow {
  const step = (name: keyof DmaPhases) => median(runs.map(({ dmaNs }) => dmaNs[name] / folios));
  const copyNs = ({ phasesNs }: MigrationRun) => atLeast1Ns(phasesNs.copy);
  return {
    iommu,
    setup,
    runs: runs.length,
    mapNs: step('map'),
    submitNs: step('submit'),
    unmapNs: step('unmap'),
    setUpNs: median(runs.map((run) => setUpNs(run) / folios)),
    copyNs: median(runs.map((run) => copyNs(run) / folios)),
    setUpByBatch: ratioOf(runs.map(setUpNs), batch.map(setUpNs)),
    copyByBatch: ratioOf(runs.map(copyNs), batch.map(copyNs)),
  };
}

function findings({ rows }: DmaSetups): Claim[] {
  return rows
    .filter(({ setup }) => setup === 'per-folio')
    .map(({ iommu, setUpByBatch }) => ({
      what: `${iommu}, set-up a folio by set-up a batch`,
      kind: 'ratio',
      claimed: CLAIMED.setUpAFolioByABatch,
      measured: setUpByBatch,
    }));
}

function figures({ folios, rows }: DmaSetups): Figure[] {
  return rows.flatMap(({ iommu, setup, ...row }) =>
    figuresOf(`${folios} of 4K, ${iommu}`, setup, {
      'map a folio': { unit: 'ns', is: row.mapNs },
      'submit a folio': { unit: 'ns', is: row.submitNs },
      'unmap a folio': { unit: 'ns', is: row.unmapNs },
      'set-up a folio': { unit: 'ns', is: row.setUpNs },
      'copy a folio': { unit: 'ns', is: row.copyNs },
      ...(setup !== 'batch' && {
        'set-up by batch': { unit: 'ratio', is: row.setUpByBatch, claimed: CLAIMED.setUpAFolioByABatch },
        'copy by batch': { unit: 'ratio', is: row.copyByBatch },
      }),
      runs: { unit: 'count', is: row.runs },
    }),
  );
}

function parts({ folios, rows, ...amounts }: DmaSetups) {
  if (rows.length === 0) return [];
  const whole = (ns: number) => ns.toFixed(0);
  const sheet = {
    texts: ['IOMMU', 'set-up'],
    numbers: ['map, submit,\nunmap ns', 'sum', 'by batch', 'copy\nns', 'by batch'],
    rows: rows.map((row) => [
      row.iommu,
      row.setup,
      [row.mapNs, row.submitNs, row.unmapNs].map(whole).join(', '),
      whole(row.setUpNs),
      row.setup === 'batch' ? '' : estimateText(row.setUpByBatch),
      whole(row.copyNs),
      row.setup === 'batch' ? '' : digits(row.copyByBatch.median),
    ]),
  };
  return [
    sheet,
    [
      `Medians a folio of 4 KiB, of ${folios} in batches of 512; device ptdma, one channel.`,
      ...lessText(amounts),
      'Set-up: CPU time of the calling thread. Copy: wall time, with the wait for the engine.',
      'Claimed for the set-up: an order of magnitude, without a table.',
    ].join('\n'),
  ];
}
