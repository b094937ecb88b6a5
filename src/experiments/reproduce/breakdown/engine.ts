import {
  CopyEngine,
  createSgTable,
  type DmaChannel,
  DmaEngine,
  ErrnoError,
  type IommuMode,
  Machine,
  MiB,
  PAGE_SIZE,
  PhysicalMemory,
  type SgTable,
  type Stores,
} from 'mtcopy';
import { median } from 'simple-statistics';
import { closeAll } from '../../shared/close-all.js';
import { collectGarbage } from '../../shared/collect-garbage.js';
import { type Control, isCutShort } from '../../shared/control.js';
import { scrub } from '../../shared/fill.js';
import { allocFolioBatch, type FolioBatch } from '../../shared/folios.js';
import { runInTurns, type Variant } from '../../shared/in-turns.js';
import { type MovedMemory, mapMovedMemory, moveAcross } from '../../shared/moved-memory.js';
import { type Ratio, ratioOf } from '../../shared/ratio.js';
import { findDifference } from '../../shared/verify.js';
import type { Scale } from '../experiment.js';
import { type Amounts, bytesThatFit, LEAST_PART, timeTrials, withWarmUp } from '../fit.js';

/**
 * What of a copy counts: one core's copy of folio after folio; an engine's, with submission and polling alone; and with the
 * mapping of each group of folios too, where addresses are physical or translated; whole migrations by the calling thread, and
 * by the engine with translated addresses.
 *
 * @useDeclaredType
 */
export type Accounting = 'one-core' | EngineLevel | 'whole-kernel' | 'whole-dcbm';
type EngineLevel = 'submit-and-poll' | 'passthrough' | 'translated';

const IOMMU_OF: Readonly<Record<EngineLevel, IommuMode>> = {
  'submit-and-poll': 'none',
  passthrough: 'passthrough',
  translated: 'translated',
};
/** Descriptors in flight. */
const DEPTHS = { quick: [1, 16, 128], thorough: [1, 2, 4, 8, 16, 32, 64, 128] } as const;
const BYTES = { quick: 4 * MiB, thorough: 32 * MiB } as const;
const WARM_UPS = 1;
/** After so long without a completion a channel is taken for dead, in milliseconds. */
const TIMEOUT_MS = 10_000;

/** 4 KiB pages copied in one way. */
export interface EngineRow {
  /** What counts. */
  readonly accounting: Accounting;
  /** Descriptors in flight; 0 where there are none. */
  readonly queueDepth: number;
  /** Runs that counted. */
  readonly runs: number;
  /** 10^9 bytes a second, the median of the runs. */
  readonly gigabytesPerSecond: number;
  /** Throughput by that of one core. */
  readonly byOneCore: Ratio;
  /** By the engine's with submission and polling alone, at the same depth; `undefined` where there is none. */
  readonly bySubmitAndPoll: Ratio | undefined;
}

/** How long a run took, in nanoseconds; all copy as much. */
interface Timed {
  readonly ns: number;
}

interface Way extends Variant<Timed> {
  readonly accounting: Accounting;
  readonly queueDepth: number;
}

/** What was measured, and of how many bytes. */
export interface EngineThroughput extends Amounts {
  readonly rows: EngineRow[];
}

export async function measureThroughput(scale: Scale, control: Control): Promise<EngineThroughput> {
  const { quick, seconds, bound, warmUps = WARM_UPS } = scale;
  const started = performance.now();
  const usualBytes = Math.min(scale.bytes, quick ? BYTES.quick : BYTES.thorough);
  const bytes = quick ? usualBytes : await bytesWithin(usualBytes, scale, control);
  const rows = await withWays(bytes, scale, async (ways) => {
    const left = seconds - (performance.now() - started) / 1000;
    const samples = await runInTurns(ways, ({ ns }) => ns, { warmUps, seconds: left, bound }, control);
    if (samples[0].length === 0) return [];
    return ways.map((way, i) => summarize(way, bytes, i, ways, samples));
  });
  return { bytes, usualBytes, rows };
}

async function bytesWithin(bytes: number, scale: Scale, control: Control): Promise<number> {
  if (isCutShort(control)) return bytes;
  const { seconds, warmUps = WARM_UPS } = scale;
  const leastSeconds = await withWays(bytes / LEAST_PART, scale, (ways) => timeTrials(withWarmUp(ways), control));
  return bytesThatFit({ bytes, seconds, leastSeconds, warmUpsOf: () => warmUps });
}

async function withWays<T>(
  bytes: number,
  { quick, stores = 'cached' }: Scale,
  measure: (ways: readonly Way[]) => Promise<T>,
): Promise<T> {
  const memory = PhysicalMemory.create({ nodes: [bytes, bytes] });
  const batch = allocFolioBatch(memory, bytes, PAGE_SIZE, 'sequential');
  fillWithNumbers(memory, batch);
  const closers: { close(): Promise<unknown> }[] = [];
  try {
    return await measure(await createWays(memory, batch, quick ? DEPTHS.quick : DEPTHS.thorough, stores, closers));
  } finally {
    await closeAll(closers);
    collectGarbage();
  }
}

