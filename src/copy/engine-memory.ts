import type { PhysicalMemory } from '../memory/physical-memory.js';
import type { EngineMemory } from './batch/line.js';

/**
 * A physical memory as batches need to know it.
 *
 * @param probeAddress of a word in it that nobody else writes to
 */
export function createEngineMemory(memory: PhysicalMemory, probeAddress: number): EngineMemory {
  const { buffer } = memory;
  const probe = new Int32Array(buffer, probeAddress, 1);
  return {
    buffer,
    is(other) {
      if (other === buffer) return true;
      if (other.byteLength !== buffer.byteLength) return false;
      const theirs = new Int32Array(other, probeAddress, 1);
      // Nothing tells whether two objects name the same memory but that a change of one is seen in the other. Twice, for a
      // word of theirs may happen to be what is looked for.
      return changesWith(probe, theirs) && changesWith(probe, theirs);
    },
    holds: (address, bytes) => memory.holds(address, bytes),
    isPoisoned: (address, bytes) => memory.isPoisoned(address, bytes),
    describe: () => `${memory.startAddress} to ${memory.bytes.length}`,
  };
}

function changesWith(probe: Int32Array, theirs: Int32Array): boolean {
  const value = Atomics.add(probe, 0, 1) + 1;
  return Atomics.load(theirs, 0) === (value | 0);
}
