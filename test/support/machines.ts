import { type Area, FLOWS, type Folio, type Machine, PAGE_SIZE } from 'mtcopy';
import { expect } from 'vitest';
import { fillRandom } from './bytes.js';

/** Those that copy on the calling thread and on others: what is the same for every migrator is tested with these two. */
const MIGRATORS = ['kernel', 'mtcopy'] as const;

export const FLOWS_AND_MIGRATORS = FLOWS.flatMap((flow) => MIGRATORS.map((migrator) => ({ flow, migrator })));

/** Resolves once `isTrue` is, looked at every turn of the event loop. */
export async function until(isTrue: () => boolean, ms = 60_000): Promise<void> {
  for (const end = performance.now() + ms; !isTrue(); ) {
    if (performance.now() > end) throw new Error(`still not so after ${ms} ms: ${isTrue}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Resolves once every CPU in `cpus` runs its program in an area, which it shows by touching the area's first page. */
export async function started(area: Area, cpus: readonly number[]): Promise<void> {
  const isStarted = async () => {
    const words = new BigUint64Array((await area.mm.read(area.address, PAGE_SIZE)).buffer);
    return cpus.every((cpu) => words[cpu] > 0n);
  };
  for (const end = performance.now() + 60_000; !(await isStarted()); ) {
    if (performance.now() > end) throw new Error('the programs do not start');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** The free pages of every node. */
export function freePages({ memory }: Pick<Machine, 'memory'>): number[] {
  return memory.nodes.map((node) => node.freePages);
}

/** Expects every folio of an area to be as if nobody had touched it: on the LRU, unlocked, held by its mappings alone. */
export function expectAtRest(area: Area, cacheReferences = 0): void {
  const wrong = [];
  for (const address of area.pages()) {
    const folio = area.mm.folioAt(address);
    if (!folio) continue;
    const isAtRest =
      folio.flags.includes('lru') && !folio.flags.some((flag) => flag === 'isolated' || flag === 'locked');
    const expected = folio.mapcount + cacheReferences * (folio.size / PAGE_SIZE);
    if (!isAtRest || folio.refcount !== expected)
      wrong.push({ address, flags: folio.flags, refcount: folio.refcount, expected });
  }
  expect(wrong.slice(0, 3)).toEqual([]);
}

/** The node of every page of an area, or a negative errno. */
export async function nodesOf(machine: Machine, { mm, ...area }: Area): Promise<number[]> {
  const pages = Array.from({ length: area.length / PAGE_SIZE }, (_, i) => area.address + i * PAGE_SIZE);
  return Array.from((await machine.movePages(mm, pages)).status);
}

/** Fills an area with bytes that differ nearly everywhere, and returns them. */
export async function filled({ mm, address, length }: Area, seed = 5): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  fillRandom(bytes, seed);
  await mm.write(address, bytes);
  return bytes;
}

/** Expects an area to hold these bytes. */
export async function expectBytes({ mm, address, length }: Area, bytes: Uint8Array): Promise<void> {
  expect(Buffer.from(await mm.read(address, length)).equals(bytes)).toBe(true);
}

/** The folio that is mapped at the n-th folio-sized part of an area. */
export function folioOf({ mm, address, folioSize }: Area, n: number): Folio {
  const folio = mm.folioAt(address + n * folioSize);
  if (!folio) throw new Error(`nothing is mapped in part ${n}`);
  return folio;
}

export function foliosOf(area: Area): Folio[] {
  return Array.from(area.folios(), (_, n) => folioOf(area, n));
}

/** Takes all of a node's memory page by page, but every `step`-th page: no two free ones are neighbours. Returns what to free. */
export function fragment({ memory }: Pick<Machine, 'memory'>, node: number, step = 2): Uint32Array {
  const pfns = memory.allocFolios(memory.nodes[node]?.freePages ?? 0, 0, { node });
  memory.freeFolios(pfns.filter((_, i) => i % step === 0));
  return pfns.filter((_, i) => i % step !== 0);
}
