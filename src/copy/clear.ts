import type { PhysicalMemory } from '../memory/physical-memory.js';
import { Instance } from '../wasm.js';
import { compileWalker } from './worker/methods.js';

/**
 * Zeros `bytes` from a physical address, on the calling thread (clear_folio): C's memset, where `fill` of a typed array stores
 * shared bytes one by one.
 */
export type Clear = (address: number, bytes: number) => void;

/** A {@link Clear} for a physical memory. */
export function createClear({ wasm }: Pick<PhysicalMemory, 'wasm'>): Clear {
  const { exports } = new Instance(compileWalker(), { env: { memory: wasm } });
  return exports.clear as Clear;
}
