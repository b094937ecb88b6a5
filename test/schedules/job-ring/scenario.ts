import type { CopyEngine, CopyItems, CopyPair, CopyResult, CreateOptions } from 'mtcopy';
import type { Scenario } from '../scenario.js';

/** A scenario of an engine: what the caller does. */
export interface RingScenario extends Scenario {
  readonly options: CreateOptions & { readonly threads: number };
  /** Slots of the ring that it needs; writing to another is a failure, for one was leaked. Default: 1. */
  readonly slots?: number;
  readonly run: (world: World) => void | Promise<void>;
}

/** What a scenario has: an engine at rest, whose workers all sleep on the doorbell. */
export interface World {
  readonly engine: CopyEngine;
  /** Items that no other batch has, of `units` units: their destination holds nothing yet. */
  batch(units: number): CopyItems;
  /** As many items of a page in shared memory that is not the engine's, and whose threads must be sent it. */
  foreign(items: number): CopyPair[];
  /** Throws unless the call says that it has copied all of these. */
  checkForeign(pairs: readonly CopyPair[], result: CopyResult): void;
  /** Throws unless the call says that it has copied all of a batch, and each byte is there. */
  check(items: CopyItems, result: CopyResult): void;
  /** Throws unless the items that the call doesn't say it left are there. */
  checkCopied(items: CopyItems, failed: CopyResult['failed']): void;
  /** Does something in a later turn of the caller's event loop: when, is the schedule's choice. Resolves once it is done. */
  later(action: () => void): Promise<void>;
  /** Once the engine is closed: nobody may write to its ring any more, for it may be somebody else's memory. */
  afterClose(): void;
  /** Has the time pass after which idle workers leave. */
  rest(): void;
}
