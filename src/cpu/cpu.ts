import { ErrnoError, errnoName, invalid } from '../errno.js';
import type { PoisonMap } from '../memory/poison-map.js';
import { INTERRUPT, type TraceWriter, WAIT } from '../trace/ring.js';
import { HPAGE_PMD_ORDER, PAGE_SIZE } from '../units.js';
import {
  ACKED,
  BELL,
  cpuWords,
  FAULT_BELL,
  FAULT_IS_STORE,
  FAULT_RAISED,
  FAULT_RESULT,
  FAULT_STATE,
  FAULT_VPN,
  FLUSH_ALL,
  FLUSH_END,
  FLUSH_START,
  LONGEST_WAIT,
  NO_FAULT,
  PENDING,
  PENDING_COUNT,
  PENDING_EACH,
  PENDING_SHIFT,
  RECEIVED,
  REQUEST,
  STOP,
  WAIT_BUCKETS,
  WAITERS,
  WAITING_VPN,
} from './cpu-area.js';
import { markAccessed, type PageTable, PTRS_PER_PTE, VPN_LIMIT, walkTo } from './page-table.js';
import { ACCESSED, DIRTY, frameOf, MIGRATION, PRESENT, TABLE, WRITE } from './pte.js';
import { createTlb, FRAME, flushAll, flushRange, insert, insertHuge, lookUp, STORABLE } from './tlb.js';

/** What a CPU needs of its machine. */
export interface CpuContext {
  /** Number of the CPU, from 0. */
  readonly number: number;
  /** The whole physical memory. */
  readonly physical: SharedArrayBuffer;
  readonly poison: PoisonMap;
  /** The words of all CPUs; see cpu-area.ts. */
  readonly words: Int32Array;
  /** The address space that the program runs in. */
  readonly table: PageTable;
  /** Where it says what it does, if somebody traces. */
  readonly trace: TraceWriter | undefined;
}

/** The largest number that a double holds with all integers below it. */
const MAX_INTEGER = Number.MAX_SAFE_INTEGER;
/** Bits of an address within its page. */
const OFFSET = PAGE_SIZE - 1;

/**
 * A CPU, as the program that runs on it sees it: loads and stores at virtual addresses, translated by a software TLB in
 * front of the page table. An access to a page that isn't there yet faults it in; one to a page that is being migrated
 * waits until it has arrived. A memory error is met where the page table is walked, not through a translation in the TLB.
 *
 * Addresses are virtual, in bytes.
 *
 * Interrupts are answered before every access. A program that computes for long without one calls {@link poll}, or holds
 * up whoever flushes TLBs.
 */
export class Cpu {
  /** Number of the CPU, from 0. */
  readonly number: number;
  readonly #words: Int32Array;
  readonly #base: number;
  readonly #table: PageTable;
  readonly #poison: PoisonMap;
  readonly #trace: TraceWriter | undefined;
  readonly #tlb = createTlb();
  readonly #bytes: Uint8Array;
  readonly #halves: Uint16Array;
  readonly #ints: Uint32Array;
  readonly #doubles: Float64Array;
  /** A 64-bit word as two halves and as the double that moves it at once. */
  readonly #pair = new Uint32Array(2);
  readonly #double = new Float64Array(this.#pair.buffer);
  /** The bell when this CPU last looked at what it announces. */
  #bell: number;
  /** Number of the last TLB flush that this CPU has answered, from 1. */
  #handled: number;
  #hasEnded = false;

  /** @internal */
  constructor({ number, physical, poison, words, table, trace }: CpuContext) {
    this.number = number;
    this.#words = words;
    this.#base = cpuWords(number);
    this.#table = table;
    this.#poison = poison;
    this.#trace = trace;
    this.#bytes = new Uint8Array(physical);
    this.#halves = new Uint16Array(physical);
    this.#ints = new Uint32Array(physical);
    this.#doubles = new Float64Array(physical);
    this.#bell = Atomics.load(words, this.#base + BELL);
    this.#handled = Atomics.load(words, this.#base + ACKED);
    this.#enter();
  }

  /**
   * Loads a byte.
   *
   * @throws ErrnoError EFAULT where nothing is mapped; ENOMEM, EIO or EHWPOISON if the page can't be had; EINVAL for what is no
   * address; ESRCH once the program has ended, as from a timer that it left
   */
  load8(address: number): number {
    const frame = this.#translate(address, 1, false);
    return this.#bytes[frame * PAGE_SIZE + (address & OFFSET)];
  }

  /** Loads 2 bytes as an unsigned number. @throws as {@link load8}; EINVAL unless `address` is a multiple of 2. */
  load16(address: number): number {
    const frame = this.#translate(address, 2, false);
    return this.#halves[frame * (PAGE_SIZE / 2) + ((address & OFFSET) >> 1)];
  }

