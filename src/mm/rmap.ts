import { cpuWords, ringCpu, WAITERS, WAITING_VPN } from '../cpu/cpu-area.js';
import type { PageTable } from '../cpu/page-table.js';
import { DIRTY, frameOf, fromMigrationEntry, MIGRATION, PRESENT, toMigrationEntry } from '../cpu/pte.js';
import { PG } from '../memory/page-metadata.js';
import { HPAGE_PMD_ORDER, type Pfn } from '../units.js';
import type { MemoryManager } from './manager.js';
import { type Vma, vpnOf } from './mapping.js';
import { addToFlush, type FlushBatch } from './tlb-flush.js';

/** Counts `entries` page-table entries that now map a folio: each holds a reference. */
export function folioAddRmap({ memory }: MemoryManager, pfn: Pfn, entries: number): void {
  const { mapcount, refcount } = memory.page;
  mapcount[pfn] = mapcount[pfn] + entries;
  Atomics.add(refcount, pfn, entries);
}

/** Takes `entries` page-table entries off a folio's count and drops their references; the last frees it. */
export function folioRemoveRmap({ memory }: MemoryManager, pfn: Pfn, entries: number): void {
  const { mapcount } = memory.page;
  mapcount[pfn] = mapcount[pfn] - entries;
  memory.putFolio(pfn, entries);
}

/**
 * Replaces every page-table entry that maps a folio by a migration entry (try_to_migrate), and drops their references. The
 * caller holds the folio locked, and a reference. CPUs may go on using the old translations until what is added to
 * `flush` was flushed; whoever meets a migration entry waits for {@link removeMigrationPtes}.
 */
export function tryToMigrate(manager: MemoryManager, pfn: Pfn, flush: FlushBatch): void {
  const { page } = manager.memory;
  const mapping = manager.mappings.get(page.mapping[pfn]);
  if (!mapping) return;
  const pages = 1 << page.order[pfn];
  let entries = 0;
  for (const vma of mapping.vmas) {
    const start = vpnOf(vma, mapping, page.index[pfn]);
    const first = Math.max(start, vma.start);
    const end = Math.min(start + pages, vma.end);
    if (first < end) entries += tryToMigrateOne(manager, vma, first, end, pfn, pfn + first - start, flush);
  }
  if (entries === 0) return;
  page.mapcount[pfn] = page.mapcount[pfn] - entries;
  Atomics.sub(page.refcount, pfn, entries);
}

/**
 * The part of {@link tryToMigrate} that is in one area: pages `first` to `end`, which frames from `frame` on back. Returns
 * the entries replaced.
 */
function tryToMigrateOne(
  manager: MemoryManager,
  { table }: Vma,
  first: number,
  end: number,
  pfn: Pfn,
  frame: number,
  flush: FlushBatch,
): number {
  const { pmds, ptes } = table;
  let entries = 0;
  let seen = 0;
  if (frameOf(pmds[first >> HPAGE_PMD_ORDER]) === frame) {
    const old = exchangeForMigration(pmds, first >> HPAGE_PMD_ORDER, frame);
    entries = old === 0 ? 0 : 1;
    seen = old;
  } else {
    for (let vpn = first; vpn < end; vpn++) {
      const old = exchangeForMigration(ptes, vpn, frame + vpn - first);
      if (old === 0) continue;
      seen |= old & DIRTY;
      entries++;
    }
  }
  if (entries === 0) return 0;
  addToFlush(flush, table, first, end - first);
  const { flags } = manager.memory.page;
  if (seen & DIRTY && !(flags[pfn] & PG.dirty)) Atomics.or(flags, pfn, PG.dirty);
  return entries;
}

/** Replaces a present entry of `frame` by its migration entry. Returns the old entry, or 0 if there was another. */
export function exchangeForMigration(entries: Int32Array, index: number, frame: number): number {
  let entry = entries[index];
  while (entry & PRESENT && frameOf(entry) === frame) {
    // Against a CPU that sets the accessed or dirty bit: the bits that it has set are in what is replaced, or its own
    // exchange fails. Orders nothing else: the flush does.
    const found = Atomics.compareExchange(entries, index, entry, toMigrationEntry(entry));
    if (found === entry) return entry;
    entry = found;
  }
  return 0;
}

/**
 * Maps `to` wherever a migration entry of `from` stands (remove_migration_ptes), and wakes the CPUs that wait
 * there. `to` is `from` itself where nothing was moved.
 *
 * @returns entries that map `to` now, for each of which the caller gives it a reference; fewer than were taken away if
 * areas were unmapped meanwhile
 */
