import type { Cpu } from 'mtcopy';

/** What a program does, one after the other: each at an address, but for `idle` and `poll`. */
export type Operation = readonly [what: 'add' | 'store' | 'load' | 'idle' | 'poll', address?: number, value?: number];

/** A program of a few operations; returns what it has loaded. */
export default function run(cpu: Cpu, operations: readonly Operation[]): number[] {
  const loaded: number[] = [];
  for (const [what, address = 0, value = 0] of operations) {
    if (what === 'idle') cpu.idle(0);
    if (what === 'poll') cpu.poll();
    if (what === 'load') loaded.push(cpu.load64(address));
    if (what === 'store') cpu.store64(address, value);
    if (what === 'add') cpu.store64(address, cpu.load64(address) + 1);
  }
  return loaded;
}