  /** Loads 4 bytes as an unsigned number. @throws as {@link load8}; EINVAL unless `address` is a multiple of 4. */
  load32(address: number): number {
    const frame = this.#translate(address, 4, false);
    return this.#ints[frame * (PAGE_SIZE / 4) + ((address & OFFSET) >> 2)];
  }

  /**
   * Loads 8 bytes, at once, as an unsigned number: exact up to 2^53 - 1, and the nearest double beyond.
   *
   * @throws as {@link load8}; EINVAL unless `address` is a multiple of 8.
   */
  load64(address: number): number {
    const frame = this.#translate(address, 8, false);
    const double = this.#doubles[frame * (PAGE_SIZE / 8) + ((address & OFFSET) >> 3)];
    // An engine may change a NaN's bits in passing.
    if (Number.isNaN(double)) return this.#loadHalves(frame, address);
    this.#double[0] = double;
    return this.#pair[1] * 2 ** 32 + this.#pair[0];
  }

  /**
   * Stores the lowest byte of `value`. @throws as {@link load8}; EINVAL for a value that is no number; EOPNOTSUPP for a page that
   * must be copied first, and is private to a device.
   */
  store8(address: number, value: number): void {
    // Here and below before the translation: a conversion may run code that polls, and answers for that translation too.
    const number = toNumber('value', value);
    const frame = this.#translate(address, 1, true);
    this.#bytes[frame * PAGE_SIZE + (address & OFFSET)] = number;
  }

  /** Stores the lowest 2 bytes of `value`. @throws as {@link load16} and {@link store8}. */
  store16(address: number, value: number): void {
    const number = toNumber('value', value);
    const frame = this.#translate(address, 2, true);
    this.#halves[frame * (PAGE_SIZE / 2) + ((address & OFFSET) >> 1)] = number;
  }

  /** Stores the lowest 4 bytes of `value`. @throws as {@link load32} and {@link store8}. */
  store32(address: number, value: number): void {
    const number = toNumber('value', value);
    const frame = this.#translate(address, 4, true);
    this.#ints[frame * (PAGE_SIZE / 4) + ((address & OFFSET) >> 2)] = number;
  }

  /**
   * Stores `value` as 8 bytes, at once.
   *
   * @param value a whole number from 0 to 2^53 - 1
   * @throws as {@link load64} and {@link store8}; EINVAL for any other value.
   */
  store64(address: number, value: number): void {
    if (typeof value !== 'number' || !(value >= 0 && value <= MAX_INTEGER) || value !== Math.floor(value)) {
      throw invalid('value', 'must be a whole number from 0 to 2^53 - 1', value);
    }
    const frame = this.#translate(address, 8, true);
    // Of such a number the upper half is no NaN's, which an engine might change in passing.
    this.#pair[0] = value;
    this.#pair[1] = value / 2 ** 32;
    this.#doubles[frame * (PAGE_SIZE / 8) + ((address & OFFSET) >> 3)] = this.#double[0];
  }

