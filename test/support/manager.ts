import { type AddressSpace, type Flow, type Folio, NR_MAX_BATCHED_MIGRATION, PhysicalMemory } from 'mtcopy';
import { createClear } from '#src/copy/clear.js';
import { createCpuArea } from '#src/cpu/cpu-area.js';
import { type MigrateResult, migratePages } from '#src/migrate/migrate-pages.js';
import type { MigrateOptions } from '#src/migrate/migration.js';
import { OffloadRegistry } from '#src/migrate/offload.js';
import { AddressSpace as Space } from '#src/mm/address-space.js';
import { folioIsolateLru } from '#src/mm/lru.js';
import type { MemoryManager } from '#src/mm/manager.js';
import { MappingTable } from '#src/mm/mapping.js';
import { isMovable, isolateMovable } from '#src/mm/movable.js';
import { TlbFlusher } from '#src/mm/tlb-flush.js';
import { createVmstat } from '#src/mm/vmstat.js';

/** Memory management without CPUs, to call migratePages itself: with a mode, and folios of one's choice. */
export interface Bench {
  readonly manager: MemoryManager;
  createAddressSpace(): AddressSpace;
  /** Isolates folios and migrates them to node 1, `vanilla` on the calling thread unless `options` say otherwise. */
  migrate(folios: readonly Folio[], options?: Partial<MigrateOptions>): Promise<MigrateResult>;
}

export function createBench(nodes: readonly string[] = ['16M', '16M']): Bench {
  const memory = PhysicalMemory.create({ nodes, pcpHigh: 64 });
  const cpuWords = createCpuArea(0);
  const vmstat = createVmstat();
  const manager: MemoryManager = {
    memory,
    clear: createClear(memory),
    clearOffload: { wants: () => false, clear: async () => {} },
    clears: new Set(),
    mappings: new MappingTable(),
    files: new Map(),
    movable: new Map(),
    tlb: new TlbFlusher(cpuWords, 0, vmstat, 1000, () => {}),
    vmstat,
    cpuWords,
    cpus: 0,
    interruptsReceived: () => 0,
  };
  const defaults = {
    flow: 'vanilla' as Flow,
    migrators: new OffloadRegistry(memory),
    batchLimit: NR_MAX_BATCHED_MIGRATION,
    batchUnit: 'pages',
    batchesInFlight: 1,
    stores: 'auto',
    target: 1 as MigrateOptions['target'],
    mode: 'MIGRATE_SYNC',
    reason: 'syscall_or_cpuset',
  } as const;
  return {
    manager,
    createAddressSpace: () => new Space(manager),
    migrate(folios, options) {
      for (const { pfn } of folios) {
        const isIsolated = isMovable(manager, pfn)
          ? isolateMovable(manager, pfn, defaults.mode)
          : folioIsolateLru(memory.page, pfn);
        if (!isIsolated) throw new Error(`PFN ${pfn} is not on the LRU`);
      }
      return migratePages(
        manager,
        Uint32Array.from(folios, ({ pfn }) => pfn),
        { ...defaults, ...options },
      );
    },
  };
}
