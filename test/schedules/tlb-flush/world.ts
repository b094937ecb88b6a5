import { pathToFileURL } from 'node:url';
import type { AddressSpace, Area, Folio, Machine, UnresponsiveCpuError } from 'mtcopy';
import {
  ACKED,
  cpuWords,
  FAULT_BELL,
  FAULT_STATE,
  NO_FAULT,
  PENDING,
  PENDING_COUNT,
  REQUEST,
  WAITERS,
  WAITING_VPN,
} from '../../../src/cpu/cpu-area.js';
import type { PageTable } from '../../../src/cpu/page-table.js';
import { frameOf, MIGRATION, PRESENT } from '../../../src/cpu/pte.js';
import { PG } from '../../../src/memory/page-metadata.js';
import type { TlbFlusher } from '../../../src/mm/tlb-flush.js';
import { ACTIVE, type Control, DYING, FIXED } from '../control.js';
import type { Backstage, Stage } from '../protocol.js';
import type { Races } from '../races.js';
import type { Region, Regions } from '../regions.js';
import { Wrong } from '../scenario.js';
import { ARRIVED, OPEN } from './program.js';
import { AREA_BYTES } from './protocol.js';
import type { TlbScenario, World } from './scenario.js';
import { AREAS, CPUS, FIRST_VPN, FRAMES, GATE_BYTES, GATE_WORDS, NODE_FRAMES, NODES, PAGES } from './words.js';

const PAGE = 4096;
const PROGRAM = new URL('./tlb-flush-program.js', import.meta.url);
/** A word of a page table that nobody uses, by which threads know it, and what it has in the first table. */
const TAG_ADDRESS = 64;
const TAG = 0x7ab1e000;

type FolioLock = typeof import('../../../src/memory/folio-lock.js');
/** An address space with what is its own, but for schedules. */
type Space = AddressSpace & { readonly table: PageTable };

