import type { AddressSpace, Area, Machine, MachineOptions, MigrationSettings, MovePagesResult } from 'mtcopy';
import type { Scenario } from '../scenario.js';
import type { Operation } from './program.js';

/** A scenario of a machine: what its owner does while CPUs run programs. */
export interface TlbScenario extends Scenario {
  /** CPUs that run programs. Default: 1. */
  readonly cpus?: number;
  /** Pages of the area, on node 0, each a folio. Default: 1. */
  readonly pages?: number;
  /** Bytes of a folio. Default: 4096. */
  readonly folioSize?: number;
  /** What the machine is booted with, beside what all have. */
  readonly options?: MachineOptions;
  readonly run: (world: World) => void | Promise<void>;
}

/** What a scenario has: a machine at rest, and an area that is mapped, and holds zeros. */
export interface World {
  readonly machine: Machine;
  readonly mm: AddressSpace;
  /** Another address space, with nothing in it. */
  readonly child: AddressSpace;
  readonly area: Area;
  /** The address of a page of the area. */
  page(page: number): number;
  /** Runs a program on a CPU; resolves to what it has loaded. */
  run(cpu: number, operations: readonly Operation[], mm?: AddressSpace): Promise<number[]>;
  /** Resolves whenever the schedule likes: programs that were started may have come to any of their operations. */
  anytime(): Promise<void>;
  /** Moves pages of the area to node 1, or to another. Throws unless they are there then. */
  move(pages: readonly number[], settings?: MigrationSettings & { node?: number }): Promise<MovePagesResult>;
  /** Throws unless the first word of each page is that. */
  expectBytes(words: readonly number[], mm?: AddressSpace): void;
  /** Throws unless no number is less than the one before it. */
  expectAscending(loaded: readonly number[]): void;
}
