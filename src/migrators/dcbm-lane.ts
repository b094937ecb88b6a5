import { type CpuAccount, createCpuAccount, enter, leave } from '../copy/cpu-account.js';
import type { DmaChannel, DmaWait } from '../dma/channel.js';
import type { DmaEngine } from '../dma/engine.js';
import { DMA_TRANS_NOERROR, SEQUENCE_MASK } from '../dma/worker/ring.js';
import { ERRNO, ErrnoError } from '../errno.js';
import { COPIED, type OffloadBatch } from '../migrate/migrator.js';

/** So many descriptors the channel is told of at once: its thread wakes up while the others are submitted. */
const ISSUED_EARLY = 16;

/** What the steps of a batch take of the calling thread. */
export interface DmaCost {
  readonly map: CpuAccount;
  readonly submit: CpuAccount;
  readonly unmap: CpuAccount;
}

/** Nothing yet, for one batch. */
export function createDmaCost(): DmaCost {
  return { map: createCpuAccount(), submit: createCpuAccount(), unmap: createCpuAccount() };
}

/** How a batch is copied. */
export interface LaneRules {
  readonly engine: DmaEngine;
  /** The device addresses of its items, where all are mapped together; `undefined` where the lane maps each by itself. */
  readonly tables: { readonly to: Uint32Array; readonly from: Uint32Array } | undefined;
  readonly wait: DmaWait;
  /** Milliseconds that a channel may take from one completion to the next. */
  readonly timeoutMs: number;
  /** Descriptors that a channel has in flight at most. */
  readonly queueDepth: number;
  /** To which the lane adds. */
  readonly cost: DmaCost;
}

/** What one channel, that has nothing else in flight, copies of a batch: items `first` up to `end`. */
export class Lane {
  readonly #rules: LaneRules;
  readonly #channel: DmaChannel;
  readonly #batch: OffloadBatch;
  readonly #first: number;
  readonly #end: number;
  /** The item of each descriptor, in the order in which they were submitted, which their cookies count. */
  readonly #items: Uint32Array;
  #submitted = 0;
  #firstCookie = 0;
  /** The device addresses of items that the lane has mapped itself. */
  readonly #to: Uint32Array;
  readonly #from: Uint32Array;
  /** Unmaps that wait until channels have done with what they translated. */
  readonly #unmaps: Promise<void>[] = [];
  #next: number;
  /** Whether the channel has given up what it had: the rest is left to others. */
  #isLost = false;

  constructor(rules: LaneRules, channel: DmaChannel, batch: OffloadBatch, first: number, end: number) {
    this.#rules = rules;
    this.#channel = channel;
    this.#batch = batch;
    this.#first = first;
    this.#end = end;
    this.#next = first;
    this.#items = new Uint32Array(end - first);
    const own = rules.tables ? 0 : end - first;
    this.#to = new Uint32Array(own);
    this.#from = new Uint32Array(own);
  }

