import type { Control } from './control.js';
import type { EventLoop } from './event-loop.js';
import type { Mutant } from './mutant.js';
import type { Race, Races } from './races.js';
import type { Regions } from './regions.js';
import type { Scenario } from './scenario.js';
import type { Scheduler } from './scheduler.js';

/** A view through which plain accesses may be watched. */
export type View = Int32Array | Uint32Array | Float64Array;

/**
 * What is particular to a protocol between threads, as each of its threads knows it. Words are numbered through all of its
 * regions: see regions.ts.
 */
export interface Protocol {
  readonly name: string;
  /** Its own failures, in the order of the numbers that {@link brokenBy} gives. */
  readonly failures: readonly string[];
  /** Whether who awaits an immediate looks again and again at what others do. Default: it has something to do itself. */
  readonly polls?: boolean;
  /** Whether plain accesses through a view are to be seen: asked when the view is made, maybe before there are regions. */
  watches(view: View): boolean;
  /** Whether a buffer of the length of one that is shared is that one. Default: it is, if its tag says so. */
  isShared?(buffer: ArrayBufferLike): boolean;
  /** What a thread has to do before it runs anything of the library. */
  onThread?(control: Control, races: Races): void;
  /** The name of a word in a log. */
  nameOf(control: Control, word: number): string;
  /** The name of a thread, from 1 on, in a log. */
  threadName(thread: number): string;
  /** Whether threads of the scenario share a word. Who alone uses a word may do so at any time; but see {@link onUnused}. */
  isUsed(control: Control, word: number): boolean;
  /** The failure that a change of a word is which is not used; 0 for none. */
  onUnused(control: Control, me: number, word: number): number;
  /** Whether a plain access to a word is an operation before which another thread may be chosen. Default: none. */
  isPlainStep?(control: Control, word: number): boolean;
  /** The failure that a plain access is; 0 for none, and -1 for one that can't be part of a race. Default: 0. */
  onPlain?(control: Control, me: number, word: number): number;
  /** Whether an atomic operation on a word that is used is one. Default: all are. */
  isStep?(control: Control, word: number): boolean;
  /** The failure that a thread's change of a word is, from {@link OWN_FAILURES} on; 0 for none. */
  brokenBy(control: Control, me: number, word: number, before: number, after: number): number;
  /** The number of the thread whose task begins with this store; `undefined` if none does. */
  beginsAs(control: Control, word: number, value: number): number | undefined;
  /** Whether the task of a thread has ended with this change of a word. */
  endsWith(control: Control, word: number, now: number): boolean;
  /** The number of the thread that a task is sent to. */
  threadOf(task: unknown): number;
}

/** What a stage is made with. */
export interface Backstage {
  readonly control: Control;
  readonly regions: Regions;
  readonly races: Races;
  readonly scheduler: Scheduler;
  readonly loop: EventLoop;
  /** The folder of the library that is run. */
  readonly dist: string;
}

/** What a scenario is played on: something whose threads can be scheduled, and back. */
export interface Stage {
  /** Plays the scenario, once. */
  run(): void | Promise<void>;
  /** Brings all threads that are there into the schedule, asleep; the main one is not, until a schedule runs. */
  enter(): void | Promise<void>;
  /** Makes all that is the protocol's as it is at the beginning of a schedule. */
  reset(): void | Promise<void>;
  /** Once a schedule is over: has threads look that were not woken by it, so that what they have seen is no part of the next. */
  lookAll(): void;
  /** Throws unless all is as it should be at the end. */
  checkRest(): void | Promise<void>;
  /** Instead of the two before, if a scenario closes what it runs: another takes its place. */
  strike(): void;
}

/** A protocol with all that is run of it. */
export interface Suite {
  readonly protocol: Protocol;
  readonly scenarios: readonly Scenario[];
  readonly mutants: readonly Mutant[];
  /** Threads of a scenario beside the main one: each of them dies in one that says so. */
  threads(scenario: Scenario): number;
  /** Why a race doesn't matter; `undefined` if the protocol doesn't say so. */
  excuseFor(control: Control, race: Race): string | undefined;
  setStage(backstage: Backstage, scenario: Scenario): Promise<Stage>;
}
