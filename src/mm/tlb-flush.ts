import { setTimeout as sleep } from 'node:timers/promises';
import {
  ACKED,
  cpuWords,
  FLUSH_ALL,
  FLUSH_END,
  FLUSH_START,
  PENDING,
  PENDING_COUNT,
  PENDING_EACH,
  PENDING_SHIFT,
  REQUEST,
  ringCpu,
} from '../cpu/cpu-area.js';
import { type PageTable, VPN_LIMIT } from '../cpu/page-table.js';
import { ErrnoError } from '../errno.js';
import type { Vmstat } from './vmstat.js';

/** Pages up to which a flush names them instead of flushing everything (x86's tlb_single_page_flush_ceiling). */
const SINGLE_PAGE_FLUSH_CEILING = 33;
/** How long a flush blocks its thread, in milliseconds, before it goes on waiting with the event loop turning. */
const BLOCK_MS = 2;
/** How often a flush that waits looks whether a CPU has gone without an answer, in milliseconds. */
const POLL_MS = 5;

/**
 * A CPU did not answer an interrupt within `ipiTimeoutMs`. Its code is ETIMEDOUT. What was to be changed was changed back,
 * unless the call's documentation says otherwise; a migration's earlier batches stay where they are.
 */
export class UnresponsiveCpuError extends ErrnoError {
  /** Numbers of the CPUs. */
  readonly cpus: readonly number[];
  /**
   * Resolves once they have answered after all, or run nothing any more; until then one of them may be in the middle of an
   * access by the old translation. Keeps no process alive.
   */
  readonly answered: Promise<void>;

  /** @internal */
  constructor(cpus: readonly number[], ms: number, answered: Promise<void>) {
    const which = `CPU ${cpus.join(', ')}`;
    super('ETIMEDOUT', `${which} did not answer a TLB flush within ${ms} ms: have the program call poll()`);
    this.cpus = cpus;
    this.answered = answered;
  }
}

/** Runs `drop` once no CPU can be using what a flush was for, which failed with `error`. */
export function onceAnswered(error: unknown, drop: () => void): void {
  if (error instanceof UnresponsiveCpuError) void error.answered.then(drop);
  else drop();
}

/**
 * Translations to be flushed: collected while page tables are changed, flushed at once (the kernel's tlbflush_unmap_batch).
 */
export interface FlushBatch {
  /** The tables that were changed: the first `count`. */
  readonly tables: PageTable[];
  count: number;
  /** Pages that were changed: those from `start` up to `end`, of one table or of several. */
  start: number;
  end: number;
}

export function createFlushBatch(): FlushBatch {
  return { tables: [], count: 0, start: VPN_LIMIT, end: 0 };
}

/** Adds pages of one table whose entries were changed (set_tlb_ubc_flush_pending). */
export function addToFlush(batch: FlushBatch, table: PageTable, vpn: number, pages: number): void {
  let at = 0;
  while (at < batch.count && batch.tables[at] !== table) at++;
  if (at === batch.count) batch.tables[batch.count++] = table;
  if (vpn < batch.start) batch.start = vpn;
  if (vpn + pages > batch.end) batch.end = vpn + pages;
}

/** Forgets what was added. */
export function emptyFlushBatch(batch: FlushBatch): void {
  batch.count = 0;
  batch.start = VPN_LIMIT;
  batch.end = 0;
}

/** Called after each flush that interrupted CPUs: the nanoseconds until the last had answered. */
type OnFlushed = (ns: number) => void;

/** Flushes the CPUs' TLBs, by interrupts. One for a machine; used by the thread that owns the memory. */
export class TlbFlusher {
  readonly #words: Int32Array;
  readonly #cpus: number;
  readonly #vmstat: Vmstat;
  readonly #timeoutMs: number;
  readonly #onFlushed: OnFlushed;
  #sequence = 0;
  /** Flushes that are not over: while there is one, CPUs may be reading what it wrote. */
  #underWay = 0;
  /** CPUs that had not answered when a flush was given up. */
  readonly #owed = new Set<number>();

  constructor(words: Int32Array, cpus: number, vmstat: Vmstat, timeoutMs: number, onFlushed: OnFlushed) {
    this.#words = words;
    this.#cpus = cpus;
    this.#vmstat = vmstat;
    this.#timeoutMs = timeoutMs;
    this.#onFlushed = onFlushed;
  }

