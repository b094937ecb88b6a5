import { createHistogram } from 'node:perf_hooks';
import { above0, anything, type Checks, checkOptions, oneOf, threadCount, wholeNumber, yesOrNo } from './check.js';
import { type Clear, createClear } from './copy/clear.js';
import { checkUnit } from './copy/options.js';
import { populate } from './copy/populate.js';
import type { UsedMethod } from './copy/streaming.js';
import { createCpuArea, MAX_CPUS } from './cpu/cpu-area.js';
import type { DmaHardware } from './dma/engine.js';
import { ErrnoError, show } from './errno.js';
import type { Folio } from './memory/folio.js';
import { PhysicalMemory } from './memory/physical-memory.js';
import { createClearOffload } from './migrate/clear-folio.js';
import type { MigrateManner } from './migrate/migration.js';
import type { Migrator } from './migrate/migrator.js';
import { OffloadRegistry } from './migrate/offload.js';
import { MIGRATE_REASONS, type MigrateReason } from './migrate/reasons.js';
import {
  type Flow,
  type MachineManner,
  type Manner,
  MIGRATION_SETTINGS,
  type MigrationSettings,
  type MigratorName,
  mannerOf,
} from './migrate/settings.js';
import { CpuMt } from './migrators/cpu-mt.js';
import type { DcbmMigrator, DcbmOptions } from './migrators/dcbm.js';
import { DcbmDriver } from './migrators/dcbm-driver.js';
import { migrationMethod } from './migrators/method.js';
import { type OffloadDrivers, OffloadSwitch } from './migrators/offload-switch.js';
import { AddressSpace, type AddressSpaceOptions } from './mm/address-space.js';
import type { ClearOffload } from './mm/clear-offload.js';
import { Cpus } from './mm/cpus.js';
import type { MemoryManager } from './mm/manager.js';
import { MappingTable } from './mm/mapping.js';
import { clearMovable, setMovable } from './mm/movable.js';
import type { MovableOperations } from './mm/movable-operations.js';
import { TlbFlusher } from './mm/tlb-flush.js';
import { createVmstat, type Vmstat } from './mm/vmstat.js';
import { type ProfileOption, settingsOf } from './profile.js';
import { MIGRATE_FOLIOS_OPTIONS, type MigrateFoliosOptions, migrateFolios } from './syscalls/migrate-folios.js';
import { migrateMovable } from './syscalls/migrate-movable.js';
import {
  MIGRATE_PAGES_OPTIONS,
  type MigratePagesOptions,
  type MigratePagesResult,
  migratePages,
} from './syscalls/migrate-pages.js';
import { type MovePagesResult, movePages } from './syscalls/move-pages.js';
import { MOVE_PAGES_OPTIONS, type MovePagesOptions } from './syscalls/move-pages-request.js';
import { cpuFiles, nodeFiles } from './sysfs/devices.js';
import { cpuMtFiles, dcbmFiles } from './sysfs/drivers.js';
import { migrationFiles } from './sysfs/migration.js';
import { Sysfs } from './sysfs/sysfs.js';
import { Lifetime } from './threads/lifetime.js';
import { prepareThreads } from './threads/pool.js';
import { PAGE_SIZE, pagesOf, parseSize } from './units.js';
import {
  CALLER_MODES,
  type CallerMode,
  DISTRIBUTIONS,
  type Distribution,
  MIGRATOR_NAMES,
  SCHEDULES,
  type Schedule,
  STORES,
  type Stores,
} from './words.js';

