import { workerData } from 'node:worker_threads';
import { type ErrnoCode, ErrnoError } from '../errno.js';
import { PoisonMap } from '../memory/poison-map.js';
import { PAGE_SIZE } from '../units.js';
import type { SharedWasmMemory } from '../wasm.js';
import { Cpu } from './cpu.js';
import { openPageTable } from './page-table.js';

/** What every CPU thread of a machine gets once, as its workerData. */
export interface CpuWorkerSetup {
  readonly memory: SharedWasmMemory;
  readonly poisonAddress: number;
  /** The words of all CPUs; see cpu-area.ts. */
  readonly words: Int32Array;
}

/** A program to run: sent to a thread, which is that CPU until the program ends. */
export interface CpuTask {
  readonly cpu: number;
  /** The page table's buffer. */
  readonly table: SharedArrayBuffer;
  /** URL of a module whose default export is the program. */
  readonly program: string;
  readonly args: unknown;
}

const { memory, poisonAddress, words } = workerData as CpuWorkerSetup;
const poison = new PoisonMap(memory.buffer, poisonAddress, memory.buffer.byteLength / PAGE_SIZE);

/** What a program returned, or the error with an errno that it threw: an Error loses its code on its way between threads. */
export type CpuOutcome = { readonly value: unknown } | { readonly code: ErrnoCode; readonly message: string };

/** Runs a program as CPU `cpu`. */
export default async function run({ cpu: number, table, program, args }: CpuTask): Promise<CpuOutcome> {
  const { default: main } = await import(program);
  if (typeof main !== 'function') throw new TypeError(`${program} has no function as its default export`);
  const cpu = new Cpu({ number, physical: memory.buffer, poison, words, table: openPageTable(table) });
  try {
    return { value: main(cpu, args) };
  } catch (error) {
    if (error instanceof ErrnoError) return { code: error.code, message: error.message };
    throw error;
  } finally {
    cpu.leave();
  }
}
