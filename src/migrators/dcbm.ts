import { type Checks, checkOptions, numberFrom, oneOf, wholeNumber } from '../check.js';
import { type CopyOne, createCopyOne } from '../copy/copy-one.js';
import { within } from '../copy/cpu-account.js';
import { DMA_WAITS, type DmaChannel, type DmaWait } from '../dma/channel.js';
import type { DeviceModel, DmaCapability } from '../dma/device.js';
import { DmaEngine } from '../dma/engine.js';
import { createSgTable, type SgTable } from '../dma/sg-table.js';
import { ERRNO, ErrnoError } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import type { Migrator, OffloadBatch, OffloadUsage } from '../migrate/migrator.js';
import { MAX_DMA_CHANNELS } from '../words.js';
import { createDmaCost, type DmaCost, Lane, orFailed } from './dcbm-lane.js';
import { type AutoShare, copyShare, createAutoShare, engineItems } from './dcbm-share.js';
import { takeBatch } from './take-batch.js';

/** How a batch is set up: names of {@link DmaSetup}. */
export const DMA_SETUPS = ['batch', 'per-folio'] as const;
/**
 * How a batch is set up: with one mapped table and one completion for all of it, as the third published version and later
 * ones do; or with a mapping and an interrupt for each folio, as the first two did.
 */
export type DmaSetup = (typeof DMA_SETUPS)[number];

/** What of dcbm can be set, at any time: what is set counts for batches that begin after it. */
export interface DcbmSettings {
  /** Channels that share a batch, 1 to 16; fewer if the device has no more that are free. Default: 1. */
  nrDmaChan: number;
  /** How a batch is set up. Default: `'batch'`. */
  setup: DmaSetup;
  /**
   * How completions are waited for: asleep, or by looking again and again, in turns of the event loop. Default: as the
   * device's driver does, asleep but for a `dsa`.
   */
  wait: DmaWait;
  /**
   * The share of a batch's bytes that the calling thread copies while the engine works, 0 to 1; `'auto'` finds the one by which
   * both end together. Default: 0.
   */
  cpuShare: number | 'auto';
  /** Whole milliseconds that a channel may take from one completion to the next; then it is given up. Default: 10,000. */
  timeoutMs: number;
  /** Folios of the smallest batch that is offloaded, 1 or more. Default: 1. */
  minFolios: number;
  /** Bytes of the smallest batch that is offloaded. Default: 0. */
  minBytes: number;
  /** Descriptors that a channel has in flight at most, 1 to what its queue has room for. Default: that. */
  queueDepth: number;
}

/** {@link DcbmSettings}, each of which may be left as it is. */
export type DcbmOptions = { [Name in keyof DcbmSettings]?: DcbmSettings[Name] | undefined };

/** The migrator that copies with DMA channels. Setting what is out of range throws an ErrnoError, EINVAL, and changes nothing. */
export interface DcbmMigrator extends Migrator, DcbmSettings {
  /** Folios of the smallest batch that is offloaded, 1 or more. Default: 1. */
  minFolios: number;
  /** Bytes of the smallest batch that is offloaded. Default: 0. */
  minBytes: number;
  /** Folios that channels have copied, since it was set to 0. */
  foliosMigrated: number;
  /** Folios that channels were to copy and did not, likewise. */
  foliosFailures: number;
  /**
   * Copies a batch, as {@link Migrator.copyFolios}: one that a migration has, handed on by a migrator of your own.
   *
   * @throws ErrnoError EINVAL for what is no batch, or has addresses that are not of a node of `memory`; nothing is copied then.
   * Whatever the device's engine fails with when it is opened
   */
  copyFolios(batch: OffloadBatch): Promise<number>;
}

export { MAX_DMA_CHANNELS };
/** As a timer's. */
export const MAX_TIMEOUT_MS = 2 ** 31 - 1;

const NUMBER_OR_AUTO = numberFrom(0, 1);
const SETTINGS = (queueDepth: number): Checks<DcbmSettings> => ({
  nrDmaChan: wholeNumber(1, MAX_DMA_CHANNELS),
  setup: oneOf(DMA_SETUPS),
  wait: oneOf(DMA_WAITS),
  cpuShare: (name, value) => {
    if (value !== 'auto') NUMBER_OR_AUTO(name, value);
  },
  timeoutMs: wholeNumber(1, MAX_TIMEOUT_MS),
  minFolios: wholeNumber(1, Number.POSITIVE_INFINITY),
  minBytes: wholeNumber(0, Number.POSITIVE_INFINITY),
  queueDepth: wholeNumber(1, queueDepth),
});

const COUNTERS = {
  foliosMigrated: wholeNumber(0, Number.POSITIVE_INFINITY),
  foliosFailures: wholeNumber(0, Number.POSITIVE_INFINITY),
};

/** A device, and the engine that is opened for it when it is first wanted. */
export interface DcbmDevice {
  readonly device: DeviceModel;
  engine(): DmaEngine | Promise<DmaEngine>;
}

/** What copies, beside what is set. */
interface Dcbm {
  readonly device: DcbmDevice;
  readonly copyOne: CopyOne;
  readonly auto: AutoShare;
  readonly migrator: DcbmMigrator;
}