/** Makes a machine, of which all schedules of a scenario have the same pages. */
export async function setStage(backstage: Backstage, scenario: TlbScenario): Promise<Stage> {
  const { control, regions, races, loop, dist } = backstage;
  const { pages = 1, isUnpopulated, options } = scenario;
  const fromDist = (path: string) => import(new URL(path, pathToFileURL(`${dist}/`)).href);
  const copies = watchCopies(regions, races);
  const mtcopy: typeof import('mtcopy') = await fromDist('index.js');
  const folioLock: FolioLock = await fromDist('memory/folio-lock.js');
  const { ThreadPool } = await fromDist('threads/pool.js');
  loop.schedulePools(ThreadPool.prototype);
  const nodes = Array.from({ length: NODES }, () => FRAMES * PAGE);
  const flusher = watchFlusher((await fromDist('mm/tlb-flush.js')).TlbFlusher.prototype);
  const [machine, words] = await withCpuWords(() => mtcopy.Machine.boot({ nodes, cpus: CPUS, pcpHigh: 0, ...options }));
  const spaces = [machine.createAddressSpace(), machine.createAddressSpace()] as Space[];
  const gate = new Int32Array(new SharedArrayBuffer(GATE_BYTES));
  copies.watch(machine);
  regions.describe([...regionsOf(machine, words, spaces), { buffer: gate.buffer, address: 0, words: GATE_WORDS }]);
  const [mm, child] = spaces;
  const freeFrames = () => machine.memory.nodes.map(({ freePages }) => freePages);
  const free = freeFrames();
  let area: Area | undefined;

  const world: World = {
    machine,
    mm,
    child,
    get area() {
      return area as Area;
    },
    page: (page) => (area as Area).address + page * PAGE,
    anytime: () => loop.anytime(),
    run: (cpu, operations, space = mm) =>
      machine.cpus.run(space, PROGRAM, { cpu, args: { operations, gate } }) as Promise<number[]>,
    async openGate(programs) {
      control.words[FIXED] = 1;
      for (let arrived = 0; arrived < programs; arrived = Atomics.load(gate, ARRIVED)) {
        await Atomics.waitAsync(gate, ARRIVED, arrived).value;
      }
      control.words[FIXED] = 0;
      Atomics.store(gate, OPEN, 1);
      Atomics.notify(gate, OPEN);
      await loop.anytime();
    },
    async move(moved, { node = 1, ...settings } = {}) {
      const result = await machine.movePages(mm, moved.map(world.page), { ...settings, node });
      for (const [i, status] of result.status.entries()) {
        if (status !== node) throw new Wrong(`page ${moved[i]} is not on node ${node}, but ${status}`);
      }
      return result;
    },
    async lockBoth(first, second) {
      const { tryLockFolio, waitForClear } = folioLock;
      const [one, other] = [first, second].map((page) => machineFolio(mm, world.page(page)));
      if (!one.tryLock()) throw new Wrong('the first is locked');
      await new Promise(setImmediate);
      while (!tryLockFolio(machine.memory.page, other.pfn)) {
        await waitForClear(machine.memory.page, other.pfn, PG.locked, 1000);
      }
      other.unlock();
      one.unlock();
    },
    segfaults: (program) => program.catch(unless('EFAULT')),
    mayDie: (program) => program.catch(unless('EIO')),
    isMapped: (space) => (space as Space).table.ptes[FIRST_VPN] !== 0,
    async untilOnItsWay(page, moving) {
      let isOver = false;
      const end = () => {
        isOver = true;
      };
      moving.then(end, end);
      while (!isOver && !(mm.table.ptes[FIRST_VPN + page] & MIGRATION)) await new Promise(setImmediate);
    },
    async unlessSilent(doing, look) {
      try {
        await doing;
      } catch (error) {
        if (!isSilence(error)) throw error;
        look();
        await error.answered;
      }
    },
    frame: (page) => frameOf(mm.table.ptes[FIRST_VPN + page]),
    bytesOfFrame: (frame) => wordAt(machine, frame),
    bytes: (space) => Array.from({ length: pages }, (_, page) => bytesOf(machine, space as Space, page)),
    expectBytes(expected, space = mm) {
      for (const [page, value] of expected.entries()) {
        const found = bytesOf(machine, space as Space, page);
        if (found !== value) throw new Wrong(`page ${page} has ${found}, not ${value}: a store was lost`);
      }
    },
    expectAscending(loaded) {
      const at = loaded.findIndex((value, i) => i > 0 && value < loaded[i - 1]);
      if (at > 0) throw new Wrong(`${loaded[at]} was loaded after ${loaded[at - 1]}: a load went back`);
    },
  };

  return {
    run: () => scenario.run(world),
    async enter() {
      // Their threads, and the program, are loaded.
      await Promise.all(Array.from({ length: CPUS }, (_, cpu) => world.run(cpu, [])));
      // And who handles their faults has heard that they are over: who waits later is woken later.
      const heard = Atomics.waitAsync(words, FAULT_BELL, words[FAULT_BELL]);
      Atomics.notify(words, FAULT_BELL);
      await heard.value;
      control.words[ACTIVE] = 1;
    },
    async reset() {
      for (const space of spaces) await unmapAll(space);
      gate.fill(0);
      // Before, for who has not answered stays owed; and after, for it asks anew.
      settleRequests(races.plain(words));
      flusher.forgetOwed();
      settleRequests(races.plain(words));
      area = mm.mmap({ length: pages * PAGE, populate: !isUnpopulated, node: 0 });
    },
    lookAll() {},
    async checkRest() {
      checkCpus(control, races.plain(words), spaces);
      for (const space of spaces) checkEntries(machine, races.plain(space.table.ptes));
      for (const space of spaces) await unmapAll(space);
      const now = freeFrames();
      if (now.some((frames, node) => frames !== free[node])) throw new Wrong(`${now} frames are free, not ${free}`);
    },
    strike() {
      control.words[ACTIVE] = 0;
    },
  };
}

/** What a rejected program comes to that may fail with `code`. */
const unless = (code: string) => (error: { code?: string }) => {
  if (error.code !== code) throw error;
  return [];
};

function isSilence(error: unknown): error is UnresponsiveCpuError {
  return (error as { code?: string }).code === 'ETIMEDOUT';
}

