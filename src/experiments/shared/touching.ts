import { Buffer } from 'node:buffer';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Area, ErrnoError, MAX_CPUS, type Machine, orderOf, PAGE_SIZE } from 'mtcopy';
import { locate, type PlacedMemory, scrubLeft } from './moved-memory.js';
import type { ToucherArgs } from './toucher.js';

/** CPUs that touch memory until they are told to end. */
export interface Touching {
  /** The memory of each area. */
  readonly memories: readonly PlacedMemory[];
  /**
   * To be called once memory is on its other node: looks at all bytes that no CPU stores to, and overwrites the frames that it
   * left, so that a copy which moved nothing can't pass for one that did.
   *
   * @throws ErrnoError EIO if it is not there, or not what it was
   */
  checkMoved(memory: PlacedMemory): void;
  /** Ends them. @throws ErrnoError EIO if a store of theirs is missing, or a byte is not what it was; whatever they threw */
  end(): Promise<void>;
}

const PROGRAM = new URL('./toucher.js', import.meta.url);
/** Bytes that a CPU has in each page: a cache line, of which there is one for each of 64 CPUs. */
const OWN_BYTES = 64;

/**
 * Has every CPU of the machine load and store at random all over some areas; resolves once they do.
 *
 * @param areas zeros on node 0, of one address space, each of which begins where the one before it ends. What CPUs don't store to
 * is filled
 * @param seed what they draw pages by, a whole number. Default: 0
 * @throws ErrnoError EINVAL for areas that do not
 */
export async function startTouching(machine: Machine, areas: readonly Area[], seed = 0): Promise<Touching> {
  const [{ mm, address }] = areas;
  const ends = areas.map((area) => area.address + area.length);
  if (areas.some((area, i) => i > 0 && area.address !== ends[i - 1])) {
    throw new ErrnoError('EINVAL', 'areas: each must begin where the one before it ends');
  }
  const memories = areas.map((area) => placed(machine, area));
  const { cpus } = machine;
  const ownBytes = cpus.count * OWN_BYTES;
  for (const memory of memories) fillRest(memory, ownBytes);
  const begun = new Int32Array(new SharedArrayBuffer(4));
  const pages = (ends[ends.length - 1] - address) / PAGE_SIZE;
  const args: ToucherArgs = {
    ...{ address, pages, pageBytes: PAGE_SIZE, ownBytes: OWN_BYTES },
    ...{ seed: seed * MAX_CPUS, begun },
  };
  const programs = Array.from({ length: cpus.count }, (_, cpu) => cpus.run(mm, PROGRAM, { cpu, args }));
  const ended = Promise.all(programs) as Promise<number[]>;
  // Until it is awaited below; the CPU is then found to be idle.
  ended.catch(() => {});
  while (cpus.busy.length === cpus.count && Atomics.load(begun, 0) < programs.length) await sleep(1);
  return {
    memories,
    checkMoved(memory) {
      scrubLeft(memory);
      checkRest(memory, ownBytes);
    },
    async end() {
      cpus.stop();
      const made = (await ended).reduce((sum, stores) => sum + stores, 0);
      const found = memories.reduce((sum, memory) => sum + sumOwn(memory, ownBytes), 0);
      if (found !== made) throw new ErrnoError('EIO', `${made - found} of ${made} stores are missing`);
      for (const memory of memories) checkRest(memory, ownBytes);
    },
  };
}

function placed(machine: Machine, area: Area): PlacedMemory {
  const { mm, folioSize: folioBytes } = area;
  const order = orderOf(folioBytes);
  const addresses = area.folios();
  return { machine, mm, order, folioBytes, addresses, node: 0, pfns: locate(mm, addresses, order, 0) };
}

/** The words of every page behind those of the CPUs, in the order of the pages. */
function* restOf({ machine, pfns, folioBytes }: PlacedMemory, ownBytes: number): Generator<Uint32Array> {
  for (const pfn of pfns) {
    for (let at = pfn * PAGE_SIZE; at < pfn * PAGE_SIZE + folioBytes; at += PAGE_SIZE) {
      yield new Uint32Array(machine.memory.buffer, at + ownBytes, (PAGE_SIZE - ownBytes) / 4);
    }
  }
}

/** What page `number` has behind the words of the CPUs: no two are alike. */
function writeRest(rest: Uint32Array, number: number): void {
  rest.fill(Math.imul(number + 1, 0x9e3779b1));
  for (let i = 1; i < rest.length; i += 2) rest[i] = Math.imul(i, 0x85ebca6b);
}

function fillRest(memory: PlacedMemory, ownBytes: number): void {
  let number = 0;
  for (const rest of restOf(memory, ownBytes)) writeRest(rest, number++);
}

/** @throws ErrnoError EIO unless all of it is what it was filled with */
function checkRest(memory: PlacedMemory, ownBytes: number): void {
  const expected = new Uint32Array((PAGE_SIZE - ownBytes) / 4);
  let number = 0;
  for (const rest of restOf(memory, ownBytes)) {
    writeRest(expected, number++);
    if (Buffer.compare(bytesOf(rest), bytesOf(expected)) !== 0) {
      throw new ErrnoError('EIO', `page ${number - 1} was changed by its migration`);
    }
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Every 32-bit word that the CPUs have, added up. */
function sumOwn({ machine, pfns, folioBytes }: PlacedMemory, ownBytes: number): number {
  let sum = 0;
  for (const pfn of pfns) {
    for (let at = pfn * PAGE_SIZE; at < pfn * PAGE_SIZE + folioBytes; at += PAGE_SIZE) {
      for (const word of new Uint32Array(machine.memory.buffer, at, ownBytes / 4)) sum += word;
    }
  }
  return sum;
}