/**
 * The migrator that copies with the channels of a DMA engine (dcbm): they share a batch's folios, and the calling thread
 * waits, or copies a share of its own. It takes channels for each batch, and declines one for which there is none.
 *
 * A folio whose descriptor fails, or whose channel does, is left to the calling thread; one that is private to the device,
 * which has a key then, stays where it is. What a channel that doesn't answer was told to write it doesn't write later: its
 * thread is ended before the batch is.
 *
 * @param device the caller's, whose engine is to be closed after the last batch
 * @param memory what the engine copies in
 * @param options what it is set to at first
 * @throws ErrnoError EINVAL for a wrong one
 */
export function createDcbmMigrator(
  device: DcbmDevice,
  memory: PhysicalMemory,
  options: DcbmOptions = {},
): DcbmMigrator {
  const { queueDepth, completion } = device.device;
  const checks = SETTINGS(queueDepth);
  const settings: DcbmSettings = {
    nrDmaChan: 1,
    setup: 'batch',
    wait: completion === 'poll' ? 'poll' : 'sleep',
    cpuShare: 0,
    timeoutMs: 10_000,
    minFolios: 1,
    minBytes: 0,
    queueDepth,
    ...(checkOptions<DcbmOptions>(options, checks, [], 'dcbm') as Partial<DcbmSettings>),
  };
  const base = {
    name: 'dcbm',
    memory,
    copiesPrivate: device.device.capabilities.includes('private'),
    copyFolios: async (batch: OffloadBatch) => copyFolios(dcbm, takeBatch(memory, batch)),
  };
  const counters = withChecked(base, { foliosMigrated: 0, foliosFailures: 0 }, COUNTERS);
  const migrator = withChecked(counters, settings, checks);
  const dcbm: Dcbm = { device, copyOne: createCopyOne(memory), auto: createAutoShare(), migrator };
  // What is checked can still be set; a misspelt setting throws.
  return Object.freeze(migrator);
}

/** Gives an object properties that are checked whenever they are set. */
function withChecked<Base extends object, Settings extends object>(
  base: Base,
  settings: Settings,
  checks: Checks<Settings>,
): Base & Settings {
  for (const name of Object.keys(settings) as (keyof Settings & string)[]) {
    Object.defineProperty(base, name, {
      enumerable: true,
      get: () => settings[name],
      set(value: Settings[typeof name]) {
        checks[name](name, value);
        settings[name] = value;
      },
    });
  }
  return base as Base & Settings;
}

/** Copies a batch of which the engine gets nothing. */
async function copyAll({ auto, copyOne, migrator }: Dcbm, batch: OffloadBatch): Promise<number> {
  const began = performance.now();
  const cpuNs = await copyShare(copyOne, batch, 0);
  const { bytes } = batch.items;
  const wallNs = (performance.now() - began) * 1e6;
  if (migrator.cpuShare === 'auto')
    auto.note({ cpuBytes: sum(bytes, 0, bytes.length), cpuNs, engineBytes: 0, engineNs: 0, wallNs });
  return 0;
}

async function copyFolios(dcbm: Dcbm, batch: OffloadBatch): Promise<number> {
  const { device, auto, migrator } = dcbm;
  const opened = device.engine();
  const engine = opened instanceof DmaEngine ? opened : await opened;
  // What is private to the device the calling thread can't copy.
  const cpuShare = batch.isPrivate ? 0 : migrator.cpuShare;
  const count = engineItems(batch.items.bytes, cpuShare === 'auto' ? auto.share : cpuShare);
  if (count === 0) return copyAll(dcbm, batch);
  const capability = batch.isPrivate ? 'private' : 'memcpy';
  const channels = requestChannels(engine, Math.min(migrator.nrDmaChan, count), capability);
  if (channels.length === 0) {
    migrator.foliosFailures += count;
    return ERRNO.EOPNOTSUPP;
  }
  try {
    await copyByBoth(dcbm, engine, batch, channels, count);
  } finally {
    // The one to be given first last: those whose threads are there are used again.
    for (const channel of channels.reverse()) engine.release(channel);
  }
  let copied = 0;
  for (let i = 0; i < count; i++) if (batch.copied[i] !== 0) copied++;
  migrator.foliosMigrated += copied;
  migrator.foliosFailures += count - copied;
  return 0;
}

/** As many channels as there are, up to `count`; none if they can't do it. */
function requestChannels(engine: DmaEngine, count: number, capability: DmaCapability): DmaChannel[] {
  const channels: DmaChannel[] = [];
  while (channels.length < count && orFailed(() => channels.push(engine.request(capability))));
  return channels;
}