/** Options of {@link Machine.boot}. */
export interface MachineOptions extends MigrationSettings {
  /**
   * Size of each NUMA node: bytes, or a string such as `'1G'`; multiples of 4 KiB, at most 4,064 MiB in all. Default: two of
   * 1 GiB.
   */
  nodes?: readonly (number | string)[] | undefined;
  /**
   * Whether the operating system is to make all of the nodes' pages now, huge ones where it has them to give; see
   * {@link AllocateOptions.populate}. Default: false, each is made when it is touched.
   */
  populate?: boolean | undefined;
  /** CPUs to run programs on, 0 to 64: each is a thread while it runs one. Default: 1. */
  cpus?: number | undefined;
  /**
   * Worker threads of the migrator `'mtcopy'`, 1 to 64, the calling thread not counted; or `'auto'`, see
   * {@link CreateOptions.threads}. Default: 4, as in the published driver.
   */
  threads?: number | 'auto' | undefined;
  /** How those threads share a batch; see {@link CreateOptions.schedule}. Default: `'dynamic'`. */
  schedule?: Schedule | undefined;
  /** How the lists of its static schedule are made; see {@link CreateOptions.distribution}. Default: `'auto'`. */
  distribution?: Distribution | undefined;
  /** What a thread claims at once with its dynamic schedule; see {@link CreateOptions.unitBytes}. Default: `'auto'`. */
  unitBytes?: number | string | undefined;
  /** Whether the calling thread takes part in what `'mtcopy'` copies; see {@link CreateOptions.caller}. Default: `'auto'`. */
  caller?: CallerMode | undefined;
  /**
   * The machine's DMA device, with which `'dcbm'` copies, and its IOMMU: see {@link DmaHardware}. Default: a `'ptdma'`, as fast
   * as this machine's memory, without an IOMMU.
   */
  dma?: DmaHardware | undefined;
  /** Settings of `'dcbm'`, which may be changed later: see {@link Machine.dcbm}. Default: those of {@link DcbmSettings}. */
  dcbm?: DcbmOptions | undefined;
  /**
   * The stores of migrations for the reason `'demotion'` that don't say themselves, instead of `stores`: that memory is cold,
   * and its bytes have no business in the caches. Default: `'streaming'`.
   */
  demotionStores?: Stores | undefined;
  /** Milliseconds after which a CPU that doesn't answer a TLB flush is given up. Default: 5000. */
  ipiTimeoutMs?: number | undefined;
  /**
   * Pages of a node that freed folios keep for the next allocation of their order; see {@link PhysicalMemory}. Default: an
   * eighth of the smallest node, which is as far as the kernel's own tuning goes.
   */
  pcpHigh?: number | undefined;
  /**
   * What `mtcopy tune` found for this machine: the path of its file, or more of what to take from it. Options that are given
   * win over it, and it over defaults. Default: none.
   */
  profile?: ProfileOption | undefined;
}

/** What {@link Machine.methodFor} is asked about. */
export interface MigrationQuestion extends Pick<MigrationSettings, 'flow' | 'stores'> {
  /** What copies. */
  migrator: MigratorName;
  /** What it is migrated for. Default: `'syscall_or_cpuset'`. */
  reason?: MigrateReason | undefined;
  /** Bytes of a folio: in flows that copy folio by folio, small ones don't come to the migrator. Default: large enough. */
  folioBytes?: number | undefined;
}

/** Durations in nanoseconds; all 0 while there are none. */
export interface Latencies {
  /** How many there were. */
  readonly count: number;
  /** The shortest. */
  readonly min: number;
  /** Their mean. */
  readonly mean: number;
  /** The longest. */
  readonly max: number;
  /** The median: half of them took at most that. */
  readonly p50: number;
  /** 90 % of them took at most that. */
  readonly p90: number;
  /** 99 % of them took at most that. */
  readonly p99: number;
}

const checkMigratorName = oneOf(MIGRATOR_NAMES);
const checkBytes = wholeNumber(0, Number.POSITIVE_INFINITY);
const checkStores = oneOf(STORES);
const DEFAULT_NODES = ['1G', '1G'];
const IPI_TIMEOUT_MS = 5000;
/** Part of a node that its lists of freed folios may keep (the kernel's MIN_PERCPU_PAGELIST_HIGH_FRACTION). */
const PCP_HIGH_FRACTION = 8;

