import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as mtcopy from 'mtcopy';
import {
  type Area,
  CopyEngine,
  createSgTable,
  type DmaChannel,
  DmaEngine,
  type DmaEngineOptions,
  ErrnoError,
  type Folio,
  Machine,
  MPOL_MF_MOVE,
  type OffloadBatch,
  PAGE_SIZE,
  PhysicalMemory,
  type SgTable,
} from 'mtcopy';
import { BOOM } from './faults.js';
import { ROOT } from './paths.js';
import { profile } from './profiles.js';

/*
 * Everything that a user can call, with arguments that are right, so that they can be made wrong one by one.
 */

/** One of everything. */
export interface World {
  readonly engine: CopyEngine;
  readonly machine: Machine;
  readonly dma: DmaEngine;
  readonly dmaMemory: PhysicalMemory;
  readonly channel: DmaChannel;
  readonly table: SgTable;
  readonly to: Uint8Array;
  readonly from: Uint8Array;
  readonly area: Area;
  readonly folio: Folio;
  readonly pfn: number;
  /** Of the machine's folio, which is copied to where it is. */
  readonly batch: OffloadBatch;
  close(): Promise<void>;
}

export const LENGTH = 4 * PAGE_SIZE;

export async function createWorld(): Promise<World> {
  const engine = await CopyEngine.create({ threads: 1, memory: '4M' });
  const machine = await Machine.boot({ nodes: ['4M', '4M'], cpus: 1, threads: 1, dma: { key: 7, channels: 2 } });
  const dmaMemory = PhysicalMemory.create({ nodes: ['4M'] });
  const dma = await DmaEngine.create({ memory: dmaMemory, device: 'dsa', iommu: 'translated', channels: 2, key: 3 });
  const [to, from] = [engine.allocate(LENGTH), engine.allocate(LENGTH)];
  from.fill(7);
  const area = machine.createAddressSpace().mmap({ length: LENGTH, populate: true });
  await area.mm.write(area.address, new Uint8Array(LENGTH).fill(9));
  const folio = machine.memory.allocFolio(0);
  const pfn = dmaMemory.allocFolio(0).pfn as number;
  const address = Uint32Array.of(folio.pfn * PAGE_SIZE);
  const items = { to: address, from: address, bytes: Uint32Array.of(PAGE_SIZE) };
  const usage = { caller: 0, threads: 0, map: 0, submit: 0, wait: 0, unmap: 0 };
  const batch: OffloadBatch = { items, copied: new Uint8Array(1), usage, isPrivate: false, stores: 'cached' };
  return {
    engine,
    machine,
    dma,
    dmaMemory,
    channel: dma.request(),
    table: createSgTable(Uint32Array.of(pfn * PAGE_SIZE), Uint32Array.of(PAGE_SIZE)),
    to,
    from,
    area,
    folio,
    pfn,
    batch,
    async close() {
      await Promise.all([engine.close(), machine.close(), dma.close()]);
    },
  };
}

/** A function or a method, with arguments that are right. */
export interface Target {
  call(world: World, ...args: never[]): unknown;
  right(world: World): readonly unknown[];
  /** Takes back what a call that was right after all has done. */
  undo?: ((world: World, result: never) => unknown) | undefined;
  /** Codes beside this library's that it may fail with. */
  readonly codes?: readonly string[];
  /** Runs, if one takes long. */
  readonly runs?: number | undefined;
}

const close = (_: World, made: AsyncDisposable) => made[Symbol.asyncDispose]();
const operations = { isolate: () => true, migrate: () => 0, putback: () => {} };
const PROGRAM = 'data:text/javascript,export default () => 1';
const migrator = { name: 'own', copyFolios: () => 0 };
const pure = (call: (...args: never[]) => unknown, ...right: unknown[]): Target => ({
  call: (_, ...args) => call(...args),
  right: () => right,
});

/** A property that can be set; what was there is put back. */
function setter<Owner extends object>(ownerOf: (world: World) => Owner, name: keyof Owner): Target {
  let before: Owner[keyof Owner];
  return {
    call(world, value) {
      const owner = ownerOf(world);
      before = owner[name];
      owner[name] = value;
    },
    right: (world) => [ownerOf(world)[name]],
    undo(world) {
      ownerOf(world)[name] = before;
    },
  };
}