  /**
   * Flushes what was collected, and empties the batch (try_to_unmap_flush). Once it is done no CPU will access a frame by
   * an entry that was changed before. Blocks for 2 ms at most.
   *
   * @param timeoutMs when to give CPUs up that don't answer; `Infinity` for never
   * @returns nothing if it is done; a promise if CPUs are slow to answer, which rejects with an UnresponsiveCpuError if
   * they don't
   */
  flush(batch: FlushBatch, timeoutMs = this.#timeoutMs): Promise<void> | undefined {
    if (batch.count === 0) return undefined;
    if (!this.#isAnyRunning(batch)) {
      emptyFlushBatch(batch);
      return undefined;
    }
    const started = performance.now();
    const tables = batch.tables.slice(0, batch.count);
    const targets = Array.from({ length: this.#cpus }, (_, cpu) => cpu).filter((cpu) => this.#isRunning(cpu, tables));
    if (targets.length > 0) this.#interrupt(targets, batch);
    emptyFlushBatch(batch);
    if (targets.length === 0) return undefined;
    const missing = () => targets.filter((cpu) => !this.#hasAnswered(cpu) && this.#isRunning(cpu, tables));
    this.#underWay++;
    if (this.#waitBlocking(missing, started)) return this.#finish(started);
    return this.#waitPatiently(missing, started, timeoutMs);
  }

  /** Whether a CPU runs one of the address spaces: only such a one may hold their translations. */
  #isAnyRunning({ tables, count }: FlushBatch): boolean {
    for (let i = 0; i < count; i++) {
      const { cpuMask } = tables[i];
      // After the change of the entries, before a CPU's first walk of them: it either runs and is seen here, or will find
      // them changed.
      if (Atomics.load(cpuMask, 0) !== 0 || Atomics.load(cpuMask, 1) !== 0) return true;
    }
    return false;
  }

  #isRunning(cpu: number, tables: readonly PageTable[]): boolean {
    for (const { cpuMask } of tables) {
      // As above.
      if ((Atomics.load(cpuMask, cpu >> 5) >>> (cpu & 31)) & 1) return true;
    }
    return false;
  }

  /** Whether a CPU has answered the last flush that it was asked for, and so those before it. */
  #hasAnswered(cpu: number): boolean {
    // Acquire: the CPU's accesses by flushed translations are over, and seen.
    return Atomics.load(this.#words, cpuWords(cpu) + ACKED) === this.#words[cpuWords(cpu) + REQUEST];
  }

  #interrupt(targets: readonly number[], { count, start, end }: FlushBatch): void {
    const words = this.#words;
    this.#sequence = (this.#sequence + 1) | 0;
    const sequence = this.#sequence;
    // A CPU that was given up on may read the range at any time until it answers.
    for (const cpu of this.#owed) if (this.#hasAnswered(cpu)) this.#owed.delete(cpu);
    const isShort = count === 1 && end - start <= SINGLE_PAGE_FLUSH_CEILING;
    const isAll = !isShort || this.#underWay > 0 || this.#owed.size > 0;
    if (!isAll) {
      words[FLUSH_START] = start;
      words[FLUSH_END] = end;
    }
    Atomics.store(words, FLUSH_ALL, isAll ? 1 : 0);
    Atomics.store(words, PENDING, (sequence << PENDING_SHIFT) | targets.length);
    for (const cpu of targets) {
      // Release: what to flush, and the changed entries, come before the request.
      Atomics.store(words, cpuWords(cpu) + REQUEST, sequence);
      ringCpu(words, cpuWords(cpu));
    }
    this.#vmstat.nr_tlb_remote_flush++;
  }

  /** Sleeps until nobody is missing, for a moment; a thread that spins would hold a core that a CPU may need. */
  #waitBlocking(missing: () => number[], started: number): boolean {
    const words = this.#words;
    for (;;) {
      // First the count, then the CPUs' own words: if the last answer comes in between the wait returns at once.
      const pending = Atomics.load(words, PENDING);
      const { length } = missing();
      if (length === 0) return true;
      const left = started + BLOCK_MS - performance.now();
      if (left <= 0) return false;
      Atomics.wait(words, PENDING, this.#wokenBy(length, pending), left);
    }
  }

  /**
   * Has somebody wake whoever sleeps on PENDING, where it was seen as `pending` before so many CPUs were missing. Returns what to
   * sleep on.
   */
  #wokenBy(missing: number, pending: number): number {
    if (missing === (pending & PENDING_COUNT)) return pending;
    // One that is counted has left before it was asked, and the last of the others wouldn't know that it is the last. Against
    // those that count down: if one has, the word is another, and nobody sleeps on it.
    Atomics.compareExchange(this.#words, PENDING, pending, pending | PENDING_EACH);
    return pending | PENDING_EACH;
  }

  async #waitPatiently(missing: () => number[], started: number, timeoutMs: number): Promise<void> {
    for (;;) {
      // First the count, then the CPUs' own words, as above.
      const pending = Atomics.load(this.#words, PENDING);
      const left = missing();
      if (left.length === 0) break;
      if (performance.now() - started > timeoutMs) throw this.#giveUp(left, missing);
      const answer = Atomics.waitAsync(this.#words, PENDING, this.#wokenBy(left.length, pending), POLL_MS);
      // A timer as well: a wait alone doesn't keep the process alive.
      await Promise.race([answer.value, sleep(POLL_MS)]);
    }
    this.#finish(started);
  }

  #giveUp(cpus: readonly number[], missing: () => number[]): UnresponsiveCpuError {
    this.#underWay--;
    for (const cpu of cpus) this.#owed.add(cpu);
    const answered = async () => {
      while (missing().length > 0) await sleep(POLL_MS, undefined, { ref: false });
    };
    return new UnresponsiveCpuError(cpus, this.#timeoutMs, answered());
  }

  #finish(started: number): undefined {
    this.#underWay--;
    this.#onFlushed((performance.now() - started) * 1e6);
  }
}