  /** Whether the program was asked to end: it should then return. */
  get stopRequested(): boolean {
    return Atomics.load(this.#words, this.#base + STOP) !== 0;
  }

  /** Answers interrupts, as every access does first. */
  poll(): void {
    if (Atomics.load(this.#words, this.#base + BELL) !== this.#bell) this.#answerInterrupts();
  }

  /**
   * Idles for `ms` milliseconds, or until {@link stopRequested}. An idle CPU is lazy: nobody interrupts it to flush its
   * TLB, and it comes back with an empty one.
   *
   * @throws ErrnoError EINVAL for what is no number; ESRCH once the program has ended
   */
  idle(ms: number): void {
    this.#checkRuns();
    // Before it leaves: a conversion may run code that accesses memory.
    const until = performance.now() + toNumber('ms', ms);
    this.#leave();
    for (let left = until - performance.now(); left > 0 && !this.stopRequested; left = until - performance.now()) {
      // First the bell, then the word that it announces: a stop in between has rung it, and the wait returns at once.
      const bell = Atomics.load(this.#words, this.#base + BELL);
      if (!this.stopRequested) Atomics.wait(this.#words, this.#base + BELL, bell, left);
    }
    this.#enter();
  }

  /**
   * Ends the program: an access that it makes after it has returned, for instance from a timer, fails. Nobody would flush a
   * translation that it used.
   *
   * @internal
   */
  end(): void {
    this.#leave();
    this.#hasEnded = true;
    flushAll(this.#tlb);
  }

  #checkRuns(): void {
    if (!this.#hasEnded) return;
    throw new ErrnoError('ESRCH', `CPU ${this.number}: the program has ended: return after the last access`);
  }

  /** Stops running the address space. */
  #leave(): void {
    const { cpuMask } = this.#table;
    // Before the look at REQUEST below: an owner that writes it after that look sees that this CPU is gone.
    Atomics.and(cpuMask, this.number >> 5, ~(1 << (this.number & 31)));
    this.#answerInterrupts();
  }

  #enter(): void {
    flushAll(this.#tlb);
    // Before the first walk: an owner that changes the table after that walk sees the bit, and interrupts.
    Atomics.or(this.#table.cpuMask, this.number >> 5, 1 << (this.number & 31));
    this.#answerInterrupts();
  }

  /** 8 bytes that are a NaN as a double: no whole number up to 2^53 is. */
  #loadHalves(frame: number, address: number): number {
    const word = frame * (PAGE_SIZE / 4) + ((address & OFFSET) >> 2);
    return this.#ints[word + 1] * 2 ** 32 + this.#ints[word];
  }

  /** The frame of the page at `address`, for an access of `size` bytes, which ends before the next poll. */
  #translate(address: number, size: number, isStore: boolean): number {
    if (Atomics.load(this.#words, this.#base + BELL) !== this.#bell) this.#answerInterrupts();
    if (typeof address !== 'number') throw invalid('address', 'must be a number', address);
    const vpn = Math.floor(address / PAGE_SIZE);
    const isWhole = address >= 0 && vpn * PAGE_SIZE + (address & OFFSET) === address;
    if (!isWhole || address & (size - 1)) throw invalid('address', `must be a multiple of ${size}`, address);
    // Before the TLB, whose tags are of 32 bits.
    if (vpn >= VPN_LIMIT) throw segfault(vpn, this.number);
    const held = lookUp(this.#tlb, vpn);
    if (held >= 0 && (!isStore || held & STORABLE)) return held & FRAME;
    return this.#walk(vpn, isStore);
  }

  /** The frame of page `vpn` by the page table, after whatever faults it takes. */
  #walk(vpn: number, isStore: boolean): number {
    this.#checkRuns();
    const { pmds, ptes } = this.#table;
    const needed = isStore ? PRESENT | WRITE : PRESENT;
    const bits = isStore ? ACCESSED | DIRTY : ACCESSED;
    for (;;) {
      // Acquire, both, as in walkTo: the PTEs come before the PMD that leads to them, and the bytes before their entry.
      const pmd = Atomics.load(pmds, vpn >> HPAGE_PMD_ORDER);
      const isHuge = pmd !== TABLE;
      const entry = isHuge ? pmd : Atomics.load(ptes, vpn);
      if (entry & MIGRATION) {
        this.#waitForMigration(vpn);
      } else if ((entry & needed) !== needed) {
        this.#fault(vpn, isStore);
      } else if (markAccessed(isHuge ? pmds : ptes, isHuge ? vpn >> HPAGE_PMD_ORDER : vpn, entry, bits)) {
        return this.#hold(vpn, entry | bits, isHuge);
      }
    }
  }

  /** Puts a translation into the TLB, and returns the frame of page `vpn`. */
  #hold(vpn: number, entry: number, isHuge: boolean): number {
    const inside = isHuge ? vpn & (PTRS_PER_PTE - 1) : 0;
    const frame = frameOf(entry) + inside;
    if (this.#poison.count > 0 && this.#poison.has(frame)) {
      throw new ErrnoError('EHWPOISON', `CPU ${this.number}: page ${hex(vpn)} has a memory error (SIGBUS)`);
    }
    const storable = (entry & (WRITE | DIRTY)) === (WRITE | DIRTY) ? STORABLE : 0;
    // A translation of 2 MiB would lead to the poisoned page among them unseen.
    if (isHuge && !this.#poison.covers(frameOf(entry), HPAGE_PMD_ORDER))
      insertHuge(this.#tlb, vpn, frameOf(entry) | storable);
    else insert(this.#tlb, vpn, frame | storable);
    return frame;
  }

  /** Looks at everything that the bell may have announced. */
  #answerInterrupts(): void {
    // From then on they are for the next program on this CPU, which has a TLB of its own.
    if (this.#hasEnded) return;
    const words = this.#words;
    const base = this.#base;
    // First the bell, then the rest: what comes later rings it again.
    this.#bell = Atomics.load(words, base + BELL);
    const request = Atomics.load(words, base + REQUEST);
    if (request === this.#handled) return;
    // If the owner gave up on an older flush it writes no range until this CPU has answered, so what stands there is whole.
    if (Atomics.load(words, FLUSH_ALL)) flushAll(this.#tlb);
    else flushRange(this.#tlb, words[FLUSH_START], words[FLUSH_END]);
    this.#handled = request;
    words[base + RECEIVED] = words[base + RECEIVED] + 1;
    // Before the answer: whoever has that finds it recorded.
    if (this.#trace) this.#trace.instant(INTERRUPT);
    // Release: every access by a flushed translation, and the count, come before it.
    Atomics.store(words, base + ACKED, request);
    this.#countDown(request);
  }

  /** Takes this CPU off the flush's count, and wakes the owner if it was the last, or if each is to. */
  #countDown(request: number): void {
    const words = this.#words;
    for (;;) {
      const pending = Atomics.load(words, PENDING);
      if (pending >> PENDING_SHIFT !== (request << PENDING_SHIFT) >> PENDING_SHIFT) return;
      // A flush's number comes again after 2^24 flushes, each of which the owner would have had to give up on.
      if (Atomics.compareExchange(words, PENDING, pending, pending - 1) !== pending) continue;
      if ((pending & PENDING_COUNT) === 1 || pending & PENDING_EACH) Atomics.notify(words, PENDING);
      return;
    }
  }

  /** Sleeps until page `vpn` is no longer on its way (migration_entry_wait), and answers interrupts meanwhile. */
  #waitForMigration(vpn: number): void {
    const words = this.#words;
    const base = this.#base;
    const started = performance.now();
    this.#trace?.begin(WAIT, 0);
    Atomics.or(words, WAITERS + (this.number >> 5), 1 << (this.number & 31));
    // Both before the look at the entry: an owner that writes the entry after that look sees who waits for it.
    Atomics.store(words, base + WAITING_VPN, vpn + 1);
    for (;;) {
      const bell = Atomics.load(words, base + BELL);
      this.#answerInterrupts();
      if (!(walkTo(this.#table, vpn) & MIGRATION)) break;
      Atomics.wait(words, base + BELL, bell);
    }
    // Nothing waits on either: an owner that still sees them rings a bell too many.
    Atomics.store(words, base + WAITING_VPN, 0);
    Atomics.and(words, WAITERS + (this.number >> 5), ~(1 << (this.number & 31)));
    this.#trace?.end(WAIT, 0, 0);
    this.#recordWait(performance.now() - started);
  }

  #recordWait(ms: number): void {
    const words = this.#words;
    const ns = Math.min(Math.max(ms * 1e6, 1), 2 ** 31 - 1);
    const bucket = this.#base + WAIT_BUCKETS + (31 - Math.clz32(ns));
    words[bucket] = words[bucket] + 1;
    if (ns > words[this.#base + LONGEST_WAIT]) words[this.#base + LONGEST_WAIT] = ns;
  }

  /** Has the owner handle a page fault, and answers interrupts until it has. Throws what the fault comes to. */
  #fault(vpn: number, isStore: boolean): void {
    const words = this.#words;
    const base = this.#base;
    words[base + FAULT_VPN] = vpn;
    words[base + FAULT_IS_STORE] = isStore ? 1 : 0;
    // Orders the fault's fields before its state, and that before the bell that the owner waits for.
    Atomics.store(words, base + FAULT_STATE, FAULT_RAISED);
    Atomics.add(words, FAULT_BELL, 1);
    Atomics.notify(words, FAULT_BELL);
    for (;;) {
      const bell = Atomics.load(words, base + BELL);
      this.#answerInterrupts();
      // Acquire: the owner's result comes before it.
      if (Atomics.load(words, base + FAULT_STATE) === NO_FAULT) break;
      Atomics.wait(words, base + BELL, bell);
    }
    const errno = words[base + FAULT_RESULT];
    if (errno === 0) return;
    const code = errnoName(errno) ?? 'EFAULT';
    if (code === 'EFAULT') throw segfault(vpn, this.number);
    throw new ErrnoError(code, `CPU ${this.number}: ${isStore ? 'store' : 'load'} at page ${hex(vpn)} failed`);
  }
}

/** @throws ErrnoError EINVAL for what is no number, and can't be made one */
function toNumber(name: string, value: unknown): number {
  const isNone = typeof value === 'bigint' || typeof value === 'symbol';
  if (isNone) throw invalid(name, 'must be a number', value);
  return Number(value);
}

function segfault(vpn: number, cpu: number): ErrnoError {
  return new ErrnoError('EFAULT', `CPU ${cpu}: nothing is mapped at page ${hex(vpn)} (SIGSEGV)`);
}

function hex(vpn: number): string {
  return `0x${(vpn * PAGE_SIZE).toString(16)}`;
}