/** A method of something in the world. */
function method<Owner extends object>(
  ownerOf: (world: World) => Owner,
  name: keyof Owner,
  right: (world: World) => readonly unknown[],
  undo?: Target['undo'],
): Target {
  return { call: (world, ...args) => (ownerOf(world)[name] as (...args: never[]) => unknown)(...args), right, undo };
}

const engine = ({ engine }: World) => engine;
const machine = ({ machine }: World) => machine;
const memory = ({ machine }: World) => machine.memory;
const mm = ({ area }: World) => area.mm;
const dma = ({ dma }: World) => dma;
const channel = ({ channel }: World) => channel;
const offload = ({ machine }: World) => machine.offload;
const sysfs = ({ machine }: World) => machine.sysfs;
const dcbm = ({ machine }: World) => machine.dcbm;
const pair = ({ to, from }: World) => ({ to, from });
const sync = { caller: 'helps', stores: 'cached' };
const async = { ...sync, signal: new AbortController().signal };
const syncCompare = { caller: 'helps' };
const asyncCompare = { ...syncCompare, signal: new AbortController().signal };
const manner = {
  migrator: 'kernel',
  flow: 'vanilla',
  batchLimit: 4,
  batchUnit: 'pages',
  batchesInFlight: 1,
  stores: 'auto',
};
const items = ({ to, from }: World) => ({
  to: Uint32Array.of(to.byteOffset),
  from: Uint32Array.of(from.byteOffset),
  bytes: Uint32Array.of(LENGTH),
});
/** What is prepared is nobody's until it is submitted, and forgotten by terminating. */
const prepared = ({ channel }: World) => channel.terminate();

/** What ends something of its own, that nobody else needs, and whose end can be asked for twice. */
function ending(make: (world: World) => Closable | Promise<Closable>, runs?: number): Target {
  return {
    async call(world, ...[what]) {
      const made = await make(world);
      await made.close(what);
      await made.close(what);
    },
    right: () => [undefined],
    runs,
  };
}

interface Closable {
  close(what?: unknown): Promise<void>;
}

