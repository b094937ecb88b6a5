import type { Cpu } from 'mtcopy';

/** What a program does, one after the other: each at an address, but for `idle`, `poll` and `gate`. */
export type Operation = readonly [
  what: 'add' | 'store' | 'load' | 'idle' | 'poll' | 'gate',
  address?: number,
  value?: number,
];

/** What a program is given. */
export interface Program {
  readonly operations: readonly Operation[];
  /** Two words: see {@link OPEN} and {@link ARRIVED}. */
  readonly gate: Int32Array;
}

/** 1 once programs may pass the gate. */
export const OPEN = 0;
/** Programs that have come there. */
export const ARRIVED = 1;

/** A program of a few operations; returns what it has loaded. */
export default function run(cpu: Cpu, { operations, gate }: Program): number[] {
  const loaded: number[] = [];
  for (const [what, address = 0, value = 0] of operations) {
    if (what === 'idle') cpu.idle(0);
    if (what === 'poll') cpu.poll();
    if (what === 'load') loaded.push(cpu.load64(address));
    if (what === 'store') cpu.store64(address, value);
    if (what === 'add') cpu.store64(address, cpu.load64(address) + 1);
    if (what === 'gate') pass(gate);
  }
  return loaded;
}

/** Waits at the gate: nothing is decided before it, so that all schedules are of what comes after it. */
function pass(gate: Int32Array): void {
  Atomics.add(gate, ARRIVED, 1);
  Atomics.notify(gate, ARRIVED);
  Atomics.wait(gate, OPEN, 0);
}
