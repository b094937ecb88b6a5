import { workerData } from 'node:worker_threads';
import { type ErrnoCode, ErrnoError, invalid } from '../errno.js';
import { PoisonMap } from '../memory/poison-map.js';
import type { ThreadData } from '../threads/pool.js';
import { createTraceWriter, PROGRAM, type TraceSetup } from '../trace/ring.js';
import type { SharedWasmMemory } from '../wasm.js';
import { Cpu } from './cpu.js';
import { BEGUN, cpuWords, ENDED, RUNNING } from './cpu-area.js';
import { openPageTable } from './page-table.js';

/** What every CPU thread of a machine gets once, with its workerData. */
export interface CpuWorkerSetup {
  readonly memory: SharedWasmMemory;
  readonly poisonAddress: number;
  /** The words of all CPUs; see cpu-area.ts. */
  readonly words: Int32Array;
  /** Where each CPU says what it does, by its number; `undefined` where nobody traces. */
  readonly trace: TraceSetup | undefined;
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

const { memory, poisonAddress, words, trace } = (workerData as ThreadData<CpuWorkerSetup>).setup;
const poison = new PoisonMap(memory.buffer, poisonAddress);

/**
 * What a program returned or threw; an ErrnoError in parts, for an Error loses its code on its way between threads. Whatever a
 * task is rejected with is of the thread's own making.
 */
export type CpuOutcome =
  | { readonly value: unknown }
  | { readonly code: ErrnoCode; readonly message: string }
  | { readonly thrown: unknown };

/** Runs a program as CPU `cpu`. */
export default async function run(task: CpuTask): Promise<CpuOutcome> {
  // Before anything of the program: whoever finds it SENT after the thread has ended knows that nothing of it was done.
  Atomics.store(words, cpuWords(task.cpu) + RUNNING, BEGUN);
  const outcome = await runProgram(task);
  // Whoever finds it begun after the thread has ended knows that it ended in the middle.
  Atomics.store(words, cpuWords(task.cpu) + RUNNING, ENDED);
  return sendable(outcome);
}

async function runProgram({ cpu, table, program, args }: CpuTask): Promise<CpuOutcome> {
  try {
    const main = await load(program);
    // The CPU's program before this one has ended, whatever thread it was on.
    const writer = trace && createTraceWriter(trace, cpu);
    const context = { number: cpu, physical: memory.buffer, poison, words, table: openPageTable(table), trace: writer };
    writer?.begin(PROGRAM, 0);
    try {
      return { value: execute(main, new Cpu(context), args) };
    } finally {
      writer?.end(PROGRAM, 0, 0);
    }
  } catch (error) {
    return error instanceof ErrnoError ? failed(error) : { thrown: error };
  }
}

/**
 * A copy of what a program returned or threw, as another thread would get it. Made here: Node.js ends a thread that fails to
 * send something, and tells the other only that it did.
 */
function sendable(outcome: CpuOutcome): CpuOutcome {
  try {
    return structuredClone(outcome);
  } catch {
    const [what] = Object.values(outcome);
    return failed(invalid('program', 'must return, or throw, what can be sent to another thread', what));
  }
}

function failed({ code, message }: ErrnoError): CpuOutcome {
  return { code, message };
}

/** What Node.js says of a name that can't be a module's. */
const NO_MODULE = [
  'ERR_INVALID_MODULE_SPECIFIER',
  'ERR_INVALID_FILE_URL_HOST',
  'ERR_INVALID_FILE_URL_PATH',
  'ERR_INVALID_ARG_VALUE',
  'ERR_UNSUPPORTED_ESM_URL_SCHEME',
  'ERR_UNSUPPORTED_DIR_IMPORT',
  'ERR_UNSUPPORTED_RESOLVE_REQUEST',
  'ERR_UNKNOWN_FILE_EXTENSION',
];

type Program = (cpu: Cpu, args: unknown) => unknown;

async function load(program: string): Promise<Program> {
  const { default: main } = await import(program).catch((error) => {
    const code = error?.code;
    if (code === 'ERR_MODULE_NOT_FOUND') throw new ErrnoError('ENOENT', `program: ${error.message}`);
    if (NO_MODULE.includes(code))
      throw invalid('program', `must be the URL, or the path, of a module (${code})`, program);
    throw error;
  });
  if (typeof main === 'function') return main;
  throw invalid('program', 'must have a function as its default export', program);
}

function execute(main: Program, cpu: Cpu, args: unknown): unknown {
  try {
    const value = main(cpu, args);
    if (value instanceof Promise) throw invalid('program', 'must return without waiting, not be async', value);
    return value;
  } finally {
    cpu.end();
  }
}
