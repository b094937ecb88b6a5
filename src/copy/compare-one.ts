import type { PhysicalMemory } from '../memory/physical-memory.js';
import { Instance } from '../wasm.js';
import { compileWalker } from './worker/methods.js';

/** What a compare at once answers if nothing differs, and if it must go the long way, for nothing is known. */
export const EQUAL = -1;
export const UNKNOWN = -2;

/**
 * Compares `bytes`, less than 2 GiB, from two physical addresses, on the calling thread. Returns where they first differ,
 * {@link EQUAL}, or {@link UNKNOWN} if a frame of either is poisoned.
 */
export type CompareOne = (a: number, b: number, bytes: number) => number;

/** A {@link CompareOne} for a physical memory. */
export function createCompareOne({ wasm, poisonAddress }: Pick<PhysicalMemory, 'wasm' | 'poisonAddress'>): CompareOne {
  const { exports } = new Instance(compileWalker(), { env: { memory: wasm } });
  const compareOne = exports.compareOne as (a: number, b: number, bytes: number, poison: number) => number;
  return (a, b, bytes) => compareOne(a, b, bytes, poisonAddress);
}