async function createWays(
  memory: PhysicalMemory,
  batch: FolioBatch,
  depths: readonly number[],
  stores: Stores,
  closers: { close(): Promise<unknown> }[],
): Promise<Way[]> {
  // What was published copies with memcpy, unless other stores are asked for.
  const cpu = await CopyEngine.create({ memory, threads: 1, minParallelBytes: 2 * batch.total, stores });
  closers.push(cpu);
  const dma = { device: 'dsa', iommu: 'translated' } as const;
  const machine = await Machine.boot({ nodes: [batch.total, batch.total], cpus: 0, stores, dma });
  closers.push(machine);
  const moved = mapMovedMemory(machine, batch.total, PAGE_SIZE);
  const ways: Way[] = [
    wayOf('one-core', 0, () => timeCopy(memory, batch, async () => void cpu.copyBatchSync(batch))),
    wayOf('whole-kernel', 0, () => moveAcross(moved, { flow: 'pre-copy', migrator: 'kernel' })),
  ];
  for (const level of Object.keys(IOMMU_OF) as EngineLevel[]) {
    const engine = await DmaEngine.create({ memory, device: 'dsa', iommu: IOMMU_OF[level] });
    closers.push(engine);
    const channel = engine.request();
    await channel.ready();
    for (const depth of depths) {
      const run = () => {
        const groups = groupsOf(engine, batch, depth);
        return timeCopy(memory, batch, () => copyByEngine(engine, channel, batch, groups));
      };
      ways.push(wayOf(level, depth, run));
    }
  }
  for (const depth of depths) ways.push(wayOf('whole-dcbm', depth, () => moveByEngine(moved, depth)));
  return ways;
}

function wayOf(accounting: Accounting, queueDepth: number, run: () => Promise<Timed>): Way {
  const name = queueDepth === 0 ? accounting : `${accounting}, queue depth ${queueDepth}`;
  return { name, accounting, queueDepth, run };
}

function moveByEngine(moved: MovedMemory, depth: number): Promise<Timed> {
  moved.machine.dcbm.queueDepth = depth;
  return moveAcross(moved, { flow: 'pre-copy', migrator: 'dcbm' });
}

/** @throws ErrnoError EIO unless every page is copied */
async function timeCopy(memory: PhysicalMemory, batch: FolioBatch, copy: () => Promise<void>): Promise<Timed> {
  scrub(memory, batch.targets, PAGE_SIZE);
  const started = performance.now();
  await copy();
  const ns = (performance.now() - started) * 1e6;
  const wrong = findDifference(memory, batch);
  if (wrong >= 0) throw new ErrnoError('EIO', `page ${wrong} of ${batch.from.length} was copied wrong, or not at all`);
  return { ns };
}

/** Pages that are in flight together, and the tables that are mapped for them, if there is an IOMMU. */
interface Group {
  readonly first: number;
  readonly end: number;
  readonly tables?: { readonly source: SgTable; readonly target: SgTable };
}

/** As many pages each as are to be in flight. Tables are made here: what is timed is their mapping alone. */
function groupsOf({ iommu }: DmaEngine, { from, to, bytes }: FolioBatch, depth: number): Group[] {
  return Array.from({ length: Math.ceil(from.length / depth) }, (_, i) => {
    const [first, end] = [i * depth, Math.min((i + 1) * depth, from.length)];
    if (iommu === 'none') return { first, end };
    const table = (addresses: Uint32Array) => createSgTable(addresses.subarray(first, end), bytes.subarray(first, end));
    return { first, end, tables: { source: table(from), target: table(to) } };
  });
}

/** Copies group after group: mapped, if it has tables; submitted; polled. */
async function copyByEngine(
  engine: DmaEngine,
  channel: DmaChannel,
  { from, to }: FolioBatch,
  groups: readonly Group[],
): Promise<void> {
  for (const { first, end, tables } of groups) {
    if (!tables) {
      submitAndPoll(channel, to, from, first, end);
      continue;
    }
    const { source, target } = tables;
    engine.mapSg(source, 'to-device');
    engine.mapSg(target, 'from-device');
    submitAndPoll(channel, target.dma, source.dma, 0, end - first);
    // Without a promise where no channel is looking at the mapping.
    const unmapped = [engine.unmapSg(source), engine.unmapSg(target)];
    if (unmapped.some((slow) => slow !== undefined)) await Promise.all(unmapped);
  }
}

function submitAndPoll(channel: DmaChannel, to: Uint32Array, from: Uint32Array, first: number, end: number): void {
  for (let i = first; i < end; i++) channel.submit(channel.prepMemcpy(to[i], from[i], PAGE_SIZE));
  channel.issuePending();
  const giveUp = performance.now() + TIMEOUT_MS;
  while (channel.inFlight > 0) {
    if (channel.poll() === 0 && performance.now() > giveUp)
      throw new ErrnoError('ETIMEDOUT', 'the DMA channel does not answer');
  }
}

function fillWithNumbers(memory: PhysicalMemory, { sources }: FolioBatch): void {
  for (const pfn of sources) {
    const words = new Uint32Array(memory.buffer, pfn * PAGE_SIZE, PAGE_SIZE / 4);
    for (let i = 0; i < words.length; i++) words[i] = Math.imul(pfn + i, 0x9e3779b1);
  }
}

function summarize(
  { accounting, queueDepth }: Way,
  bytes: number,
  at: number,
  ways: readonly Way[],
  samples: readonly (readonly Timed[])[],
): EngineRow {
  const times = (i: number) => samples[i].map(({ ns }) => ns);
  // Of throughputs, so that the times are the other way round.
  const by = (other: number) => ratioOf(times(other), times(at));
  const submit = ways.findIndex((way) => way.accounting === 'submit-and-poll' && way.queueDepth === queueDepth);
  return {
    accounting,
    queueDepth,
    runs: samples[at].length,
    gigabytesPerSecond: bytes / median(times(at)),
    byOneCore: by(0),
    bySubmitAndPoll: submit >= 0 ? by(submit) : undefined,
  };
}
