import { type Area, type Flow, type Machine, type MigratorName, PAGE_SIZE } from 'mtcopy';
import { expect } from 'vitest';
import { PG } from '#src/memory/page-metadata.js';

export const FLOWS: readonly Flow[] = ['serial', 'vanilla', 'batch-move', 'pre-copy'];
export const MIGRATORS: readonly MigratorName[] = ['kernel', 'mtcopy'];
export const FLOWS_AND_MIGRATORS = FLOWS.flatMap((flow) => MIGRATORS.map((migrator) => ({ flow, migrator })));

/** URL of a program in test/programs. */
export function program(name: string): URL {
  return new URL(`../programs/${name}.mjs`, import.meta.url);
}

/** Resolves once `isTrue` is, looked at every turn of the event loop. */
export async function until(isTrue: () => boolean, ms = 10_000): Promise<void> {
  for (const end = performance.now() + ms; !isTrue(); ) {
    if (performance.now() > end) throw new Error(`still not so after ${ms} ms: ${isTrue}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Resolves once every CPU in `cpus` runs its program in an area, which it shows by touching the area's first page. */
export async function started(area: Area, cpus: readonly number[]): Promise<void> {
  const isStarted = async () => {
    const words = new BigUint64Array((await area.mm.read(area.address, PAGE_SIZE)).buffer);
    return cpus.every((cpu) => (words[cpu] as bigint) > 0n);
  };
  for (const end = performance.now() + 10_000; !(await isStarted()); ) {
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
    const bits = folio.memory.page.flags[folio.pfn] as number;
    const isAtRest = (bits & (PG.lru | PG.isolated | PG.locked)) === PG.lru;
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