/** By `Class.static`, `Class#method`, `Class#property=`, or the name of a function. */
export const TARGETS: Readonly<Record<string, Target>> = {
  'CopyEngine.create': {
    call: (_, options) => CopyEngine.create(options),
    right: () => [
      { memory: '1M', threads: 1, schedule: 'static', caller: 'auto', unitBytes: 'auto', minParallelBytes: 0 },
    ],
    undo: close,
    runs: 25,
  },
  'CopyEngine#close': ending(() => CopyEngine.create({ memory: '1M', threads: 1 }), 10),
  'CopyEngine#threads=': setter(engine, 'threads'),
  'CopyEngine#methodFor': method(engine, 'methodFor', () => [4096]),
  'CopyEngine#ready': method(engine, 'ready', () => []),
  'CopyEngine#allocate': method(
    engine,
    'allocate',
    () => [4096, { node: 0, populate: false }],
    (world, view) => world.engine.free(view),
  ),
  'CopyEngine#free': {
    call: (world, view) => world.engine.free(view),
    // Not those that others need.
    right: (world) => [world.engine.memory.bytes.subarray(0, 4096)],
  },
  'CopyEngine#copy': method(engine, 'copy', ({ to, from }) => [to, from, async]),
  'CopyEngine#copyBatch': method(engine, 'copyBatch', (world) => [[pair(world)], async]),
  'CopyEngine#copySync': method(engine, 'copySync', ({ to, from }) => [to, from, sync]),
  'CopyEngine#copyBatchSync': method(engine, 'copyBatchSync', (world) => [items(world), sync]),

  'CopyEngine#fill': method(engine, 'fill', ({ to }) => [to, 7, async]),
  'CopyEngine#fillSync': method(engine, 'fillSync', ({ to }) => [to, 7, sync]),
  'CopyEngine#compare': method(engine, 'compare', ({ to, from }) => [to, from, asyncCompare]),
  'CopyEngine#compareSync': method(engine, 'compareSync', ({ to, from }) => [to, from, syncCompare]),

  'Machine.boot': {
    call: (_, options) => Machine.boot(options),
    right: () => [{ nodes: ['4M'], cpus: 0, threads: 1, dma: {}, dcbm: {}, ipiTimeoutMs: 5, pcpHigh: 1, ...manner }],
    undo: close,
    runs: 40,
  },
  'Machine#close': ending(() => Machine.boot({ nodes: ['4M'], cpus: 0 }), 40),
  'Machine#threads=': setter(machine, 'threads'),
  'Machine#schedule=': setter(machine, 'schedule'),
  'Machine#caller=': setter(machine, 'caller'),
  'Machine#flow=': setter(machine, 'flow'),
  'Machine#batchLimit=': setter(machine, 'batchLimit'),
  'Machine#demotionStores=': setter(machine, 'demotionStores'),
  'Machine#ready': method(machine, 'ready', () => ['kernel']),
  'Machine#methodFor': method(machine, 'methodFor', () => [
    4096,
    { migrator: 'kernel', reason: 'demotion', flow: 'serial', stores: 'auto', folioBytes: 4096 },
  ]),
  'Machine#createAddressSpace': method(machine, 'createAddressSpace', () => [{ uid: 1, memsAllowed: [0, 1] }], close),
  'Machine#movePages': method(machine, 'movePages', ({ area }) => [
    area.mm,
    area.pages(),
    { node: 1, nodes: undefined, flags: MPOL_MF_MOVE, uid: 0, capSysNice: true, ...manner },
  ]),
  'Machine#migratePages': method(machine, 'migratePages', ({ area }) => [
    area.mm,
    { from: [0], to: [1], uid: 0, capSysNice: true, ...manner },
  ]),
  'Machine#migrateFolios': method(machine, 'migrateFolios', ({ area }) => [
    area.mm,
    area.pages(),
    { node: 1, reason: 'compaction', mode: 'MIGRATE_SYNC', ...manner },
  ]),
  'Machine#setMovable': method(
    machine,
    'setMovable',
    ({ folio }) => [folio, operations],
    ({ machine, folio }) => machine.clearMovable(folio),
  ),
  'Machine#clearMovable': method(machine, 'clearMovable', ({ folio }) => [folio]),
  'Machine#migrateMovable': method(machine, 'migrateMovable', ({ folio }) => [
    [folio],
    { node: 1, reason: 'compaction', mode: 'MIGRATE_SYNC', ...manner },
  ]),
  'Machine#sealFolio': method(
    machine,
    'sealFolio',
    ({ folio }) => [folio],
    ({ machine, folio }) => machine.unsealFolio(folio),
  ),
  'Machine#unsealFolio': method(machine, 'unsealFolio', ({ folio }) => [folio]),

  'Cpus#run': {
    ...method(
      ({ machine }) => machine.cpus,
      'run',
      ({ area }) => [area.mm, PROGRAM, { cpu: 0, args: 1 }],
    ),
    codes: ['DataCloneError'],
    runs: 60,
  },
  'Cpus#close': ending(async () => {
    const machine = await Machine.boot({ nodes: ['4M'], cpus: 1 });
    const cpus: Closable = machine.cpus;
    return {
      async close(what) {
        await cpus.close(what);
        await machine.close();
      },
    };
  }, 10),
  'Cpus#stop': method(
    ({ machine }) => machine.cpus,
    'stop',
    () => [0],
  ),

  'OffloadRegistry#register': method(
    offload,
    'register',
    () => [migrator, 'compaction'],
    ({ machine: { offload } }) => {
      return offload.active && offload.unregister(offload.active);
    },
  ),
  'OffloadRegistry#unregister': method(offload, 'unregister', () => [migrator]),
  'OffloadRegistry#setReasonMask': method(offload, 'setReasonMask', () => [migrator, 'all']),

  'Sysfs#read': method(sysfs, 'read', () => ['kernel/cpu_mt/threads']),
  'Sysfs#write': method(sysfs, 'write', () => ['kernel/mm/migration/flow', 'vanilla']),
  'Sysfs#list': method(sysfs, 'list', () => ['kernel']),
  'Sysfs#files': method(sysfs, 'files', () => []),

  'AddressSpace#close': ending(({ machine }) => machine.createAddressSpace()),
  'AddressSpace#mmap': method(
    mm,
    'mmap',
    () => [{ length: '16K', folioSize: '4K', node: 0, populate: true, shared: false, file: undefined }],
    ({ area }, mapped: Area) => area.mm.munmap(mapped.address, mapped.length),
  ),
  'AddressSpace#munmap': {
    // Of one of its own: what is unmapped can't be had back.
    async call({ machine }, ...[address, length]) {
      await using own = machine.createAddressSpace();
      own.mmap({ length: '16K', populate: true });
      await own.munmap(address, length);
    },
    right: () => [2 * mtcopy.MiB, PAGE_SIZE],
  },
  'AddressSpace#fork': {
    async call(world, ...[area, child]) {
      const own = world.machine.createAddressSpace();
      try {
        await world.area.mm.fork(area, child === 'own' ? own : child);
      } finally {
        await own.close();
        // What it has taken away from the parent it has again with the next store.
        await world.area.mm.write(world.area.address, await world.area.mm.read(world.area.address, LENGTH));
      }
    },
    right: ({ area }) => [area, 'own'],
  },
  'AddressSpace#read': method(mm, 'read', ({ area }) => [area.address, 10]),
  'AddressSpace#write': method(
    mm,
    'write',
    ({ area }) => [area.address, new Uint8Array(10).fill(9)],
    ({ area }) => area.mm.write(area.address, new Uint8Array(LENGTH).fill(9)),
  ),
  'AddressSpace#folioAt': method(mm, 'folioAt', ({ area }) => [area.address]),
  'Area#pages': method(
    ({ area }) => area,
    'pages',
    () => [],
  ),
  'Area#folios': method(
    ({ area }) => area,
    'folios',
    () => [],
  ),

  'PhysicalMemory.create': pure((options) => PhysicalMemory.create(options), { nodes: ['1M'], pcpHigh: 3 }),
  'PhysicalMemory#folio': method(memory, 'folio', ({ folio }) => [folio.pfn]),
  'PhysicalMemory#allocFolio': method(
    memory,
    'allocFolio',
    () => [0, { node: 1 }],
    (_, folio: Folio) => folio.put(),
  ),
  'PhysicalMemory#allocFolios': method(
    memory,
    'allocFolios',
    () => [3, 1, { node: 1, frames: 'shuffled', seed: 3 }],
    ({ machine }, pfns) => machine.memory.freeFolios(pfns),
  ),
  'PhysicalMemory#freeFolios': method(memory, 'freeFolios', () => [new Uint32Array(0)]),
  // A frame that is nobody's, but for those that count.
  'PhysicalMemory#putFolio': method(memory, 'putFolio', () => [8, 2]),
  'PhysicalMemory#allocContig': method(
    memory,
    'allocContig',
    () => [2, { node: 0 }],
    ({ machine }, pfn) => machine.memory.freeContig(pfn),
  ),
  'PhysicalMemory#freeContig': method(memory, 'freeContig', ({ folio }) => [folio.pfn]),
  'PhysicalMemory#contigPages': method(memory, 'contigPages', ({ folio }) => [folio.pfn]),
  'PhysicalMemory#poison': method(memory, 'poison', () => [1]),
  'PhysicalMemory#unpoison': method(memory, 'unpoison', ({ folio }) => [folio.pfn]),
  'PhysicalMemory#isPoisoned': method(memory, 'isPoisoned', ({ folio }) => [folio.pfn * PAGE_SIZE, PAGE_SIZE]),
  'MemoryNode#freeBlocks': method(
    ({ machine }) => machine.memory.nodes[0],
    'freeBlocks',
    () => [0],
  ),

  'Folio#get': method(
    ({ folio }) => folio,
    'get',
    () => [],
    ({ folio }) => folio.put(),
  ),
  // Those that take nothing: of a folio in the middle of another, or of none.
  'Folio#put': pure(() => {}),
  'Folio#tryLock': method(
    ({ folio }) => folio,
    'tryLock',
    () => [],
    ({ folio }) => folio.unlock(),
  ),
  'Folio#unlock': method(
    ({ folio }) => folio,
    'unlock',
    () => [],
  ),
  'Folio#startWriteback': method(
    ({ folio }) => folio,
    'startWriteback',
    () => [],
    ({ folio }) => folio.endWriteback(),
  ),
  'Folio#endWriteback': method(
    ({ folio }) => folio,
    'endWriteback',
    () => [],
  ),
  'Folio#private=': setter(({ folio }) => folio, 'private'),

  'DmaEngine.create': {
    call: (_, options) => DmaEngine.create(options),
    right: ({ dmaMemory }) => [
      {
        memory: dmaMemory,
        device: 'ptdma',
        iommu: 'none',
        key: 1,
        channels: 1,
        queueDepth: 4,
      } satisfies DmaEngineOptions,
    ],
    undo: close,
  },
  'DmaEngine#close': ending(({ dmaMemory }) => DmaEngine.create({ memory: dmaMemory, device: 'ptdma' })),
  'DmaEngine#request': method(
    dma,
    'request',
    () => ['memcpy-sg'],
    ({ dma }, channel) => dma.release(channel),
  ),
  'DmaEngine#ready': method(dma, 'ready', () => [1]),
  'DmaEngine#release': method(dma, 'release', () => [undefined]),
  'DmaEngine#mapSg': method(
    dma,
    'mapSg',
    ({ table }) => [table, 'to-device'],
    ({ dma, table }) => dma.unmapSg(table),
  ),
  'DmaEngine#unmapSg': method(dma, 'unmapSg', ({ table }) => [table]),
  'DmaEngine#mapSingle': {
    call: (world, ...[address, bytes, direction]) => {
      const at = world.dma.mapSingle(address, bytes, direction);
      return world.dma.unmapSingle(at, address, bytes, direction);
    },
    right: ({ pfn }) => [pfn * PAGE_SIZE, PAGE_SIZE, 'to-device'],
  },
  'DmaEngine#unmapSingle': method(dma, 'unmapSingle', ({ pfn }) => [1, pfn * PAGE_SIZE, PAGE_SIZE, 'to-device']),
  'DmaEngine#seal': method(
    dma,
    'seal',
    ({ pfn }) => [pfn * PAGE_SIZE, 4, 10_000],
    ({ dma, pfn }) => dma.unseal(pfn * PAGE_SIZE, 4),
  ),
  'DmaEngine#unseal': method(
    dma,
    'unseal',
    ({ pfn }) => [pfn * PAGE_SIZE, 4, 10_000],
    ({ dma, pfn }) => dma.seal(pfn * PAGE_SIZE, 4),
  ),
  'DmaChannel#prepMemcpy': method(channel, 'prepMemcpy', () => [4096, 8192, 16, true, () => {}, 'plain'], prepared),
  'DmaChannel#prepMemcpySg': method(channel, 'prepMemcpySg', ({ table }) => [table, table, true, () => {}], prepared),
  'DmaChannel#submit': method(channel, 'submit', () => [1]),
  'DmaChannel#issuePending': method(channel, 'issuePending', () => []),
  'DmaChannel#txStatus': method(channel, 'txStatus', () => [1]),
  'DmaChannel#poll': method(channel, 'poll', () => []),
  'DmaChannel#completions': method(channel, 'completions', () => [1, 'sleep']),
  'DmaChannel#ready': method(channel, 'ready', () => []),
  'DmaChannel#terminate': method(channel, 'terminate', () => []),

  ...Object.fromEntries(
    (['nrDmaChan', 'setup', 'wait', 'cpuShare', 'timeoutMs', 'minFolios', 'minBytes', 'queueDepth'] as const)
      .concat(['foliosMigrated', 'foliosFailures'] as never[])
      .map((name) => [`DcbmMigrator#${name}=`, setter(dcbm, name)]),
  ),

  'DcbmMigrator#copyFolios': {
    // The items of a batch that is right may be wrong.
    call({ machine, batch }, ...[given, items]) {
      return machine.dcbm.copyFolios(given === batch ? { ...batch, items } : given);
    },
    right: ({ batch }) => [batch, batch.items],
    undo({ machine: { dcbm } }) {
      dcbm.foliosMigrated = 0;
      dcbm.foliosFailures = 0;
    },
  },

  ErrnoError: pure((code, message, options) => new ErrnoError(code, message, options), 'EIO', 'it', { cause: BOOM }),
  checkProfile: pure((value, name) => mtcopy.checkProfile(value, name), profile(), 'name'),
  createSgTable: pure((address, bytes) => createSgTable(address, bytes), new Uint32Array(1), new Uint32Array(1)),
  errnoName: pure((errno) => mtcopy.errnoName(errno), 12),
  formatReasonMask: pure((mask) => mtcopy.formatReasonMask(mask), 3),
  formatSize: pure((bytes) => mtcopy.formatSize(bytes), 4096),
  fractionCopy: pure((phases) => mtcopy.fractionCopy(phases), {
    isolate: 1,
    unmap: 1,
    flush: 1,
    copy: 1,
    move: 1,
    putBack: 1,
  }),
  hostDifferences: pure((one, host) => mtcopy.hostDifferences(one, host), profile(), mtcopy.profileHost()),
  orderOf: pure((bytes) => mtcopy.orderOf(bytes), 4096),
  parseReasonMask: pure((mask, name) => mtcopy.parseReasonMask(mask, name), 'all', 'mask'),
  parseSize: pure((size, name) => mtcopy.parseSize(size, name), '64K', 'size'),
  planCopy: pure(
    (items, lists) => mtcopy.planCopy(items, lists),
    { to: Uint32Array.of(0), from: Uint32Array.of(8192), bytes: Uint32Array.of(4096) },
    2,
  ),
  profileHost: pure(() => mtcopy.profileHost()),
  readProfile: pure((path) => mtcopy.readProfile(path), '/no/such.profile.json'),
  settingsOf: pure((option) => mtcopy.settingsOf(option), { from: profile(), folioSize: '4K', batch: '2M', load: 0 }),
};

