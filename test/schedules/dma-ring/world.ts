import { setImmediate as setImmediateAgain } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { DmaCallback, DmaChannel, DmaEngine, PhysicalMemory } from 'mtcopy';
import {
  ATTACHED,
  BELL,
  STATE as CHANNEL_STATE,
  createRing,
  DONE,
  HEAD,
  ringBell,
  SEQUENCE_MASK,
  SILENCE,
  TERMINATE,
  TERMINATED,
  ACTIVE as TRANSLATING,
} from '../../../src/dma/worker/ring.js';
import { countAt, IO_READ, type IommuArea, WAITERS } from '../../../src/dma/worker/translate.js';
import { ERRNO, errnoName } from '../../../src/errno.js';
import type { OffloadBatch } from '../../../src/migrate/migrator.js';
import type { DcbmMigrator, DcbmOptions } from '../../../src/migrators/dcbm.js';
import {
  ACTIVE,
  ASLEEP,
  DEAD,
  DYING,
  EXPECTED,
  FIXED,
  GO,
  LAST,
  MAIN,
  MAX_THREADS,
  OUT,
  of,
  READY,
  STATE,
  THREAD_ID,
} from '../control.js';
import { turn } from '../event-loop.js';
import type { Backstage, Stage } from '../protocol.js';
import type { Region } from '../regions.js';
import { Wrong } from '../scenario.js';
import { eachBlock } from './copies.js';
import { setIommu, startNext } from './protocol.js';
import type { Asked, DmaScenario, Item, Transfer, World } from './scenario.js';
import {
  BLOCK_BYTES,
  BLOCKS,
  CHANNELS,
  FIRST_BLOCK,
  FIRST_IO_ENTRY,
  IO_ENTRIES,
  PLACES,
  RING_WORDS,
  SEEN_DONE,
  SEEN_HEAD,
  SEEN_RECORDS,
  seen,
  TAG_WORD,
} from './words.js';

const PAGE = 4096;
/** A folio of this order has all blocks. */
const ARENA_ORDER = 10;
const ARENA_BLOCKS = (PAGE << ARENA_ORDER) / BLOCK_BYTES;
/** More than a piece, of which several engines copy one in turn. */
const PIECES = BLOCK_BYTES + PAGE;
/** What somebody else writes to memory that is his again. */
const OTHERS = 0xee;
/** What a closed device's rings are filled with. */
const UNTOUCHED = 0x5a5a5a5a;
/** Entries of the I/O page table that scenarios use: low ones where addresses are translated. */
const ENTRIES = 64;
/** Milliseconds that no completion of a scenario takes. */
const LONG_MS = 10_000;
/** Turns of the event loop after which nothing is left of the start. */
const LAST_TURNS = 50;

/** Atomics' own: they don't come into a schedule. */
const { notify, load } = Atomics;

/** One device after the other copies in it. */
let memory: PhysicalMemory | undefined;
let arena = 0;

/** What the library is made of that a stage needs. */
interface Library {
  readonly mtcopy: typeof import('mtcopy');
  readonly createDcbmMigrator: typeof import('../../../src/migrators/dcbm.js').createDcbmMigrator;
  /** Makes a device, and returns what its channels share. */
  create(scenario: DmaScenario, memory: PhysicalMemory): Promise<{ engine: DmaEngine; area: IommuArea }>;
  /** Starts the thread of a channel for the first time. */
  start(channel: DmaChannel): Promise<void>;
}
let library: Library | undefined;

async function loadLibrary({ dist, loop }: Backstage): Promise<Library> {
  const fromDist = (path: string) => import(new URL(path, pathToFileURL(`${dist}/`)).href);
  const mtcopy: typeof import('mtcopy') = await fromDist('index.js');
  const { createDcbmMigrator } = await fromDist('migrators/dcbm.js');
  const { ThreadPool } = await fromDist('threads/pool.js');
  const { Iommu }: typeof import('../../../src/dma/iommu.js') = await fromDist('dma/iommu.js');
  const { ChannelThread }: typeof import('../../../src/dma/channel-thread.js') =
    await fromDist('dma/channel-thread.js');
  loop.schedulePools(ThreadPool.prototype);

  let area: IommuArea | undefined;
  const { addChannel } = Iommu.prototype;
  Iommu.prototype.addChannel = function (words) {
    area = this.area;
    addChannel.call(this, words);
  };
  // Which channel's a thread is, it keeps to itself; so it is noted as each is started for the first time.
  const numbers = new WeakMap<object, number>();
  let first = 0;
  const { start } = ChannelThread.prototype;
  ChannelThread.prototype.start = function () {
    const number = numbers.get(this) ?? first;
    numbers.set(this, number);
    startNext(number);
    start.call(this);
  };
  return {
    mtcopy,
    createDcbmMigrator,
    async create({ device }, memory) {
      const engine = await mtcopy.DmaEngine.create({ memory, ...device });
      if (!area) throw new Error('the device has no channels');
      return { engine, area };
    },
    start(channel) {
      first = channel.number;
      return channel.ready();
    },
  };
}

