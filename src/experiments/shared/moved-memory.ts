import {
  type AddressSpace,
  type CpuTime,
  type DmaPhases,
  type DmaSetup,
  ErrnoError,
  errnoName,
  type Machine,
  MIGRATOR_NAMES,
  type MigrateReason,
  type MigrationSettings,
  type MovedBy,
  type MovePagesResult,
  NR_MAX_BATCHED_MIGRATION,
  type Order,
  orderOf,
  PAGE_SIZE,
  type Phases,
  takeAll,
  type Vmstat,
} from 'mtcopy';
import { patternSteps, scrub } from './fill.js';
import { growth } from './statistics.js';
import { hashFolios, hashSteps } from './verify.js';

/** Memory in folios of one size, all of it on one of two nodes. */
export interface PlacedMemory {
  readonly machine: Machine;
  readonly mm: AddressSpace;
  readonly order: Order;
  readonly folioBytes: number;
  /** Virtual address of each folio. */
  readonly addresses: Float64Array;
  /** The node that it is on. */
  node: 0 | 1;
  /** The frame of each folio, as they were when it was looked at last. */
  pfns: Uint32Array;
}

/** Memory that moves back and forth between two nodes. */
export interface MovedMemory extends PlacedMemory {
  /** Of all bytes, as they were filled: what `hashFolios` gives. */
  readonly hash: string;
}

/** How a run migrates; what isn't said the machine has. */
export interface Manner extends MigrationSettings {
  /** Worker threads of `'mtcopy'`. */
  readonly threads?: number | undefined;
  /** Channels of `'dcbm'`, and how it sets a batch up. */
  readonly channels?: number | undefined;
  readonly dmaSetup?: DmaSetup | undefined;
  /** What it migrates for. Default: for move_pages(2). */
  readonly reason?: MigrateReason | undefined;
}

/** What one run measured. */
export interface MigrationRun {
  readonly ns: number;
  readonly phasesNs: Phases;
  readonly cpuNs: CpuTime;
  readonly dmaNs: DmaPhases;
  readonly movedBy: readonly MovedBy[];
  readonly declined: number;
  readonly vmstat: Vmstat;
}

/**
 * Maps and fills memory on node 0 of a machine.
 *
 * @param bytes of anonymous memory: whole folios
 * @param input a file whose page cache is mapped and moved too
 * @param seed of the pattern that anonymous memory is filled with, a whole number. Default: 1
 * @throws ErrnoError ENOMEM if the node has no room
 */
export function mapMovedMemory(
  machine: Machine,
  bytes: number,
  folioBytes: number,
  input?: string,
  seed?: number,
): MovedMemory {
  return takeAll(mapSteps(machine, bytes, folioBytes, input, seed));
}

/** {@link mapMovedMemory} in steps. */
export function* mapSteps(
  machine: Machine,
  bytes: number,
  folioBytes: number,
  input?: string,
  seed?: number,
): Generator<void, MovedMemory> {
  const mm = machine.createAddressSpace();
  const common = { folioSize: folioBytes, populate: true } as const;
  const anonymous = mm.mmap({ ...common, length: bytes });
  const order = orderOf(folioBytes);
  yield* patternSteps(machine.memory, locate(mm, anonymous.folios(), order, 0), folioBytes, seed);
  const file = input === undefined ? undefined : mm.mmap({ ...common, file: input, shared: true });
  const addresses = Float64Array.from([...anonymous.folios(), ...(file?.folios() ?? [])]);
  const pfns = locate(mm, addresses, order, 0);
  const hash = yield* hashSteps(machine.memory, pfns, folioBytes);
  return { machine, mm, order, folioBytes, addresses, hash, node: 0, pfns };
}

/**
 * Migrates everything to the other node, and verifies it.
 *
 * @throws ErrnoError EIO if it is not all there, or not what it was
 */
export async function moveAcross(memory: MovedMemory, manner: Manner): Promise<MigrationRun> {
  const { machine } = memory;
  const move = moverOf(memory, manner);
  await wake(memory, manner, move);
  const before = machine.vmstat;
  const { ns, stats } = await moveAll(memory, move);
  const vmstat = machine.vmstat;
  checkBytes(memory);
  const { phasesNs, cpuNs, dmaNs, movedBy, declined } = stats;
  return { ns, phasesNs, cpuNs, dmaNs, movedBy, declined, vmstat: growth(vmstat, before) };
}

/**
 * Migrates everything to the other node and back, and verifies it: in the end all lies where it lay.
 *
 * @returns nanoseconds that each way took, in the mean
 * @throws ErrnoError EIO if it is not all there, or not what it was
 */
export async function moveThereAndBack(memory: MovedMemory, manner: Manner): Promise<number> {
  const move = moverOf(memory, manner);
  await wake(memory, manner, move);
  const there = await moveAll(memory, move);
  const back = await moveAll(memory, move);
  checkBytes(memory);
  return (there.ns + back.ns) / 2;
}

