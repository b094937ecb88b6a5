import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  type Area,
  ErrnoError,
  type Machine,
  type MigrateSteps,
  type MigrateTrace,
  type MigrationSettings,
  orderOf,
  PAGE_SIZE,
  type Steps,
} from 'mtcopy';
import { fillWithPattern } from '../../shared/fill.js';
import {
  locate,
  type MigrationRun,
  type MovedMemory,
  moveAcross,
  scrubLeft,
  verifyBytes,
} from '../../shared/moved-memory.js';
import { hashFolios } from '../../shared/verify.js';

/** What a run measured, with its steps, in nanoseconds of all of it. */
export interface SteppedRun extends Pick<MigrationRun, 'phasesNs' | 'cpuNs'> {
  readonly stepsNs: Steps;
}

/** Moves the memory to its other node, and verifies it. */
export type MoveCached = (settings: MigrationSettings) => Promise<SteppedRun>;

/** What moves pages whatever maps them. */
const REASON = 'compaction';
const READ_AT_ONCE = 2 ** 20;

/**
 * Maps page cache in folios of one size, on node 0.
 *
 * @param spaces address spaces that map it: 0 or more
 * @throws ErrnoError ENOMEM if the node has no room
 */
export async function mapCachedMemory(
  machine: Machine,
  bytes: number,
  folioBytes: number,
  spaces: number,
): Promise<MoveCached> {
  const mm = machine.createAddressSpace();
  const area = mm.mmap({ length: bytes, folioSize: folioBytes, shared: true, populate: spaces > 0 });
  if (spaces === 0) return unmappedMemory(machine, area);
  const memory = fillMapped(machine, area);
  for (let other = 1; other < spaces; other++) await mm.fork(area, machine.createAddressSpace());
  return (settings) => withSteps(() => moveAcross(memory, { ...settings, reason: REASON }));
}

/** Fills what an area maps, on node 0. */
function fillMapped(machine: Machine, area: Area): MovedMemory {
  const { mm, folioSize } = area;
  const order = orderOf(folioSize);
  const addresses = area.folios();
  const pfns = locate(mm, addresses, order, 0);
  fillWithPattern(machine.memory, pfns, folioSize);
  const hash = hashFolios(machine.memory, pfns, folioSize);
  return { machine, mm, order, folioBytes: folioSize, addresses, hash, node: 0, pfns };
}

/**
 * Page cache that nothing maps while it is moved. Only what is mapped can be asked to move: each run maps it anew, and takes the
 * mapping away between the isolation and the unmapping of the folios. The area that keeps the cache has no entries, but the walks
 * of the reverse map look at it.
 */
async function unmappedMemory(machine: Machine, kept: Area): Promise<MoveCached> {
  /** What of a call's CPU time is its subscriber's: the least, for what it waits for a core isn't CPU time. */
  let leastUnmapNs = Number.POSITIVE_INFINITY;
  let reader = await mapAgain(machine, kept);
  let memory = fillMapped(machine, reader);
  return (settings) =>
    withSteps(async () => {
      const node = memory.node === 0 ? 1 : 0;
      const { stats, unmapNs } = await moveWhileUnmapping(machine, reader, { ...settings, node });
      leastUnmapNs = Math.min(leastUnmapNs, unmapNs);
      await reader.mm.close();
      reader = await mapAgain(machine, kept);
      if (stats.succeeded !== kept.length / PAGE_SIZE)
        throw new ErrnoError('EIO', `${stats.failed} pages were not migrated`);
      memory = { ...memory, mm: reader.mm, addresses: reader.folios(), node };
      scrubLeft(memory);
      verifyBytes(memory);
      const { phasesNs, cpuNs } = stats;
      return { phasesNs, cpuNs: { ...cpuNs, caller: Math.max(1, cpuNs.caller - leastUnmapNs) } };
    });
}

/** A new address space with all of the area mapped. */
async function mapAgain(machine: Machine, kept: Area): Promise<Area> {
  const reader = await kept.mm.fork(kept, machine.createAddressSpace());
  for (let at = 0; at < kept.length; at += READ_AT_ONCE)
    await reader.mm.read(reader.address + at, Math.min(READ_AT_ONCE, kept.length - at));
  return reader;
}

async function moveWhileUnmapping(machine: Machine, area: Area, settings: MigrationSettings & { node: number }) {
  let unmapNs = 0;
  let unmapping: Promise<void> | undefined;
  const onStart = (message: unknown) => {
    if (unmapping || (message as MigrateTrace).phase !== 'unmap') return;
    const started = performance.now();
    // All of it at once: there is no CPU to wait for.
    unmapping = area.mm.munmap(area.address, area.length);
    unmapNs = (performance.now() - started) * 1e6;
  };
  subscribe('tracing:mtcopy:migrate:start', onStart);
  try {
    const { stats } = await machine.migrateFolios(area.mm, area.folios(), { ...settings, reason: REASON });
    await unmapping;
    return { stats, unmapNs };
  } finally {
    unsubscribe('tracing:mtcopy:migrate:start', onStart);
  }
}

/** The last of the migrations that are made is the one that counts: what is moved at once is less than move_pages does at once. */
async function withSteps(run: () => Promise<Pick<MigrationRun, 'phasesNs' | 'cpuNs'>>): Promise<SteppedRun> {
  let stepsNs: Steps | undefined;
  const listen = (message: unknown) => {
    stepsNs = (message as MigrateSteps).stepsNs;
  };
  subscribe('mtcopy:migrate-steps', listen);
  try {
    const { phasesNs, cpuNs } = await run();
    if (!stepsNs) throw new ErrnoError('EIO', 'no migration has told of its steps');
    return { phasesNs, cpuNs, stepsNs };
  } finally {
    unsubscribe('mtcopy:migrate-steps', listen);
  }
}