/** Makes the device of a scenario: one whose threads can be scheduled, and back. */
export async function setStage(backstage: Backstage, scenario: DmaScenario): Promise<Stage> {
  const { control, races, scheduler } = backstage;
  const { words, numbers, tids } = control;
  if (scenario.isPortable) withoutNative();
  library ??= await loadLibrary(backstage);
  const { mtcopy, start } = library;
  if (!memory) {
    memory = mtcopy.PhysicalMemory.create({ nodes: ['16M'] });
    arena = memory.allocFolio(ARENA_ORDER).pfn * PAGE;
  }
  const { engine, area } = await library.create(scenario, memory);
  const channels = Array.from({ length: scenario.device.channels }, () => engine.request());
  // Ours, which no access to is the caller's.
  const rings = channels.map((channel) => races.plain(channel.words));
  const entries = entriesOf(area);
  describe(backstage, rings, races.plain(area.words), entries, memory);
  for (const channel of channels) await serve(channel);
  for (const channel of channels.toReversed()) engine.release(channel);

  /** Has channels requested in the order of their numbers again, in whatever order the schedule before has released them. */
  function sortFree(): void {
    const free = channels.map(() => engine.request());
    free.sort((one, other) => other.number - one.number);
    for (const channel of free) engine.release(channel);
  }

  /** Has a channel served, and notes by which thread: one that is new, or the one that it had. */
  async function serve(channel: DmaChannel): Promise<void> {
    const last = tids.findLastIndex((tid) => tid !== 0);
    await start(channel);
    const newest = tids.findLastIndex((tid) => tid !== 0);
    if (newest !== last) words[of(channel.number + 1, THREAD_ID)] = newest;
  }

  /** Brings the threads of channels into the schedule, asleep. */
  async function bring(coming: readonly number[]): Promise<void> {
    for (const channel of coming) {
      if (rings[channel][CHANNEL_STATE] !== ATTACHED) throw new Error(`channel ${channel} isn't served`);
      words[of(channel + 1, STATE)] = OUT;
      words[of(channel + 1, GO)] = 0;
      numbers[words[of(channel + 1, THREAD_ID)]] = channel + 2;
    }
    words[ACTIVE] = 1;
    const hasCome = (channel: number) => load(words, of(channel + 1, STATE)) === READY;
    while (!coming.every(hasCome)) {
      for (const channel of coming) notify(rings[channel], BELL);
      await turn();
    }
    // What the event loop still has of their start, as the waits for it, is no part of the next schedule.
    for (let turns = 0; turns < LAST_TURNS; turns++) await turn();
  }

  /** Whether a channel's thread has ended, or its task. */
  const isGone = (channel: number) => {
    const state = words[of(channel + 1, STATE)];
    return state === OUT || state === DEAD;
  };

  /** Throws unless a channel is at rest. */
  function checkChannel(channel: number): void {
    const ring = rings[channel];
    const mayGo = scenario.dies || scenario.losesThreads;
    const isAsleep = words[of(channel + 1, STATE)] === ASLEEP;
    if (!isAsleep && !(mayGo && isGone(channel))) throw new Wrong(`channel ${channel} is not asleep at the end`);
    if (ring[TRANSLATING] & 1) throw new Wrong(`channel ${channel} uses translations at the end`);
    if (ring[TERMINATED] !== ring[TERMINATE]) throw new Wrong(`channel ${channel} has not obeyed`);
    if ((ring[DONE] & SEQUENCE_MASK) !== ring[HEAD]) throw new Wrong(`channel ${channel}: DONE isn't HEAD at the end`);
  }

  /** Has channels served again whose threads a schedule has lost. */
  async function revive(gone: readonly number[]): Promise<void> {
    words[ACTIVE] = 0;
    for (const channel of gone) await serve(channels[channel]);
    races.orderAll();
    await bring(gone);
    words[of(MAIN, STATE)] = READY;
    letAll();
    words[of(MAIN, STATE)] = OUT;
  }

  /** Lets threads do what they have to, which is no part of a schedule: nobody dies. */
  function letAll(before = () => {}): void {
    const dying = words[DYING];
    words[DYING] = 0;
    words[FIXED] = 1;
    before();
    scheduler.yieldAs(LAST);
    words[FIXED] = 0;
    words[DYING] = dying;
  }

  const world = createWorld(backstage, engine, memory, rings, library, scenario);
  return {
    run: () => world.play(scenario),
    enter: () => bring([...rings.keys()]),
    async reset() {
      const gone = [...rings.keys()].filter(isGone);
      if (gone.length > 0) await revive(gone);
      sortFree();
      // A channel that keeps to its speed remembers until when it is busy.
      control.clock[0] = scenario.device.descriptorNs ? Math.ceil(control.clock[0]) + LONG_MS : 0;
      for (const [channel, ring] of rings.entries()) {
        words[seen(channel, SEEN_HEAD)] = ring[HEAD];
        words[seen(channel, SEEN_DONE)] = words[seen(channel, SEEN_RECORDS)] = ring[DONE];
      }
      world.clear();
    },
    strike() {
      words[ACTIVE] = 0;
      for (let thread = 0; thread < MAX_THREADS; thread++) words[of(thread, STATE)] = OUT;
      world.checkMemory();
      if (rings.some((ring) => ring.some((word) => word !== UNTOUCHED))) {
        throw new Wrong('a ring is written to after the device was closed');
      }
    },
    lookAll() {
      const behind = rings.filter(
        (ring, channel) => !isGone(channel) && words[of(channel + 1, EXPECTED)] !== ring[BELL],
      );
      if (behind.length === 0) return;
      letAll(() => behind.forEach(ringBell));
    },
    checkRest() {
      world.checkMemory();
      for (const channel of rings.keys()) checkChannel(channel);
      if (area.words[WAITERS] !== 0) throw new Wrong('somebody waits for translations at the end');
      if (entries.some((entry) => entry !== 0)) {
        throw new Wrong('something is mapped at the end');
      }
      if (engine.freeChannels !== channels.length)
        throw new Wrong(`${engine.freeChannels} channels are free at the end`);
    },
  };
}

