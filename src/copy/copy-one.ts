import type { PhysicalMemory } from '../memory/physical-memory.js';
import { Instance } from '../wasm.js';
import { compileWalker } from './worker/methods.js';

/**
 * Copies `bytes` between two physical addresses, on the calling thread; false, and nothing is copied, if a source frame is
 * poisoned.
 */
export type CopyOne = (to: number, from: number, bytes: number) => boolean;

/** A {@link CopyOne} for a physical memory, or what another thread knows of one: one `memory.copy` for 256 KiB at most. */
export function createCopyOne({ wasm, poisonAddress }: Pick<PhysicalMemory, 'wasm' | 'poisonAddress'>): CopyOne {
  const { exports } = new Instance(compileWalker(), { env: { memory: wasm } });
  const copyOne = exports.copyOne as (to: number, from: number, bytes: number, poison: number) => number;
  return (to, from, bytes) => copyOne(to, from, bytes, poisonAddress) !== 0;
}