/** What only the library makes. */
const ERRORS = ['CopyAbortError', 'UnresponsiveCpuError'];

/** What a declaration file of the package says of a class or an interface: nothing of what is internal. */
function declarationOf(file: string, name: string): string {
  const text = readFileSync(join(ROOT, 'dist', file), 'utf8');
  const [declaration] = new RegExp(`(?:class|interface) ${name}\\b[^]*?\\n}`).exec(text) ?? [];
  if (declaration === undefined) throw new Error(`${file} has no ${name}`);
  return declaration;
}

function membersOf(name: string, object: object, file: string, declared = name): string[] {
  const declaration = declarationOf(file, declared);
  const isDeclared = (member: string) =>
    new RegExp(`^\\s*(?:static |get |set |readonly )?${member}[(<:?]`, 'm').test(declaration);
  return Object.entries(Object.getOwnPropertyDescriptors(object))
    .filter(([member]) => member !== 'constructor' && isDeclared(member))
    .flatMap(([member, { value, set }]) => {
      if (typeof value === 'function') return [`${name}${typeof object === 'function' ? '.' : '#'}${member}`];
      return set ? [`${name}#${member}=`] : [];
    });
}

const isClass = (value: unknown): value is { readonly prototype: object } =>
  typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value));

/** Whether index.d.ts exports it: what is internal it doesn't. */
function isExported(name: string): boolean {
  return new RegExp(`\\b${name}\\b`).test(readFileSync(join(ROOT, 'dist/index.d.ts'), 'utf8'));
}