/** Has channels copy the first `count` items, and copies the others meanwhile. */
async function copyByBoth(
  dcbm: Dcbm,
  engine: DmaEngine,
  batch: OffloadBatch,
  channels: DmaChannel[],
  count: number,
): Promise<void> {
  const { usage, items } = batch;
  const cost = createDmaCost();
  const before = total(channels, 'cpuNs');
  const polled = total(channels, 'polledNs');
  const began = performance.now();
  const tables = dcbm.migrator.setup === 'batch' ? mapBatch(engine, batch, count, cost) : undefined;
  const isMapped = tables !== 'failed';
  const lanes = isMapped ? createLanes(dcbm, engine, batch, channels, count, tables, cost) : [];
  const submitted = performance.now();
  const working = runMapped(engine, lanes, isMapped ? tables : undefined, cost);
  // Heard of below; the calling thread may still be copying when it fails.
  working.catch(() => {});
  let cpuNs = 0;
  try {
    cpuNs = await copyShare(dcbm.copyOne, batch, count);
  } finally {
    const engineNs = ((await working) - submitted) * 1e6;
    usage.threads += total(channels, 'cpuNs') - before;
    usage.caller += total(channels, 'polledNs') - polled;
    const elapsed = (performance.now() - began) * 1e6;
    usage.wait += Math.max(0, elapsed - addCost(usage, cost) - cpuNs);
    const cpuBytes = sum(items.bytes, count, items.bytes.length);
    // A batch that isn't shared says nothing of how to share others.
    if (dcbm.migrator.cpuShare === 'auto' && !batch.isPrivate) {
      dcbm.auto.note({ cpuBytes, cpuNs, engineBytes: sum(items.bytes, 0, count), engineNs, wallNs: elapsed });
    }
  }
}

/** Adds what the steps took, whose sum it returns. */
function addCost(usage: OffloadUsage, { map, submit, unmap }: DmaCost): number {
  usage.map += map.ns;
  usage.submit += submit.ns;
  usage.unmap += unmap.ns;
  return map.ns + submit.ns + unmap.ns;
}

function total(channels: readonly DmaChannel[], time: 'cpuNs' | 'polledNs'): number {
  let ns = 0;
  for (const channel of channels) ns += channel[time];
  return ns;
}

function sum(bytes: Uint32Array, first: number, end: number): number {
  let total = 0;
  for (let i = first; i < end; i++) total += bytes[i];
  return total;
}

interface BatchTables {
  readonly to: SgTable;
  readonly from: SgTable;
}

/** Maps the first `count` items, all or none. */
function mapBatch(engine: DmaEngine, { items }: OffloadBatch, count: number, cost: DmaCost): BatchTables | 'failed' {
  return within(cost.map, () => {
    const bytes = items.bytes.subarray(0, count);
    const from = createSgTable(items.from.subarray(0, count), bytes);
    const to = createSgTable(items.to.subarray(0, count), bytes);
    return orFailed(() => mapBoth(engine, to, from)) ? { to, from } : 'failed';
  });
}

function mapBoth(engine: DmaEngine, to: SgTable, from: SgTable): void {
  engine.mapSg(from, 'to-device');
  try {
    engine.mapSg(to, 'from-device');
  } catch (error) {
    // Nothing was submitted: there is nobody to wait for.
    engine.unmapSg(from);
    throw error;
  }
}

async function unmapBatch(engine: DmaEngine, { to, from }: BatchTables, cost: DmaCost): Promise<void> {
  await Promise.all(within(cost.unmap, () => [engine.unmapSg(from), engine.unmapSg(to)]));
}

/** A lane for each channel, with a run of folios of about as many bytes each. */
function createLanes(
  { migrator }: Dcbm,
  engine: DmaEngine,
  batch: OffloadBatch,
  channels: readonly DmaChannel[],
  count: number,
  tables: BatchTables | undefined,
  cost: DmaCost,
): Lane[] {
  const { wait, timeoutMs, queueDepth } = migrator;
  const rules = {
    engine,
    tables: tables && { to: tables.to.dma, from: tables.from.dma },
    wait,
    timeoutMs,
    queueDepth,
    cost,
  };
  const { bytes } = batch.items;
  const all = sum(bytes, 0, count);
  const lanes: Lane[] = [];
  let first = 0;
  let given = 0;
  for (const [i, channel] of channels.entries()) {
    const until = (all * (i + 1)) / channels.length;
    let end = first;
    // A folio goes where the middle of it lies.
    while (end < count && given + bytes[end] / 2 <= until) given += bytes[end++];
    if (end > first) lanes.push(new Lane(rules, channel, batch, first, end));
    first = end;
  }
  return lanes;
}

/** As {@link runLanes}; whatever the lanes come to, what was mapped for all of them isn't mapped any more. */
async function runMapped(
  engine: DmaEngine,
  lanes: readonly Lane[],
  tables: BatchTables | undefined,
  cost: DmaCost,
): Promise<number> {
  try {
    return await runLanes(lanes);
  } finally {
    if (tables) await unmapBatch(engine, tables, cost);
  }
}

/** Submits to all, then waits for all. Resolves to when the last was through, of performance.now(). */
async function runLanes(lanes: readonly Lane[]): Promise<number> {
  const isClosed = (error: unknown) => error instanceof ErrnoError && error.code === 'ESHUTDOWN';
  const outcomes = await Promise.allSettled(lanes.map((lane) => lane.run()));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected' && !isClosed(outcome.reason));
  if (failed?.status === 'rejected') throw failed.reason;
  return performance.now();
}