export function removeMigrationPtes(manager: MemoryManager, from: Pfn, to: Pfn): number {
  const { page } = manager.memory;
  const mapping = manager.mappings.get(page.mapping[to]);
  if (!mapping) return 0;
  const pages = 1 << page.order[to];
  let entries = 0;
  for (const vma of mapping.vmas) {
    const start = vpnOf(vma, mapping, page.index[to]);
    const first = Math.max(start, vma.start);
    const end = Math.min(start + pages, vma.end);
    if (first < end) entries += removeMigrationPte(manager, vma, first, end, from + first - start, to + first - start);
  }
  if (entries > 0) page.mapcount[to] = page.mapcount[to] + entries;
  return entries;
}

function removeMigrationPte(
  manager: MemoryManager,
  { table }: Vma,
  first: number,
  end: number,
  from: number,
  to: number,
): number {
  const { pmds, ptes } = table;
  const pmdIndex = first >> HPAGE_PMD_ORDER;
  const pmd = pmds[pmdIndex];
  let entries = 0;
  if (pmd & MIGRATION && frameOf(pmd) === from) {
    // Release: the copied bytes come before the entry that leads to them. CPUs don't change migration entries.
    Atomics.store(pmds, pmdIndex, fromMigrationEntry(pmd, to));
    entries = 1;
  } else {
    for (let vpn = first; vpn < end; vpn++) {
      const entry = ptes[vpn];
      if (!(entry & MIGRATION) || frameOf(entry) !== from + vpn - first) continue;
      // Release, as above.
      Atomics.store(ptes, vpn, fromMigrationEntry(entry, to + vpn - first));
      entries++;
    }
  }
  if (entries > 0) wakeWaiters(manager, first, end);
  return entries;
}

/** Wakes the CPUs that wait for a migration entry at pages `first` up to `end`, of whichever address space. */
export function wakeWaiters(manager: MemoryManager, first: number, end: number): void {
  const { cpuWords: words } = manager;
  // After the entry's change: a CPU sets its bit and says where it waits before it looks at the entry, so either it sees the
  // change, or it is seen here.
  if (Atomics.load(words, WAITERS) !== 0 || Atomics.load(words, WAITERS + 1) !== 0) ringWaiters(manager, first, end);
}

function ringWaiters({ cpuWords: words, cpus }: MemoryManager, first: number, end: number): void {
  for (let cpu = 0; cpu < cpus; cpu++) {
    const vpn = Atomics.load(words, cpuWords(cpu) + WAITING_VPN) - 1;
    if (vpn >= first && vpn < end) ringCpu(words, cpuWords(cpu));
  }
}

/**
 * Whether others may lose by a folio's move (folio_maybe_mapped_shared, but sure): more than one entry maps one of a single
 * page, also if they are of one address space, or more than one address space a larger one.
 */
export function isMappedShared(manager: MemoryManager, pfn: Pfn): boolean {
  const { page } = manager.memory;
  if (page.order[pfn] === 0) return page.mapcount[pfn] > 1;
  const mapping = manager.mappings.get(page.mapping[pfn]);
  if (!mapping || mapping.vmas.length < 2) return false;
  let mapper: PageTable | undefined;
  for (const vma of mapping.vmas) {
    const start = vpnOf(vma, mapping, page.index[pfn]);
    if (vma.table === mapper || countEntries(manager, vma, start, pfn) === 0) continue;
    if (mapper) return true;
    mapper = vma.table;
  }
  return false;
}

/** Page-table entries by which one address space maps the folio. */
export function entriesOf(manager: MemoryManager, table: PageTable, pfn: Pfn): number {
  const { page } = manager.memory;
  const mapping = manager.mappings.get(page.mapping[pfn]);
  let entries = 0;
  for (const vma of mapping?.vmas ?? []) {
    if (mapping && vma.table === table)
      entries += countEntries(manager, vma, vpnOf(vma, mapping, page.index[pfn]), pfn);
  }
  return entries;
}

/** Entries of `vma` that map a page of the folio, whose first page is or would be at `start`. */
function countEntries(manager: MemoryManager, { table, start: low, end: high }: Vma, start: number, pfn: Pfn): number {
  const pages = 1 << manager.memory.page.order[pfn];
  const { pmds, ptes } = table;
  const first = Math.max(start, low);
  const end = Math.min(start + pages, high);
  if (first >= end) return 0;
  const pmd = pmds[first >> HPAGE_PMD_ORDER];
  if (pmd & PRESENT) return frameOf(pmd) === pfn + first - start ? 1 : 0;
  let entries = 0;
  for (let vpn = first; vpn < end; vpn++) {
    const entry = ptes[vpn];
    if (entry & PRESENT && frameOf(entry) === pfn + vpn - start) entries++;
  }
  return entries;
}