/** The names of everything public that can be called or set. */
export function surfaceOf(world: World): string[] {
  const CLASSES: readonly (readonly [name: string, instance: object, file: string])[] = [
    ['CopyEngine', world.engine, 'copy/engine.d.ts'],
    ['Machine', world.machine, 'machine.d.ts'],
    ['Cpus', world.machine.cpus, 'mm/cpus.d.ts'],
    ['OffloadRegistry', world.machine.offload, 'migrate/offload.d.ts'],
    ['Sysfs', world.machine.sysfs, 'sysfs/sysfs.d.ts'],
    ['AddressSpace', world.area.mm, 'mm/address-space.d.ts'],
    ['Area', world.area, 'mm/address-space.d.ts'],
    ['PhysicalMemory', world.machine.memory, 'memory/physical-memory.d.ts'],
    ['Folio', world.folio, 'memory/folio.d.ts'],
    ['DmaEngine', world.dma, 'dma/engine.d.ts'],
    ['DmaChannel', world.channel, 'dma/channel.d.ts'],
  ];
  const exported = Object.entries(mtcopy).filter(([name, value]) => typeof value === 'function' && isExported(name));
  const functions = exported.filter(([name, value]) => !isClass(value) && !ERRORS.includes(name)).map(([name]) => name);
  const unknown = exported
    .filter(([name, value]) => isClass(value) && !ERRORS.includes(name))
    .filter(([name]) => !CLASSES.some(([known]) => known === name));
  const members = CLASSES.flatMap(([name, instance, file]) => [
    ...membersOf(name, instance.constructor, file),
    ...membersOf(name, Object.getPrototypeOf(instance), file),
  ]);
  const node = membersOf('MemoryNode', world.machine.memory.nodes[0], 'memory/physical-memory.d.ts');
  const settings = ['DcbmSettings', 'DcbmMigrator'].flatMap((declared) =>
    membersOf('DcbmMigrator', world.machine.dcbm, 'migrators/dcbm.d.ts', declared),
  );
  return Array.from(new Set([...functions, ...unknown.map(([name]) => name), ...members, ...node, ...settings]));
}
