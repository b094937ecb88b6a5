import { type PageMetadata, PG } from '../memory/page-metadata.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { folioIsolateLru, folioPutbackLru } from '../mm/lru.js';
import type { NodeId, Pfn } from '../units.js';

/** Folios that one call has isolated, until a migration takes them over or they are put back. */
export interface Isolation {
  /** The first `count`; 0 in the place of one that was taken over. */
  readonly pfns: Uint32Array;
  /** The node that each is to be moved to. */
  readonly targets: Uint8Array;
  count: number;
  /** Those nodes, each once, in the order in which they came. */
  readonly nodes: NodeId[];
  /** By frame, the target + 1 of a folio that is among them; made once somebody asks for it. */
  targetOf: Uint8Array | undefined;
}

/** Room for so many folios. */
export function createIsolation(room: number): Isolation {
  return { pfns: new Uint32Array(room), targets: new Uint8Array(room), count: 0, nodes: [], targetOf: undefined };
}

/** Isolates a folio, to be moved to `target`. Returns false if it is isolated already. */
export function isolate(isolation: Isolation, page: PageMetadata, pfn: Pfn, target: NodeId): boolean {
  if (!folioIsolateLru(page, pfn)) return false;
  const { pfns, targets, targetOf, nodes, count } = isolation;
  if ((count === 0 || targets[count - 1] !== target) && !nodes.includes(target)) nodes.push(target);
  pfns[isolation.count] = pfn;
  targets[isolation.count++] = target;
  if (targetOf) targetOf[pfn] = target + 1;
  return true;
}

/** The node that this call has isolated a folio to move it to; -1 if it has not isolated it. */
export function isolatedFor(isolation: Isolation, page: PageMetadata, pfn: Pfn): number {
  if (page.flags[pfn] & PG.lru) return -1;
  const { pfns, targets, count } = isolation;
  // The pages of a large folio mostly follow each other.
  if (count > 0 && pfns[count - 1] === pfn) return targets[count - 1];
  isolation.targetOf ??= mapTargets(isolation, page);
  return isolation.targetOf[pfn] - 1;
}

function mapTargets({ pfns, targets, count }: Isolation, { nid }: PageMetadata): Uint8Array {
  const targetOf = new Uint8Array(nid.length);
  for (let i = 0; i < count; i++) targetOf[pfns[i]] = targets[i] + 1;
  return targetOf;
}

/** Takes what is to be moved to `target` out: whoever gets it answers for it. */
export function takeIsolated({ pfns, targets, count }: Isolation, target: NodeId): Uint32Array {
  const taken = new Uint32Array(count);
  let length = 0;
  for (let i = 0; i < count; i++) {
    if (targets[i] !== target) continue;
    taken[length++] = pfns[i];
    pfns[i] = 0;
  }
  return taken.subarray(0, length);
}

/** Puts what nobody has taken over back on the LRU. */
export function putbackIsolated({ pfns, count }: Isolation, memory: PhysicalMemory): void {
  for (let i = 0; i < count; i++) if (pfns[i] !== 0) folioPutbackLru(memory, pfns[i] as Pfn);
}
