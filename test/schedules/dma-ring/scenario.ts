import type { DmaChannel, DmaEngine, DmaEngineOptions, MemcpyMode } from 'mtcopy';
import type { FaultPlan } from '../../../src/dma/faults.js';
import type { OffloadBatch } from '../../../src/migrate/migrator.js';
import type { DcbmMigrator, DcbmOptions } from '../../../src/migrators/dcbm.js';
import type { Scenario } from '../scenario.js';

export { Wrong } from '../scenario.js';

/** A scenario of a DMA device: what the caller does. */
export interface DmaScenario extends Scenario {
  readonly device: Omit<DmaEngineOptions, 'memory'> & { readonly channels: number };
  /** Whether channels copy with the loop in WebAssembly, as where there is none in C. Default: false. */
  readonly isPortable?: boolean;
  /** Whether channels may have no thread at its end, for they were ended or rest. Default: false. */
  readonly losesThreads?: boolean;
  readonly run: (world: World) => void | Promise<void>;
}

/** A range that is copied, in physical addresses and bytes; no other has any of it. */
export interface Item {
  readonly to: number;
  readonly from: number;
  readonly bytes: number;
}

/** What is said of a descriptor. */
export interface Asked {
  /** Default: an item of its own, of a page. */
  readonly item?: Item;
  /** The device's addresses. Default: the physical ones. */
  readonly dma?: Pick<Item, 'to' | 'from'>;
  /** Default: true. */
  readonly interrupt?: boolean;
  /** What goes wrong. Default: `'none'`. */
  readonly fault?: ReturnType<NonNullable<FaultPlan['descriptor']>>;
  readonly mode?: MemcpyMode;
  /** Whether the range stays the caller's once it is called back. Default: it is somebody else's then. */
  readonly isKept?: boolean;
}

/** A descriptor that was submitted. */
export interface Transfer {
  readonly items: readonly Item[];
  readonly cookie: number;
  /** What it was called back with; `undefined` while it is in flight. */
  errno: number | undefined;
}

/** A range that is mapped for the device, both sides. Once a side is unmapped no channel touches it any more. */
export interface Mapped {
  readonly dma: Pick<Item, 'to' | 'from'>;
  unmapTo(): Promise<void>;
  unmapFrom(): Promise<void>;
  unmap(): Promise<void>;
}

/** What a scenario has: a device at rest, whose channels' threads all sleep. Memory that is called back is somebody else's. */
export interface World {
  readonly engine: DmaEngine;
  /** A channel of its own until the end of the scenario. */
  request(): DmaChannel;
  release(channel: DmaChannel): void;
  /** A page to be copied, or more than a piece of one of several engines. */
  item(size?: 'page' | 'pieces'): Item;
  /** A copy of what is there to be copied. */
  read(item: Item): Buffer;
  submit(channel: DmaChannel, asked?: Asked): Transfer;
  /** Submits several items as one descriptor. */
  submitTables(channel: DmaChannel, items: readonly Item[]): Transfer;
  /** Throws if one that counts as complete is not copied. */
  checkStatus(channel: DmaChannel, ...transfers: readonly Transfer[]): void;
  /** Has one more copied, as a channel should that may have been through something. */
  copyOne(channel: DmaChannel, asked?: Asked): Promise<void>;
  /** The same, of what is mapped for it. */
  copyMapped(channel: DmaChannel): Promise<void>;
  /** Waits until all that is in flight is called back: by an interrupt, never by its time alone. */
  finish(channel: DmaChannel, wait?: 'sleep' | 'poll'): Promise<void>;
  /** Throws unless all are copied. */
  checkCopied(...transfers: readonly Transfer[]): void;
  /** Throws unless each is copied, or failed with one of these. */
  checkOver(codes: readonly string[], ...transfers: readonly Transfer[]): void;
  /** Has a range mapped for the device. */
  map(item: Item): Mapped;
  /** Gives what was copied, or was to be, to somebody else, who writes there. */
  giveAway(item: Item): void;
  /** dcbm, over the device. */
  dcbm(options?: DcbmOptions): DcbmMigrator;
  /** A batch of so many pages for it. */
  batch(folios: number): OffloadBatch;
  /** Throws unless what is marked is copied; then all is somebody else's. Returns how many are. */
  checkBatch(batch: OffloadBatch): number;
  /** Does something in a later turn of the caller's event loop: when, is the schedule's choice. Resolves once it is done. */
  later(action: () => unknown): Promise<void>;
  /** Looks again and again until something is so. */
  until(condition: () => boolean): Promise<void>;
  /** Has the time pass after which the threads of free channels end their tasks. */
  rest(): void;
  /** Lets a silent channel go on, or all that are. */
  wake(channel: DmaChannel): void;
  wakeAll(): void;
  /** Once the device is closed: throws at the end if anybody has written to a ring since. */
  afterClose(): void;
}