function machineFolio(mm: AddressSpace, address: number): Folio {
  const folio = mm.folioAt(address);
  if (!folio) throw new Wrong(`nothing is mapped at ${address}`);
  return folio;
}

/** The bytes that a page begins with, as a number. */
function bytesOf(machine: Machine, { table }: Space, page: number): number {
  const entry = table.ptes[FIRST_VPN + page];
  if (!(entry & PRESENT)) throw new Wrong(`page ${page} is not mapped`);
  return wordAt(machine, frameOf(entry));
}

const wordAt = ({ memory }: Machine, frame: number) => new Uint32Array(memory.buffer, frame * PAGE, 1)[0];

async function unmapAll(space: Space): Promise<void> {
  for (let area = 0; area < AREAS; area++) {
    const address = (1 + area) * FIRST_VPN * PAGE;
    await space.munmap(address, PAGES * PAGE).catch((error) => {
      if (error.code !== 'EINVAL') throw error;
    });
  }
}

type Flusher = Pick<TlbFlusher, 'flush'>;

/** Watches for the machine's flusher, which keeps CPUs in mind that it was given up on, until it asks some again. */
function watchFlusher(prototype: Flusher) {
  const { flush } = prototype;
  let flusher: Flusher | undefined;
  prototype.flush = function (this: Flusher, ...given: Parameters<Flusher['flush']>) {
    flusher = this;
    return flush.apply(this, given);
  };
  return {
    /** Asks all CPUs, none of which runs anything, so that none is in its mind any more. */
    forgetOwed(): void {
      let looks = 0;
      // They are gone as soon as they were asked.
      const table = {
        get cpuMask() {
          return Int32Array.of(looks++ < 1 + CPUS ? -1 : 0, 0);
        },
      } as PageTable;
      void flusher?.flush({ tables: [table], count: 1, start: 0, end: 1 });
    },
  };
}

/** Nothing is left of requests to CPUs that were gone by then: a schedule doesn't depend on the one before. */
function settleRequests(words: Int32Array): void {
  words[PENDING] = 0;
  for (let cpu = 0; cpu < CPUS; cpu++) words[cpuWords(cpu) + ACKED] = words[cpuWords(cpu) + REQUEST];
}

/** Throws unless no CPU runs, waits, or is waited for. */
function checkCpus(control: Control, words: Int32Array, spaces: readonly Space[]): void {
  for (const [i, { table }] of spaces.entries()) {
    if (table.cpuMask[0] !== 0) throw new Wrong(`CPUs ${table.cpuMask[0].toString(2)} run space ${i} at the end`);
  }
  if (words[WAITERS] !== 0) throw new Wrong(`CPUs ${words[WAITERS].toString(2)} wait for migration entries at the end`);
  for (let cpu = 0; cpu < CPUS; cpu++) {
    if (words[cpuWords(cpu) + WAITING_VPN] !== 0) throw new Wrong(`CPU ${cpu} waits for a migration entry at the end`);
    if (words[cpuWords(cpu) + FAULT_STATE] !== NO_FAULT) throw new Wrong(`CPU ${cpu} has a fault at the end`);
  }
  // A CPU that has died, or ended first, leaves its part of the count.
  if (control.words[DYING] === 0 && (words[PENDING] & PENDING_COUNT) > CPUS) throw new Wrong('the count is wrong');
}

/** Throws unless each entry is present, and its frame unlocked, with a reference for each entry that maps it. */
function checkEntries({ memory }: Machine, ptes: Int32Array): void {
  const { flags, refcount, mapcount } = memory.page;
  for (let area = 0; area < AREAS; area++) {
    for (let page = 0; page < PAGES; page++) {
      const entry = ptes[(1 + area) * FIRST_VPN + page];
      if (entry === 0) continue;
      const frame = frameOf(entry);
      if (!(entry & PRESENT)) throw new Wrong(`page ${page} of area ${area} has a migration entry at the end`);
      if (flags[frame] & PG.locked) throw new Wrong(`frame ${frame} is locked at the end`);
      if (refcount[frame] !== mapcount[frame])
        throw new Wrong(`frame ${frame} has ${refcount[frame]} references and ${mapcount[frame]} entries at the end`);
    }
  }
}