/** The entries of an I/O page table that scenarios use. */
function entriesOf({ mode, pages }: IommuArea): Int32Array {
  if (mode !== 'passthrough') return pages.subarray(0, ENTRIES);
  const first = countAt(arena / PAGE, IO_READ);
  return pages.subarray(first, first + 2 * (1 << ARENA_ORDER));
}

/** Has the library find no loop in C. */
function withoutNative(): void {
  process.dlopen = () => {
    throw new Error('there is none');
  };
}

function describe(
  { control: { words }, regions }: Backstage,
  rings: readonly Int32Array[],
  iommu: Int32Array,
  entries: Int32Array,
  { buffer }: PhysicalMemory,
): void {
  const [{ byteLength }] = rings.map((one) => one.buffer);
  words[RING_WORDS] = byteLength / 4;
  words[CHANNELS] = rings.length;
  words[PLACES] = placesOf(byteLength / 4);
  words[IO_ENTRIES] = entries.length;
  words[FIRST_IO_ENTRY] = entries.byteOffset / 4;
  words[BLOCKS] = ARENA_BLOCKS;
  words[FIRST_BLOCK] = arena / BLOCK_BYTES;
  const all: Region[] = rings.map((one, channel) => ({
    buffer: one.buffer as SharedArrayBuffer,
    address: 0,
    words: byteLength / 4,
    tag: { address: TAG_WORD * 4, value: UNTOUCHED - channel },
  }));
  all.push({ buffer: iommu.buffer as SharedArrayBuffer, address: 0, words: iommu.length });
  if (entries.length > 0) {
    const { buffer: table, byteOffset, length } = entries;
    all.push({ buffer: table as SharedArrayBuffer, address: byteOffset, words: length });
  }
  all.push({ buffer, address: arena, words: ARENA_BLOCKS, stride: BLOCK_BYTES });
  setIommu(iommu.buffer);
  regions.describe(all);
}

/** Places of a ring of so many words. */
function placesOf(words: number): number {
  for (let places = 1; ; places *= 2) if (createRing(places).buffer.byteLength === words * 4) return places;
}

/** Lets a silent channel go on. */
function wake(words: Int32Array): void {
  Atomics.add(words, SILENCE, 1);
  Atomics.notify(words, SILENCE);
}

interface Submitted extends Transfer {
  readonly isKept: boolean;
}

interface StagedWorld extends World {
  play(scenario: DmaScenario): Promise<void>;
  clear(): void;
  /** Throws if a channel has written to what was somebody else's by then. */
  checkMemory(): void;
}

