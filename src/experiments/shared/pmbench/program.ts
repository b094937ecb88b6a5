import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { Cpu } from 'mtcopy';
import { createDraw, createPicker, type Pattern } from './access-pattern.js';

/** What a CPU is to do. */
export interface PmbenchArgs {
  /** First byte of the area. */
  readonly address: number;
  readonly pages: number;
  /** Bytes of a page. */
  readonly pageBytes: number;
  readonly pattern: Pattern;
  /** Stores as a fraction of the accesses, 0 to 1. */
  readonly writeRatio: number;
  /** What CPU 0 draws its numbers by; each other CPU adds its own number. */
  readonly seed: number;
  /** Two words that all CPUs share: how many are ready, and whether they may start. */
  readonly gate: Int32Array;
}

export const READY = 0;
export const MAY_START = 1;

/** What a CPU did. */
export interface PmbenchAccesses {
  readonly accesses: number;
  readonly stores: number;
  /** Sum of the page number of every store, modulo 2^32. */
  readonly placed: number;
  /** Nanoseconds from the end of each access to the end of the next, so with the choice of it and one look at the clock. */
  readonly latencies: RecordableHistogram;
}

/** Accesses between two looks at whether to end. */
const ROUND = 64;
/** Bytes that a CPU has in each page: a cache line, of which there is one for each of 64 CPUs. */
const OWN_BYTES = 64;
/** Counters in them. */
const COUNTERS = OWN_BYTES / 8;

/**
 * The program that pmbench runs on every CPU: loads and stores all over the area until it is stopped. A store adds 1 to a
 * counter that belongs to this CPU alone, so that each that is lost is missing from the sum.
 */
export default function run(cpu: Cpu, args: PmbenchArgs): PmbenchAccesses {
  const { address, pages, pageBytes, pattern, writeRatio, seed, gate } = args;
  const latencies = createHistogram();
  const draw = createDraw(seed + cpu.number);
  const pick = createPicker(pattern, pages, draw);
  const storesBelow = writeRatio * 2 ** 32;
  const own = address + cpu.number * OWN_BYTES;
  let accesses = 0;
  let stores = 0;
  let placed = 0;
  Atomics.add(gate, READY, 1);
  // Not idle: it is interrupted from the first page on.
  while (Atomics.load(gate, MAY_START) === 0 && !cpu.stopRequested) cpu.poll();
  let before = performance.now();
  while (!cpu.stopRequested) {
    for (let i = 0; i < ROUND; i++) {
      const page = pick();
      // Its lowest bits choose the counter; whether to store is up to the others.
      const bits = draw();
      const counter = own + page * pageBytes + (bits % COUNTERS) * 8;
      if (bits < storesBelow) {
        cpu.store64(counter, cpu.load64(counter) + 1);
        placed = (placed + page) | 0;
        stores++;
      } else {
        cpu.load64(counter);
      }
      const now = performance.now();
      // A histogram takes whole numbers, from 1.
      latencies.record(Math.max(1, Math.round((now - before) * 1e6)));
      before = now;
    }
    accesses += ROUND;
  }
  return { accesses, stores, placed: placed >>> 0, latencies };
}
