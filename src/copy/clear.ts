import type { PhysicalMemory } from '../memory/physical-memory.js';
import { createFillOne } from './fill-one.js';

/** Zeros `bytes` from a physical address, on the calling thread (clear_folio). */
export type Clear = (address: number, bytes: number) => void;

/** A {@link Clear} for a physical memory. */
export function createClear(memory: Pick<PhysicalMemory, 'wasm'>): Clear {
  const fillOne = createFillOne(memory);
  return (address, bytes) => fillOne(address, bytes, 0);
}
