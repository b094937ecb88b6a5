import type { AddressSpace, Area, Machine, MachineOptions, MigrationSettings, MovePagesResult } from 'mtcopy';
import type { Scenario } from '../scenario.js';
import type { Operation } from './program.js';

/** A scenario of a machine: what its owner does while CPUs run programs. */
export interface TlbScenario extends Scenario {
  /** CPUs that run programs. Default: 1. */
  readonly cpus?: number;
  /** Pages of the area, on node 0, each a folio. Default: 1. */
  readonly pages?: number;
  /** Whether pages are there only once a CPU has faulted them in. Default: false. */
  readonly isUnpopulated?: boolean;
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
  /**
   * Lets programs on, once so many have come to their gates: how they came there is no part of the schedule. Resolves as
   * {@link anytime}.
   */
  openGate(programs: number): Promise<void>;
  /** Resolves whenever the schedule likes: programs that were started may have come to any of their operations. */
  anytime(): Promise<void>;
  /** Moves pages of the area to node 1, or to another. Throws unless they are there then. */
  move(pages: readonly number[], settings?: MigrationSettings & { node?: number }): Promise<MovePagesResult>;
  /** Locks a page's folio, and then another's, for which it waits; unlocks both. */
  lockBoth(first: number, second: number): Promise<void>;
  /** Takes it that a program ends with a segmentation fault. */
  segfaults(program: Promise<number[]>): Promise<number[]>;
  /** Takes it that a program's thread ends in the middle. */
  mayDie(program: Promise<number[]>): Promise<number[]>;
  /** Whether the first page of the area's addresses is mapped. */
  isMapped(mm: AddressSpace): boolean;
  /** Resolves once a page has a migration entry, or the migration is over. */
  untilOnItsWay(page: number, moving: Promise<unknown>): Promise<void>;
  /** Waits for something, and if a CPU was silent looks how all is then, and waits until that has answered. */
  unlessSilent(doing: Promise<unknown>, look: () => void): Promise<void>;
  /** The frame behind a page, and the first word of a frame. */
  frame(page: number): number;
  bytesOfFrame(frame: number): number;
  /** The first word of each page. */
  bytes(mm: AddressSpace): number[];
  /** Throws unless the first word of each page is that. */
  expectBytes(words: readonly number[], mm?: AddressSpace): void;
  /** Throws unless no number is less than the one before it. */
  expectAscending(loaded: readonly number[]): void;
}