const OPTIONS: Checks<MachineOptions> = {
  // PhysicalMemory checks the sizes.
  nodes: anything,
  populate: yesOrNo,
  cpus: wholeNumber(0, MAX_CPUS),
  threads: threadCount,
  schedule: oneOf(SCHEDULES),
  distribution: oneOf(DISTRIBUTIONS),
  unitBytes: checkUnit,
  caller: oneOf(CALLER_MODES),
  // Their driver checks these two.
  dma: anything,
  dcbm: anything,
  demotionStores: checkStores,
  ipiTimeoutMs: above0,
  pcpHigh: anything,
  // Read once all else is checked.
  profile: anything,
  ...MIGRATION_SETTINGS,
};
const MOVE_PAGES: Checks<MovePagesOptions & MigrationSettings> = { ...MOVE_PAGES_OPTIONS, ...MIGRATION_SETTINGS };
const MIGRATE_PAGES: Checks<MigratePagesOptions & MigrationSettings> = {
  ...MIGRATE_PAGES_OPTIONS,
  ...MIGRATION_SETTINGS,
};

const MIGRATE_FOLIOS: Checks<MigrateFoliosOptions & MigrationSettings> = {
  ...MIGRATE_FOLIOS_OPTIONS,
  ...MIGRATION_SETTINGS,
};
const QUESTION: Checks<MigrationQuestion> = {
  migrator: checkMigratorName,
  reason: oneOf(MIGRATE_REASONS),
  flow: MIGRATION_SETTINGS.flow,
  stores: checkStores,
  folioBytes: wholeNumber(1, Number.POSITIVE_INFINITY),
};
/** What system calls migrate for. */
const SYSCALL = { mode: 'MIGRATE_SYNC', reason: 'syscall_or_cpuset' } as const;

/**
 * A machine: NUMA nodes of shared memory, CPUs that run user programs in address spaces, and what moves their pages between
 * nodes while they run. Everything but the programs themselves is called on the thread that booted it, which closes it.
 *
 * @example
 * ```js
 * import { Machine } from 'mtcopy';
 *
 * const machine = await Machine.boot({ nodes: ['64M', '64M'], cpus: 0, migrator: 'mtcopy', flow: 'pre-copy' });
 * const mm = machine.createAddressSpace();
 * const area = mm.mmap({ length: '16M', folioSize: '64K', populate: true });
 * const { status, stats } = await machine.movePages(mm, area.folios(), { node: 1 });
 * console.log(status[0], stats.succeeded, stats.movedBy[0].migrator); // 1 4096 mtcopy
 * await machine.close();
 * ```
 */
export class Machine implements AsyncDisposable {
  /** The physical memory. */
  readonly memory: PhysicalMemory;
  /** The CPUs. */
  readonly cpus: Cpus;
  /** Which migrator copies what is migrated for which reasons. */
  readonly offload: OffloadRegistry;
  /** The tree of settings, to be read and written as strings: another view on what the members here say. */
  readonly sysfs: Sysfs;
  readonly #manager: MemoryManager;
  readonly #manner: MachineManner;
  /** Those that are open, and some that were closed lately. */
  readonly #spaces = new Set<AddressSpace>();
  readonly #flushes = createHistogram();
  readonly #cpuMt: CpuMt;
  readonly #dcbm: DcbmDriver;
  readonly #drivers: OffloadDrivers;
  readonly #offloadSwitch: OffloadSwitch;
  readonly #lifetime = new Lifetime('the machine is closed: boot another');

  /**
   * Boots a machine.
   *
   * @throws ErrnoError EINVAL for a wrong option; ENODEV for a DMA device that isn't modelled; ENOMEM for more memory than
   * there is; EAGAIN if threads can't be started; ENOENT as {@link CopyEngine.create}; what is wrong with a profile. Nothing is
   * left running then.
   */
  static async boot(options: MachineOptions = {}): Promise<Machine> {
    const checked = withProfile(checkOptions(options, OPTIONS));
    // A machine without CPUs starts threads for its migrator alone, which asks for them by itself.
    if (checked.cpus !== 0) await prepareThreads();
    const machine = new Machine(checked);
    const { migrator = 'kernel' } = checked;
    try {
      if (typeof migrator !== 'string') machine.offload.register(migrator);
      else if (migrator !== 'kernel') await machine.#offloadSwitch.turnOn(machine.#drivers[migrator]);
      return machine;
    } catch (error) {
      // Some of a migrator's threads may have started.
      await machine.close();
      throw error;
    }
  }