/** Boots a machine, with the words of its CPUs, which it tells nobody. */
async function withCpuWords(boot: () => Promise<Machine>): Promise<[Machine, Int32Array]> {
  const Real = globalThis.Int32Array;
  let words: Int32Array | undefined;
  globalThis.Int32Array = new Proxy(Real, {
    construct(made, given, target) {
      const view = Reflect.construct(made, given, target === globalThis.Int32Array ? made : target);
      if (view.buffer instanceof SharedArrayBuffer && view.buffer.byteLength === AREA_BYTES) words = view;
      return view;
    },
  });
  try {
    const machine = await boot();
    if (!words) throw new Error('the machine has no words of CPUs');
    return [machine, words];
  } finally {
    globalThis.Int32Array = Real;
  }
}

function regionsOf({ memory }: Machine, words: Int32Array, spaces: readonly Space[]): Region[] {
  const { page } = memory;
  const perFrame = (view: Int32Array): Region[] =>
    NODE_FRAMES.map((first) => ({
      buffer: view.buffer as SharedArrayBuffer,
      address: view.byteOffset + 4 * first,
      words: FRAMES,
    }));
  return [
    { buffer: words.buffer as SharedArrayBuffer, address: 0, words: words.length },
    ...spaces.flatMap(({ table }, i) => tableRegions(table, TAG + i)),
    ...perFrame(page.flags),
    ...perFrame(page.refcount),
    ...perFrame(page.mapcount),
    ...NODE_FRAMES.map((first) => ({
      buffer: memory.buffer,
      address: first * PAGE,
      words: FRAMES,
      stride: PAGE,
    })),
  ];
}

function tableRegions({ buffer, cpuMask, pmds, ptes }: PageTable, value: number): Region[] {
  const tag = { address: TAG_ADDRESS, value };
  const areas = Array.from({ length: AREAS }, (_, area) => ptes.byteOffset + (1 + area) * FIRST_VPN * 4);
  return [
    { buffer, tag, address: cpuMask.byteOffset, words: 1 },
    { buffer, tag, address: pmds.byteOffset + 4, words: AREAS },
    ...areas.map((address) => ({ buffer, tag, address, words: PAGES })),
  ];
}

/** What is copied and cleared on the main thread, by WebAssembly, is an access to each word of it. */
function watchCopies(regions: Regions, races: Races) {
  let physical: Uint8Array | undefined;

  function access(address: number, bytes: number, writes: boolean): void {
    if (!physical) return;
    for (let at = Math.ceil(address / PAGE) * PAGE; at < address + bytes; at += PAGE) {
      races.access(regions.wordOf(physical as never, at), writes);
    }
  }

  const api = globalThis as unknown as { WebAssembly: { Instance: new (...given: unknown[]) => { exports: Exports } } };
  const { Instance } = api.WebAssembly;
  api.WebAssembly.Instance = class {
    readonly exports: Exports;
    constructor(...given: unknown[]) {
      const { copyOne, clear, ...others } = new Instance(...given).exports;
      this.exports = {
        ...others,
        copyOne(to, from, bytes, poison) {
          access(from, bytes, false);
          access(to, bytes, true);
          return copyOne(to, from, bytes, poison);
        },
        clear(address, bytes) {
          access(address, bytes, true);
          return clear(address, bytes);
        },
      };
    }
  };

  return {
    watch({ memory }: Machine): void {
      physical = new Uint8Array(memory.buffer);
      const { copyWithin } = memory.bytes;
      Object.defineProperty(memory.bytes, 'copyWithin', {
        value(this: Uint8Array, to: number, from: number, end: number) {
          access(from, end - from, false);
          access(to, end - from, true);
          return copyWithin.call(this, to, from, end);
        },
      });
    },
  };
}

/** What a copy loop in WebAssembly exports. */
type Exports = Record<string, (...given: number[]) => number>;