type Move = (list: Float64Array, node: number) => Promise<MovePagesResult>;

/** Sets the machine as a manner has it. */
function moverOf({ machine, mm }: MovedMemory, manner: Manner): Move {
  const { threads, channels, dmaSetup, reason, ...settings } = manner;
  if (threads !== undefined) machine.threads = threads;
  if (channels !== undefined) machine.dcbm.nrDmaChan = channels;
  if (dmaSetup !== undefined) machine.dcbm.setup = dmaSetup;
  return (list, node) =>
    reason === undefined
      ? machine.movePages(mm, list, { node, ...settings })
      : machine.migrateFolios(mm, list, { node, reason, ...settings });
}

/**
 * A batch goes there and back, so that whoever ran before leaves the caches; then all threads or channels are there. It leaves
 * nothing behind that could pass for a copy.
 *
 * @throws ErrnoError EIO unless all of it went there
 */
async function wake(
  { machine, mm, addresses, order, folioBytes, node }: MovedMemory,
  { migrator }: Manner,
  move: Move,
): Promise<void> {
  const batch = addresses.subarray(0, Math.max(1, NR_MAX_BATCHED_MIGRATION / (folioBytes / PAGE_SIZE)));
  await move(batch, 1 - node);
  const there = locate(mm, batch, order, 1 - node);
  await move(batch, node);
  scrub(machine.memory, there, folioBytes);
  const name = typeof migrator === 'string' ? migrator : (migrator ?? machine.offload.active)?.name;
  // Threads leave while there is nothing to do, and those that are new come late.
  const own = MIGRATOR_NAMES.find((one) => one === name);
  if (own) await machine.ready(own);
}

/** @throws ErrnoError EIO unless all of it was migrated to the other node */
async function moveAll(memory: MovedMemory, move: Move): Promise<MovePagesResult & { readonly ns: number }> {
  const target = memory.node === 0 ? 1 : 0;
  const started = performance.now();
  const result = await move(memory.addresses, target);
  const ns = Math.round((performance.now() - started) * 1e6);
  memory.node = target;
  checkMoved(memory, result);
  scrubLeft(memory);
  return { ...result, ns };
}

/** The frame of each folio, through the page table. @throws ErrnoError EIO unless each is whole and on `node` */
export function locate(mm: AddressSpace, addresses: Float64Array, order: Order, node: number): Uint32Array {
  const pfns = new Uint32Array(addresses.length);
  for (let i = 0; i < addresses.length; i++) {
    const folio = mm.folioAt(addresses[i]);
    if (folio?.order !== order || folio.nid !== node) {
      throw new ErrnoError('EIO', `folio ${i} of ${addresses.length} is not, or not whole, on node ${node}`);
    }
    pfns[i] = folio.pfn;
  }
  return pfns;
}

/** @throws ErrnoError EIO unless every page is where it was to go */
function checkMoved({ node }: MovedMemory, { status, notMigrated: left }: MovePagesResult): void {
  const wrong = status.findIndex((outcome) => outcome !== node);
  if (wrong < 0 && left === 0) return;
  const outcome = status[wrong] ?? node;
  const why = outcome < 0 ? errnoName(outcome) : `it is on node ${outcome}`;
  throw new ErrnoError('EIO', `${left} of ${status.length} folios were not migrated; folio ${wrong}: ${why}`);
}

/**
 * Overwrites the frames that folios have left, which are on the other node now: they come back to them, and who then copies
 * nothing, or not all, is to be found out. A frame that somebody has allocated since is left alone: it has no bytes that could
 * pass for a copy of theirs, if all who share a machine fill their memory otherwise and do as this does.
 *
 * @param first of the folios that have moved. Default: all have
 * @param end behind the last of them
 * @throws ErrnoError EIO unless all of these are on the memory's node
 */
export function scrubLeft(memory: PlacedMemory, first = 0, end = memory.addresses.length): void {
  const { machine, mm, addresses, order, node, pfns, folioBytes } = memory;
  const left = pfns.slice(first, end);
  pfns.set(locate(mm, addresses.subarray(first, end), order, node), first);
  const free = left.filter((pfn) => machine.memory.folio(pfn).refcount === 0);
  scrub(machine.memory, free, folioBytes);
}

/** @throws ErrnoError EIO unless all of it is on its node, with the bytes that it was filled with */
export function verifyBytes(memory: MovedMemory): void {
  lookUp(memory);
  checkBytes(memory);
}

function lookUp(memory: PlacedMemory): void {
  const { mm, addresses, order, node } = memory;
  memory.pfns = locate(mm, addresses, order, node);
}

function checkBytes({ machine, pfns, folioBytes, hash }: MovedMemory): void {
  if (hashFolios(machine.memory, pfns, folioBytes) !== hash) {
    throw new ErrnoError('EIO', 'memory was changed by its migration');
  }
}