function createWorld(
  { control, races, loop }: Backstage,
  engine: DmaEngine,
  memory: PhysicalMemory,
  rings: readonly Int32Array[],
  { createDcbmMigrator, mtcopy: { createSgTable } }: Library,
  { dies, isImpatient }: DmaScenario,
): StagedWorld {
  const sources = memory.bytes.subarray(arena, arena + (ARENA_BLOCKS / 2) * BLOCK_BYTES);
  for (let i = 0; i < sources.length; i++) sources[i] = (Math.imul(i, 0x9e3779b1) >>> 24) | 1;
  let requested: DmaChannel[] = [];
  let transfers: Transfer[] = [];
  let used: Item[] = [];
  let given = new Set<Item>();
  let isClosed = false;
  /** What went wrong where nobody would hear of it. */
  let problem: string | undefined;

  const bytesAt = (address: number, bytes: number) =>
    Buffer.from(memory.buffer as unknown as ArrayBuffer, address, bytes);
  /** Tells of an access of the caller's to a range. */
  const access = (address: number, bytes: number, writes: boolean) =>
    eachBlock(control, address, bytes, (word) => races.access(word, writes));

  function isCopied({ to, from, bytes }: Item): boolean {
    access(to, bytes, false);
    return bytesAt(to, bytes).equals(bytesAt(from, bytes));
  }

  function calledBack(transfer: Submitted, cookie: number, errno: number): void {
    const { items, isKept } = transfer;
    if (transfer.errno !== undefined) problem ??= `descriptor ${cookie} is called back twice`;
    if (cookie !== transfer.cookie) problem ??= `descriptor ${transfer.cookie} is called back as ${cookie}`;
    transfer.errno = errno;
    for (const item of items) {
      if (errno === 0 && !given.has(item) && !isCopied(item)) problem ??= `descriptor ${cookie} is not copied`;
      if (!isKept) world.giveAway(item);
    }
  }

  /** Submits what `prepare` prepares with the callback that it gets. */
  function submitted(
    channel: DmaChannel,
    items: readonly Item[],
    prepare: (callback: DmaCallback) => number,
    isKept = false,
  ): Transfer {
    const transfer = { items, cookie: 0, errno: undefined, isKept };
    const prepared = prepare((cookie, _, errno) => calledBack(transfer, cookie, errno));
    if (prepared === 0) throw new Wrong('the queue is full');
    transfer.cookie = channel.submit(prepared);
    transfers.push(transfer);
    return transfer;
  }

  const world: StagedWorld = {
    engine,
    request() {
      const channel = engine.request();
      requested.push(channel);
      return channel;
    },
    release(channel: DmaChannel) {
      requested = requested.filter((one) => one !== channel);
      engine.release(channel);
    },
    item(size: 'page' | 'pieces' = 'page'): Item {
      const block = used.length * 2;
      if (block >= ARENA_BLOCKS / 2) throw new Error('no memory is left');
      const from = arena + block * BLOCK_BYTES;
      const item = { from, to: from + (ARENA_BLOCKS / 2) * BLOCK_BYTES, bytes: size === 'page' ? PAGE : PIECES };
      used.push(item);
      return item;
    },
    read: ({ from, bytes }: Item) => Buffer.from(bytesAt(from, bytes)),
    submit(
      channel: DmaChannel,
      { item = world.item(), dma = item, interrupt = true, fault, mode, isKept }: Asked = {},
    ) {
      engine.faults = { descriptor: () => fault ?? 'none' };
      const { bytes } = item;
      const prepare = (callback: DmaCallback) => channel.prepMemcpy(dma.to, dma.from, bytes, interrupt, callback, mode);
      return submitted(channel, [item], prepare, isKept);
    },
    submitTables(channel: DmaChannel, items: readonly Item[]) {
      const all = (name: keyof Item) => Uint32Array.from(items, (item) => item[name]);
      const tables = [createSgTable(all('to'), all('bytes')), createSgTable(all('from'), all('bytes'))] as const;
      engine.faults = undefined;
      engine.mapSg(tables[0], 'from-device');
      engine.mapSg(tables[1], 'to-device');
      return submitted(channel, items, (callback) => channel.prepMemcpySg(...tables, true, callback));
    },
    checkStatus(channel: DmaChannel, ...all: readonly Transfer[]) {
      for (const { cookie, items } of all) {
        if (channel.txStatus(cookie) !== 'DMA_COMPLETE') continue;
        if (!items.every((item) => given.has(item) || isCopied(item)))
          throw new Wrong(`descriptor ${cookie} is not copied`);
      }
    },
    async finish(channel: DmaChannel, wait?: 'sleep' | 'poll') {
      while (channel.inFlight > 0) {
        const began = performance.now();
        const found = await channel.completions(LONG_MS, wait);
        if (isImpatient) continue;
        if (!found || performance.now() - began >= LONG_MS) throw new Wrong('a completion was told to nobody');
      }
    },
    async copyOne(channel: DmaChannel, asked: Asked = {}) {
      const once = async () => {
        const transfer = world.submit(channel, asked);
        channel.issuePending();
        await world.finish(channel);
        return transfer;
      };
      const first = await once();
      // Who dies does so once.
      if (dies && first.errno === ERRNO.ECANCELED) world.checkCopied(await once());
      else world.checkCopied(first);
    },
    async copyMapped(channel: DmaChannel) {
      const item = world.item();
      const { dma, unmap } = world.map(item);
      await world.copyOne(channel, { item, dma });
      await unmap();
    },
    checkCopied: (...all: readonly Transfer[]) => world.checkOver([], ...all),
    checkOver(codes: readonly string[], ...all: readonly Transfer[]) {
      for (const { errno, cookie } of all) {
        if (errno === undefined) throw new Wrong(`descriptor ${cookie} was not called back`);
        const code = errnoName(errno) ?? '';
        if (errno !== 0 && !codes.includes(code)) throw new Wrong(`descriptor ${cookie} failed with ${code}`);
      }
    },
    map({ to, from, bytes }: Item) {
      const dma = {
        from: engine.mapSingle(from, bytes, 'to-device'),
        to: engine.mapSingle(to, bytes, 'from-device'),
      };
      const unmapFrom = async () => engine.unmapSingle(dma.from, from, bytes, 'to-device');
      const unmapTo = async () => engine.unmapSingle(dma.to, to, bytes, 'from-device');
      const unmap = async () => void (await Promise.all([unmapFrom(), unmapTo()]));
      return { dma, unmapTo, unmapFrom, unmap };
    },
    giveAway(item: Item) {
      const { to, from, bytes } = item;
      given.add(item);
      access(to, bytes, true);
      access(from, bytes, true);
      memory.bytes.fill(OTHERS, to, to + bytes);
    },
    dcbm: (options?: DcbmOptions): DcbmMigrator =>
      createDcbmMigrator({ device: engine.device, engine: () => engine }, memory, options),
    batch(folios: number): OffloadBatch {
      const items = Array.from({ length: folios }, () => world.item());
      const all = (name: keyof Item) => Uint32Array.from(items, (item) => item[name]);
      const usage = { caller: 0, threads: 0, map: 0, submit: 0, wait: 0, unmap: 0 };
      engine.faults = undefined;
      return {
        items: { to: all('to'), from: all('from'), bytes: all('bytes') },
        copied: new Uint8Array(folios),
        usage,
        isPrivate: false,
        stores: 'cached',
      };
    },
    checkBatch({ items, copied }: OffloadBatch) {
      let count = 0;
      for (const item of used) {
        const at = items.to.indexOf(item.to);
        if (at < 0) continue;
        if (copied[at] !== 0 && !isCopied(item)) throw new Wrong(`folio ${at} is marked and not copied`);
        if (copied[at] !== 0) count++;
        world.giveAway(item);
      }
      return count;
    },
    later: (action: () => unknown) =>
      new Promise<void>((resolve) => {
        setImmediate(() => resolve((async () => void (await action()))()));
      }),
    async until(condition: () => boolean) {
      while (!condition()) await setImmediateAgain();
    },
    rest: () => loop.fireTimers(),
    wake: ({ words }: DmaChannel) => wake(words),
    wakeAll: () => rings.forEach(wake),
    afterClose() {
      isClosed = true;
      for (const ring of rings) ring.fill(UNTOUCHED);
    },
    async play(scenario: DmaScenario) {
      await scenario.run(world);
      if (problem !== undefined) throw new Wrong(problem);
      const left = transfers.find(({ errno }) => errno === undefined);
      if (left) throw new Wrong(`descriptor ${left.cookie} is never called back`);
      for (const channel of requested.toReversed()) engine.release(channel);
    },
    checkMemory() {
      if (problem !== undefined) throw new Wrong(problem);
      for (const { to, bytes } of given) {
        if (bytesAt(to, bytes).some((byte) => byte !== OTHERS)) {
          throw new Wrong(`a channel has written to ${to}, which was somebody else's`);
        }
      }
    },
    clear() {
      for (const { to, bytes } of used) memory.bytes.fill(0, to, to + bytes);
      requested = [];
      transfers = [];
      used = [];
      given = new Set();
      if (isClosed) throw new Error('each schedule of a scenario that closes has a device of its own');
    },
  };
  return world;
}
