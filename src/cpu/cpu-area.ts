/*
 * The protocol between the thread that owns the physical memory (here: the owner) and the CPUs: a few words of shared
 * memory a CPU, each CPU's in cache lines of its own, and a header.
 *
 * A CPU polls one word, its bell, before every access. Between two polls it translates and accesses once, so whoever has
 * the CPU's answer to an interrupt knows that no access by an older translation is under way or will come.
 *
 * Wake-ups: whatever a CPU must look at is written first, then its bell is rung. A CPU that sleeps reads the bell, looks at
 * everything, and sleeps on the bell's value: what comes in between makes the wait return at once.
 *
 * TLB flush: the owner writes what to flush, then a new sequence number into the REQUEST word of each CPU that may hold
 * translations, and rings. The CPU flushes and puts the number into its ACKED word. The owner goes by those words alone:
 * PENDING, which counts down to the CPU that wakes the owner, is only there so that one wake-up a flush is enough. Its
 * upper bits are the number of the flush, so a CPU that answers after the owner gave up takes nothing off a later one. A CPU that
 * leaves before it was asked is counted, and answers nothing: once the owner sees that, it has each answer wake it.
 *
 * Lazy CPUs: a CPU that stops running an address space clears its bit in that table's mask and then looks at REQUEST; the
 * owner writes REQUEST and then looks at the mask. Whichever comes second sees the other: either the CPU answers, or the
 * owner sees that it is gone. A CPU that sets its bit has an empty TLB, and walks tables that were changed before.
 */

/** CPUs that a machine can have. */
export const MAX_CPUS = 64;
/** Words of 128 bytes: two cache lines, for the hardware fetches them in pairs. */
const LINE = 32;

// Header, in words.
/** Flush number << 8 | {@link PENDING_EACH} | CPUs whose answer is missing. */
export const PENDING = 0;
/** Rung by a CPU that has a page fault for the owner. */
export const FAULT_BELL = LINE;
/** CPUs that wait for migration entries: a bit each, of two words, so that one whose thread is gone is taken off for certain. */
export const WAITERS = 2 * LINE;
/** What to flush: pages from FLUSH_START up to FLUSH_END, or all. */
export const FLUSH_ALL = 3 * LINE;
export const FLUSH_START = FLUSH_ALL + 1;
export const FLUSH_END = FLUSH_ALL + 2;
const CPUS = 4 * LINE;

// A CPU's words, from its first.
export const BELL = 0;
export const REQUEST = 1;
export const STOP = 2;
export const FAULT_RESULT = 3;
/** What became of the CPU's program: {@link ENDED}, {@link SENT} or {@link BEGUN}. */
export const RUNNING = 4;
export const ACKED = LINE;
export const FAULT_STATE = LINE + 1;
export const FAULT_VPN = LINE + 2;
export const FAULT_IS_STORE = LINE + 3;
/** The page that the CPU waits for, plus 1; 0 while it waits for none. */
export const WAITING_VPN = LINE + 4;
/** Interrupts received. */
export const RECEIVED = LINE + 5;
/** Longest wait at a migration entry, in nanoseconds. */
export const LONGEST_WAIT = LINE + 6;
/** Waits at migration entries by the binary logarithm of their nanoseconds. */
export const WAIT_BUCKETS = 2 * LINE;
export const WAIT_BUCKET_COUNT = 32;
const CPU_WORDS = 3 * LINE;

/** Values of RUNNING: its thread is done with it, or there was none. */
export const ENDED = 0;
/** It is on its way to a thread. */
export const SENT = 1;
/** A thread has it. */
export const BEGUN = 2;

/** Values of FAULT_STATE. */
export const NO_FAULT = 0;
export const FAULT_RAISED = 1;
/** The owner handles it. */
export const FAULT_TAKEN = 2;

/** Bits of PENDING that hold the count, up to {@link MAX_CPUS}. */
export const PENDING_COUNT = 0x7f;
/** In PENDING: each answer is to wake the owner, for one that is counted may never come. */
export const PENDING_EACH = 0x80;
export const PENDING_SHIFT = 8;

export function createCpuArea(cpus: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer((CPUS + cpus * CPU_WORDS) * 4));
}

/** Index of CPU `number`'s first word. */
export function cpuWords(number: number): number {
  return CPUS + number * CPU_WORDS;
}

/** Wakes a CPU, or makes it look up at its next access. */
export function ringCpu(words: Int32Array, cpu: number): void {
  // Orders what was written before this for a CPU that polls or sleeps; it reads the bell first and the rest second.
  Atomics.add(words, cpu + BELL, 1);
  Atomics.notify(words, cpu + BELL);
}
