import type { CopyEngine, CopyItems, CopyPair, CopyResult, CreateOptions } from 'mtcopy';

/** A scenario: what the caller does, from rest to rest, of which each schedule is one way to go. */
export interface Scenario {
  readonly name: string;
  readonly options: CreateOptions & { readonly threads: number };
  /** Slots of the ring that it needs; writing to another is a failure, for one was leaked. Default: 1. */
  readonly slots?: number;
  /** Whether a worker dies in it, at each of its operations in turn. Default: false. */
  readonly dies?: boolean;
  /** Whether a wait of the caller may time out while others could go on. Default: false. */
  readonly isImpatient?: boolean;
  /** Whether it closes its engine, so that each schedule has one of its own. Default: false. */
  readonly closes?: boolean;
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

/** What a scenario says that went wrong. */
export class Wrong extends Error {}
