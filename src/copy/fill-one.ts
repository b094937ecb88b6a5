import type { PhysicalMemory } from '../memory/physical-memory.js';
import { Instance } from '../wasm.js';
import { compileWalker } from './worker/methods.js';

/**
 * Fills `bytes` from a physical address with one byte, on the calling thread: C's memset, where `fill` of a typed array stores
 * shared bytes one by one.
 */
export type FillOne = (address: number, bytes: number, byte: number) => void;

/** A {@link FillOne} for a physical memory. */
export function createFillOne({ wasm }: Pick<PhysicalMemory, 'wasm'>): FillOne {
  const { exports } = new Instance(compileWalker(), { env: { memory: wasm } });
  return exports.fillOne as FillOne;
}