  private constructor(options: BootOptions) {
    const { nodes = DEFAULT_NODES, cpus = 1, pcpHigh = defaultPcpHigh(nodes) } = options;
    this.memory = PhysicalMemory.create({ nodes, pcpHigh });
    if (options.populate) populateNodes(this.memory);
    this.#manner = { ...mannerOf(options), demotionStores: options.demotionStores ?? 'streaming' };
    this.offload = new OffloadRegistry(this.memory);
    this.#cpuMt = new CpuMt(this.memory, options);
    this.#dcbm = new DcbmDriver(this.memory, options.dma, options.dcbm);
    this.#drivers = { mtcopy: this.#cpuMt, dcbm: this.#dcbm };
    this.#offloadSwitch = new OffloadSwitch(this.offload, Object.values(this.#drivers));
    this.sysfs = this.#createSysfs(cpus);
    const words = createCpuArea(cpus);
    const vmstat = createVmstat();
    this.cpus = new Cpus(this.memory, words, cpus);
    const onFlushed = (ns: number) => this.#flushes.record(Math.max(1, Math.round(ns)));
    const clear = createClear(this.memory);
    this.#manager = {
      memory: this.memory,
      clear,
      clearOffload: this.#createClearOffload(clear),
      clears: new Set(),
      mappings: new MappingTable(),
      files: new Map(),
      movable: new Map(),
      tlb: new TlbFlusher(words, cpus, vmstat, options.ipiTimeoutMs ?? IPI_TIMEOUT_MS, onFlushed),
      vmstat,
      cpuWords: words,
      cpus,
      interruptsReceived: () => this.cpus.interruptsReceived,
    };
  }

  /** Worker threads of the migrator `'mtcopy'`, 1 to 64. May be set at any time, for later migrations. */
  get threads(): number {
    return this.#cpuMt.threads;
  }

  /** @throws ErrnoError EINVAL for anything but 1 to 64 or `'auto'` */
  set threads(threads: number | 'auto') {
    this.#cpuMt.threads = threads;
  }

  /** How those threads share a batch. May be set at any time, for later batches. */
  get schedule(): Schedule {
    return this.#cpuMt.schedule;
  }

  /** @throws ErrnoError EINVAL for anything but `'static'` or `'dynamic'` */
  set schedule(schedule: Schedule) {
    this.#cpuMt.schedule = schedule;
  }

  /** Whether the calling thread takes part in what `'mtcopy'` copies. May be set at any time, for later batches. */
  get caller(): CallerMode {
    return this.#cpuMt.caller;
  }

  /** @throws ErrnoError EINVAL for anything but `'auto'`, `'waits'` or `'helps'` */
  set caller(caller: CallerMode) {
    this.#cpuMt.caller = caller;
  }

  /**
   * Resolves once all threads, or channels, of a migrator take jobs: new ones, and those that left for there was nothing to do.
   * Threads that had another schedule have ended by then. No call needs it; what is timed with so many threads does. After 0.1 s
   * without a migration they leave again.
   *
   * @throws ErrnoError EINVAL for what is none; EAGAIN if its threads can't be started; ESHUTDOWN if the machine is closed
   */
  async ready(migrator: MigratorName): Promise<void> {
    checkMigratorName('migrator', migrator);
    this.#lifetime.checkOpen();
    await this.#lifetime.during(async () => {
      if (migrator === 'mtcopy') await this.#cpuMt.attached();
      if (migrator === 'dcbm') await this.#dcbm.ready();
    });
  }

  /** In which order a batch goes through its steps. May be set at any time, for later calls. */
  get flow(): Flow {
    return this.#manner.flow;
  }

  /** @throws ErrnoError EINVAL for anything that is none */
  set flow(flow: Flow) {
    MIGRATION_SETTINGS.flow('flow', flow);
    this.#manner.flow = flow;
  }

  /** Pages or folios of a batch, 1 to 2^20. May be set at any time, for later calls. */
  get batchLimit(): number {
    return this.#manner.batchLimit;
  }

  /** @throws ErrnoError EINVAL for anything else */
  set batchLimit(batchLimit: number) {
    MIGRATION_SETTINGS.batchLimit('batchLimit', batchLimit);
    this.#manner.batchLimit = batchLimit;
  }

  /** The stores of migrations for the reason `'demotion'` that don't say. May be set at any time, for later calls. */
  get demotionStores(): Stores {
    return this.#manner.demotionStores;
  }

  /** @throws ErrnoError EINVAL for anything that is none */
  set demotionStores(stores: Stores) {
    checkStores('demotionStores', stores);
    this.#manner.demotionStores = stores;
  }

  /** The migrator `'dcbm'`, whose settings may be set at any time, for later batches; and its counters. */
  get dcbm(): DcbmMigrator {
    return this.#dcbm.migrator;
  }

  /**
   * What copies the folios of a migration of `bytes` bytes, and why that isn't `'streaming'`, if it isn't.
   *
   * @param asked what the call says; else as the machine has it, for move_pages(2)
   * @throws ErrnoError EINVAL for what is no number of bytes, or a wrong option
   */
  methodFor(bytes: number, asked: MigrationQuestion): UsedMethod {
    checkBytes('bytes', bytes);
    const question = checkOptions(asked, QUESTION, ['migrator']);
    const { migrator, reason = SYSCALL.reason, folioBytes = Number.POSITIVE_INFINITY, ...settings } = question;
    const { minBytes = 0 } = migrator === 'kernel' ? {} : this.#drivers[migrator].migrator;
    return migrationMethod(bytes, { migrator, folioBytes, minBytes, ...this.#mannerOf(settings, reason) });
  }

  /** The counters of /proc/vmstat, as they are now. */
  get vmstat(): Vmstat {
    return { ...this.#manager.vmstat, nr_tlb_remote_flush_received: this.cpus.interruptsReceived };
  }

  /**
   * How long TLB flushes took that interrupted CPUs, from the first interrupt to the last answer, since the machine was
   * booted.
   */
  get tlbFlushNs(): Latencies {
    const { count, min, mean, max } = this.#flushes;
    if (count === 0) return { count, min: 0, mean: 0, max: 0, p50: 0, p90: 0, p99: 0 };
    const [p50, p90, p99] = [50, 90, 99].map((percent) => this.#flushes.percentile(percent));
    return { count, min, mean, max, p50, p90, p99 };
  }

  /**
   * Creates an empty address space. The caller owns it, until it or the machine is closed.
   *
   * @throws ErrnoError EINVAL for a wrong option; ESHUTDOWN if the machine is closed
   */
  createAddressSpace(options?: AddressSpaceOptions): AddressSpace {
    const mm = new AddressSpace(this.#manager, options);
    // Last: one of the options may have a getter that closes the machine.
    this.#lifetime.checkOpen();
    // Each has a page table of 16 MiB, too large to keep for nothing.
    for (const other of this.#spaces) if (other.closed) this.#spaces.delete(other);
    this.#spaces.add(mm);
    return mm;
  }

  /**
   * move_pages(2): moves pages of an address space to nodes, or asks where they are. A page inside a large folio moves the
   * folio; one that is on its node is left alone; one that is listed several times moves to each of its nodes, in the order
   * of the list. The address space's programs may run meanwhile.
   *
   * @param pages virtual addresses in bytes, multiples of 4 KiB
   * @param options where to, on whose behalf, and settings that replace the machine's for this call
   * @throws ErrnoError, before anything is moved: EFAULT for pages or nodes that are no list of numbers; E2BIG for more pages
   * than an address space has; EINVAL for an option that doesn't exist, a wrong flag or setting, an address that is no
   * page's, or as many nodes as there are not pages; ENODEV for a node that doesn't exist; EACCES for one that the address
   * space's cpuset leaves out; EPERM for another user's address space, or MPOL_MF_MOVE_ALL, without CAP_SYS_NICE; ESRCH if
   * it is closed, or another machine's; ESHUTDOWN if the machine is closed; EAGAIN if the migrator's threads can't be
   * started. Later: UnresponsiveCpuError (ETIMEDOUT) if a CPU doesn't answer a TLB flush, or what the migrator throws; the
   * query form then tells what has moved.
   */
  async movePages(
    mm: AddressSpace,
    pages: ArrayLike<number>,
    options?: MovePagesOptions & MigrationSettings,
  ): Promise<MovePagesResult> {
    return this.#during(mm, async () => {
      const asked = checkOptions(options ?? {}, MOVE_PAGES);
      return this.#inManner(asked, SYSCALL, (manner) => movePages(this.#manager, mm, pages, asked, manner));
    });
  }

  /**
   * migrate_pages(2): moves all pages of an address space that are on some nodes to others, each node's to the node in the
   * same relative position. With CAP_SYS_NICE also those that other address spaces map. Its programs may run meanwhile.
   *
   * @throws ErrnoError, before anything is moved: EFAULT for sets that are no arrays; EINVAL for an option that doesn't
   * exist, a wrong setting, a node that can't exist, or if none of `to` exists; EPERM for another user's address space, or
   * a node of `to` that its cpuset doesn't have, without CAP_SYS_NICE; ESRCH if it is closed, or another machine's;
   * ESHUTDOWN and EAGAIN as {@link movePages}, and whatever comes later.
   */
  async migratePages(mm: AddressSpace, options: MigratePagesOptions & MigrationSettings): Promise<MigratePagesResult> {
    return this.#during(mm, async () => {
      const asked = checkOptions(options ?? {}, MIGRATE_PAGES);
      return this.#inManner(asked, SYSCALL, (manner) => migratePages(this.#manager, mm, asked, manner));
    });
  }

  /**
   * The entry of whoever migrates for a reason of the kernel's own, and not for a system call: moves the folios of some pages
   * to a node, those too that other address spaces map, whatever their cpusets say. What `machine.offload` has for the
   * reason copies them. A huge page that is `numa_misplaced` is never split.
   *
   * @param pages virtual addresses in bytes, multiples of 4 KiB
   * @param options where to, why, and settings that replace the machine's for this call
   * @throws ErrnoError, before anything is moved: EFAULT for pages that are no list of numbers; E2BIG for more pages than an
   * address space has; EINVAL for an option that doesn't exist, a wrong reason, mode or setting, or an address that is no
   * page's; ENODEV for a node that doesn't exist; ESRCH if the address space is closed, or another machine's; ESHUTDOWN if
   * the machine is closed; EAGAIN if the migrator's threads can't be started. Later: as {@link movePages}
   */
  async migrateFolios(
    mm: AddressSpace,
    pages: ArrayLike<number>,
    options: MigrateFoliosOptions & MigrationSettings,
  ): Promise<MovePagesResult> {
    return this.#during(mm, async () => {
      const asked = checkOptions(options ?? {}, MIGRATE_FOLIOS, ['node', 'reason']);
      const { node, reason, mode = 'MIGRATE_SYNC' } = asked;
      const cause = { mode, reason };
      return this.#inManner(asked, cause, (manner) => migrateFolios(this.#manager, mm, pages, node, manner));
    });
  }

  /**
   * Says that a folio of the caller's is movable, though it is on no LRU: a call of {@link migrateMovable} may move it, with
   * the caller's callbacks. The caller takes it back with {@link clearMovable} before it frees it: until then dropping its last
   * reference is EBUSY.
   *
   * @throws ErrnoError EINVAL for a folio that others have too, or callbacks that aren't there; EEXIST if it is movable
   */
  setMovable(folio: Folio, operations: MovableOperations): void {
    setMovable(this.#manager, folio, operations);
  }

  /**
   * Takes back what {@link setMovable} said: the folio is its owner's alone again, who may free it.
   *
   * @throws ErrnoError EINVAL for a folio that isn't movable; EBUSY while it is being moved
   */
  clearMovable(folio: Folio): void {
    clearMovable(this.#manager, folio);
  }

  /**
   * Moves movable memory that is on no LRU to a node, as compaction does. Owners that don't let go of a folio now, or that
   * don't take its copy, keep it. A folio that is listed twice counts once.
   *
   * @param folios each of which is movable; those that were moved are their owners' new ones
   * @param options as {@link migrateFolios}
   * @returns as {@link movePages}, with a status for each folio
   * @throws ErrnoError, before anything is moved: EINVAL for what is no movable folio, or a wrong option; ENODEV; ESHUTDOWN.
   * Whatever an owner's callback throws, once all other folios are with their owners
   */
  async migrateMovable(
    folios: readonly Folio[],
    options: MigrateFoliosOptions & MigrationSettings,
  ): Promise<MovePagesResult> {
    this.#lifetime.checkOpen();
    return this.#lifetime.during(async () => {
      const asked = checkOptions(options ?? {}, MIGRATE_FOLIOS, ['node', 'reason']);
      const { node, reason, mode = 'MIGRATE_SYNC' } = asked;
      const cause = { mode, reason };
      return this.#inManner(asked, cause, (manner) => migrateMovable(this.#manager, folios, node, manner));
    });
  }

  /**
   * Makes a folio private to the machine's DMA device, which must have a key (`dma: { key }`): its bytes are scrambled where they
   * stand, `folio.private` is true, and only `'dcbm'` can move it. It is locked meanwhile, so that migrations leave it where it
   * is; nobody should write to it. After an error it is what it was.
   *
   * Nobody else can copy it either: a store that needs a page of its own, after a fork, fails with EOPNOTSUPP, for the sealed
   * bytes would mean nothing in another frame. One that needs none overwrites them with plain ones.
   *
   * @throws ErrnoError EOPNOTSUPP without a key; EINVAL for what is no allocated folio of this machine, or is sealed already;
   * EBUSY for one that is locked; ENODEV if all of the device's channels are in use; ENOMEM, EFAULT, EIO, EHWPOISON, ETIMEDOUT
   * or ECANCELED if the device can't; EAGAIN if its thread can't be started; ESHUTDOWN if the machine is closed
   */
  async sealFolio(folio: Folio): Promise<void> {
    this.#lifetime.checkOpen();
    return this.#lifetime.during(() => this.#dcbm.setPrivate(folio, true));
  }

  /** Takes {@link sealFolio} back: the bytes are plain again. As there otherwise; EINVAL for a folio that isn't sealed. */
  async unsealFolio(folio: Folio): Promise<void> {
    this.#lifetime.checkOpen();
    return this.#lifetime.during(() => this.#dcbm.setPrivate(folio, false));
  }

  /**
   * Ends programs, threads and address spaces, once migrations in flight are done; new calls get ESHUTDOWN. May be called
   * again. The memory is given back once nothing refers to the machine or to a view on it any more.
   */
  close(): Promise<void> {
    return this.#lifetime.close(() => this.#end());
  }

  /** As {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #end(): Promise<void> {
    await this.cpus.close();
    for (const mm of this.#spaces) await mm.close();
    await this.#cpuMt.close();
    await this.#dcbm.close();
    this.offload.folioStream.close();
  }

  async #during<T>(mm: AddressSpace, run: () => Promise<T>): Promise<T> {
    this.#lifetime.checkOpen();
    if (!this.#spaces.has(mm) && !(AddressSpace.is(mm) && mm.closed))
      throw new ErrnoError('ESRCH', `mm: must be an address space of this machine, got ${show(mm)}`);
    return this.#lifetime.during(run);
  }

  /** Runs a call in the manner that it asks for, and keeps the migrator that it names for as long. */
  async #inManner<T>(
    options: MigrationSettings,
    cause: Pick<MigrateManner, 'mode' | 'reason'>,
    run: (manner: MigrateManner) => Promise<T>,
  ): Promise<T> {
    const { migrator } = options;
    const migrators = migrator === undefined ? this.offload : this.offload.named(await this.#migrator(migrator));
    try {
      return await run({ ...this.#mannerOf(options, cause.reason), ...cause, migrators });
    } finally {
      migrators.put();
    }
  }

  /** What a call asks for, and else what the machine has for its reason. */
  #mannerOf(options: MigrationSettings, reason: MigrateReason): Manner {
    const { demotionStores } = this.#manner;
    return mannerOf(options, reason === 'demotion' ? { ...this.#manner, stores: demotionStores } : this.#manner);
  }

  /** What zeroes folios for faults; closing the machine waits for those that it has in hand. */
  #createClearOffload(clear: Clear): ClearOffload {
    const offload = createClearOffload(this.offload, clear);
    return {
      wants: (bytes) => !this.#lifetime.isClosed && offload.wants(bytes),
      clear: (address, bytes) => this.#lifetime.during(() => offload.clear(address, bytes)),
    };
  }

  async #migrator(named: MigratorName | Migrator): Promise<Migrator | undefined> {
    if (named === 'kernel') return undefined;
    if (typeof named !== 'string') return named;
    const driver = this.#drivers[named];
    await driver.ready();
    return driver.migrator;
  }

  #createSysfs(cpus: number): Sysfs {
    const offloading = { offload: this.offload, offloadSwitch: this.#offloadSwitch };
    return new Sysfs(
      {
        'kernel/cpu_mt': cpuMtFiles(offloading, this.#cpuMt),
        'kernel/dcbm': dcbmFiles(offloading, this.#dcbm),
        'kernel/mm/migration': migrationFiles(offloading, this.#drivers, this.#manner),
        'devices/system/node': nodeFiles(this.memory.nodes.length),
        'devices/system/cpu': cpuFiles(cpus),
      },
      this.#lifetime,
    );
  }
}

/** {@link MachineOptions}, checked, with what a profile has in them. */
interface BootOptions extends MachineOptions {
  /** Bytes of the smallest batch that `'mtcopy'` takes. */
  readonly minBytes?: number;
}

/** Takes from a profile what isn't given. */
function withProfile({ profile, ...given }: MachineOptions): BootOptions {
  if (profile === undefined) return given;
  const { engine, machine } = settingsOf(profile);
  const { channels, minBytes, ...migration } = machine;
  const { distribution, unitBytes } = engine;
  // How an engine shares a batch out doesn't depend on what the batch is copied for.
  const tuned = { ...migration, distribution, unitBytes };
  if (tuned.migrator !== 'dcbm') return { ...tuned, minBytes, ...given };
  const { dcbm = {} } = given;
  const withTuned = (own: DcbmOptions) => ({
    ...own,
    nrDmaChan: own.nrDmaChan ?? channels,
    minBytes: own.minBytes ?? minBytes,
  });
  // What is no object the driver refuses.
  const isObject = typeof dcbm === 'object' && dcbm !== null;
  return { ...tuned, ...given, dcbm: isObject ? withTuned(dcbm) : dcbm };
}

function populateNodes({ nodes, bytes }: PhysicalMemory): void {
  for (const { startPfn, endPfn } of nodes) populate(bytes.subarray(startPfn * PAGE_SIZE, endPfn * PAGE_SIZE));
}

function defaultPcpHigh(nodes: MachineOptions['nodes']): number {
  if (!Array.isArray(nodes)) return 0;
  let smallest = Number.POSITIVE_INFINITY;
  // Holes too, and a list that would not fit on the stack.
  for (const size of nodes) smallest = Math.min(smallest, parseSize(size, 'node size'));
  return Math.floor(pagesOf(smallest) / PCP_HIGH_FRACTION);
}