  /** Submits as much as there is room for, and has the channel begin. */
  #submit(): void {
    // To begin a stretch takes some microseconds, and this is asked after each interrupt.
    if (this.#isLost || this.#next === this.#end) return;
    const { tables, cost } = this.#rules;
    enter(cost.submit);
    try {
      while (!this.#isLost && this.#next < this.#end && this.#hasRoom()) {
        const item = this.#next++;
        if (tables) this.#submitItem(item, tables.to[item], tables.from[item]);
        else this.#mapAndSubmit(item);
        if (this.#next - this.#first === ISSUED_EARLY) this.#channel.issuePending();
      }
      this.#channel.issuePending();
    } finally {
      leave(cost.submit);
    }
  }

  /**
   * Submits, before it returns, and goes on until every item is copied or given up. Whatever it comes to, the channel touches
   * no memory for this batch from then on, and nothing that the lane has mapped is mapped any more.
   */
  async run(): Promise<void> {
    const { timeoutMs, wait } = this.#rules;
    try {
      this.#submit();
      while (this.#channel.inFlight > 0 || (this.#next < this.#end && !this.#isLost)) {
        // Nothing is in flight if no submission has worked: then there is nothing to wait for.
        if (this.#channel.inFlight > 0 && !(await this.#channel.completions(timeoutMs, wait))) break;
        this.#submit();
      }
    } finally {
      if (this.#channel.inFlight > 0) await this.#channel.terminate();
      await Promise.all(this.#unmaps);
    }
  }

  #hasRoom(): boolean {
    return this.#channel.room > 0 && this.#channel.inFlight < this.#rules.queueDepth;
  }

  /** Maps one folio, submits it and has the channel begin, as the first published versions did. */
  #mapAndSubmit(item: number): void {
    const at = item - this.#first;
    if (!orFailed(() => this.#map(item))) return;
    if (!this.#submitItem(item, this.#to[at], this.#from[at])) this.#unmap(item);
    this.#channel.issuePending();
  }

  #map(item: number): void {
    const { engine, cost } = this.#rules;
    const { items } = this.#batch;
    const at = item - this.#first;
    enter(cost.map);
    try {
      this.#from[at] = engine.mapSingle(items.from[item], items.bytes[item], 'to-device');
      try {
        this.#to[at] = engine.mapSingle(items.to[item], items.bytes[item], 'from-device');
      } catch (error) {
        this.#unmapFrom(item);
        throw error;
      }
    } finally {
      leave(cost.map);
    }
  }

  #submitItem(item: number, to: number, from: number): boolean {
    const prepared = this.#channel.prepMemcpy(
      to,
      from,
      this.#batch.items.bytes[item],
      this.#wantsInterrupt(item),
      this.#done,
      this.#batch.isPrivate ? 'private' : 'plain',
    );
    const cookie = prepared > 0 ? this.#channel.submit(prepared) : 0;
    if (cookie <= 0) return false;
    if (this.#submitted === 0) this.#firstCookie = cookie;
    this.#items[this.#submitted++] = item;
    return true;
  }

  /**
   * Of a batch the last one interrupts, and what lies in the middle of a full queue, so that it is filled again before it is
   * empty.
   */
  #wantsInterrupt(item: number): boolean {
    const { tables, queueDepth } = this.#rules;
    if (!tables || item === this.#end - 1) return true;
    const half = Math.max(1, queueDepth >>> 1);
    return (item - this.#first) % half === half - 1;
  }

  readonly #done = (cookie: number, result: number, errno: number): void => {
    const item = this.#items[(cookie - this.#firstCookie) & SEQUENCE_MASK];
    if (result === DMA_TRANS_NOERROR) this.#batch.copied[item] = COPIED;
    if (errno === ERRNO.ECANCELED) this.#isLost = true;
    if (!this.#rules.tables) this.#unmap(item);
  };

  #unmap(item: number): void {
    const { items } = this.#batch;
    const { engine, cost } = this.#rules;
    enter(cost.unmap);
    try {
      this.#unmapFrom(item);
      this.#keep(engine.unmapSingle(this.#to[item - this.#first], items.to[item], items.bytes[item], 'from-device'));
    } finally {
      leave(cost.unmap);
    }
  }

  #unmapFrom(item: number): void {
    const { items } = this.#batch;
    const dma = this.#from[item - this.#first];
    this.#keep(this.#rules.engine.unmapSingle(dma, items.from[item], items.bytes[item], 'to-device'));
  }

  #keep(unmapped: void | Promise<void>): void {
    if (unmapped) this.#unmaps.push(unmapped);
  }
}

/** Whether something worked; false if it failed as things of the kernel fail. What else is thrown is a defect. */
export function orFailed(run: () => void): boolean {
  try {
    run();
    return true;
  } catch (error) {
    if (error instanceof ErrnoError) return false;
    throw error;
  }
}
