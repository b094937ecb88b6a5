import { setTimeout as sleep } from 'node:timers/promises';
import { anything, type Checks, checkOptions, wholeNumber } from '../check.js';
import {
  BEGUN,
  cpuWords,
  FAULT_BELL,
  FAULT_IS_STORE,
  FAULT_RAISED,
  FAULT_RESULT,
  FAULT_STATE,
  FAULT_TAKEN,
  FAULT_VPN,
  LONGEST_WAIT,
  NO_FAULT,
  RECEIVED,
  RUNNING,
  ringCpu,
  SENT,
  STOP,
  WAIT_BUCKET_COUNT,
  WAIT_BUCKETS,
  WAITERS,
  WAITING_VPN,
} from '../cpu/cpu-area.js';
import type { CpuOutcome, CpuTask, CpuWorkerSetup } from '../cpu/run-program.js';
import { ERRNO, ErrnoError, invalid } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { Lifetime } from '../threads/lifetime.js';
import { ThreadPool } from '../threads/pool.js';
import { recording, type TracedThreads } from '../trace/recording.js';
import type { Vpn } from '../units.js';
import { AddressSpace } from './address-space.js';
import { UnresponsiveCpuError } from './tlb-flush.js';

/** An idle thread is kept this long, in milliseconds, for the next program. */
const IDLE_THREAD_MS = 1000;
/** What programs get to return when the machine is closed, in milliseconds. */
const GRACE_MS = 100;

/** How long CPUs have waited at migration entries, since the machine was booted. */
export interface MigrationWaits {
  /** Waits. */
  readonly count: number;
  /** The longest, in nanoseconds. */
  readonly maxNs: number;
  /** Waits of at least `fromNs` and less than twice that; only those of which there are some. */
  readonly buckets: readonly {
    /** Nanoseconds, a power of two. */
    readonly fromNs: number;
    /** Waits of that length. */
    readonly count: number;
  }[];
}

/** Options of {@link Cpus.run}. */
export interface RunOptions {
  /** Number of the CPU, from 0. Default: the first that is idle. */
  cpu?: number | undefined;
  /** Given to the program as its second argument: whatever can be sent to a worker. */
  args?: unknown;
}

/** A CPU's number is checked where it is known that there are some. */
const RUN_OPTIONS: Checks<RunOptions> = { cpu: anything, args: anything };

/**
 * The CPUs of a machine: each is a thread while it runs a program, and nothing while it is idle. Page faults are handled
 * here, on the thread that owns the memory, while its event loop turns.
 */
export class Cpus {
  /** CPUs that the machine has. */
  readonly count: number;
  readonly #memory: PhysicalMemory;
  readonly #words: Int32Array;
  /** `undefined` for a machine without CPUs, which needs no threads. */
  readonly #pool: ThreadPool<CpuTask, CpuOutcome> | undefined;
  /** What each CPU runs: one object a program. */
  readonly #running: ({ readonly mm: AddressSpace } | undefined)[];
  readonly #lifetime = new Lifetime('the machine is closed: boot another');
  /** What its threads record; `undefined` if nobody traced when it was made. */
  readonly #traced: TracedThreads | undefined;
  #handlesFaults = false;

  /** @internal */
  constructor(memory: PhysicalMemory, words: Int32Array, count: number) {
    this.count = count;
    this.#memory = memory;
    this.#words = words;
    this.#running = new Array(count).fill(undefined);
    this.#traced = count > 0 ? recording?.attach('cpu', count) : undefined;
    const { wasm, poisonAddress } = memory;
    const setup: CpuWorkerSetup = { memory: wasm, poisonAddress, words, trace: this.#traced?.setup };
    const url = new URL('../cpu/run-program.js', import.meta.url);
    if (count > 0) this.#pool = new ThreadPool({ url, setup, maxThreads: count, idleTimeout: IDLE_THREAD_MS });
  }

  /** Numbers of the CPUs that run a program. */
  get busy(): number[] {
    return [...this.#running.keys()].filter((cpu) => this.#running[cpu]);
  }

  /**
   * Runs a program on a CPU, in an address space.
   *
   * @param program URL, or absolute path, of a module whose default export is a function of a {@link Cpu} and of `args`. It
   * must return without waiting for anything but memory, and once `cpu.stopRequested`.
   * @returns what it returned
   * @throws ErrnoError EINVAL for a CPU or an option that doesn't exist, a relative path, a module without such a function,
   * an async one, or a result that can't be sent to another thread; ENOENT if there is no such module; EBUSY if the CPU
   * runs another program, or all do, or there are none; ESRCH if the address space is closed, or another machine's;
   * ESHUTDOWN if the machine is closed, also before the program has begun, or before its result has arrived; EAGAIN if the
   * thread can't be started, and EIO if it ended in the middle, with its error as the cause. DataCloneError for `args` that can't be
   * sent. Or whatever the program throws.
   */
  async run(mm: AddressSpace, program: URL | string, options: RunOptions = {}): Promise<unknown> {
    const { cpu, args } = checkOptions(options, RUN_OPTIONS);
    if (!AddressSpace.is(mm)) throw invalid('mm', 'must be an address space of this machine', mm);
    if (mm.memory !== this.#memory) throw new ErrnoError('ESRCH', 'mm: must be an address space of this machine');
    const url = moduleOf(program);
    // After the last look at what was given: a getter may have closed either.
    this.#lifetime.checkOpen();
    if (mm.closed) throw new ErrnoError('ESRCH', 'the address space is closed: create another');
    const number = this.#pick(cpu);
    return this.#lifetime.during(() => this.#runOn(number, mm, url, args));
  }

  async #runOn(cpu: number, mm: AddressSpace, program: string, args: unknown): Promise<unknown> {
    const base = cpuWords(cpu);
    this.#running[cpu] = { mm };
    // Both before the task is sent, which orders them for the thread that gets it.
    Atomics.store(this.#words, base + STOP, 0);
    Atomics.store(this.#words, base + RUNNING, SENT);
    this.#startFaultHandler();
    try {
      return resultOf(await this.#outcomeOf(mm, { cpu, table: mm.table.buffer, program, args }));
    } finally {
      this.#running[cpu] = undefined;
      // The fault handler may have nobody left to wait for.
      this.#ringFaultBell();
    }
  }

  async #outcomeOf(mm: AddressSpace, task: CpuTask): Promise<CpuOutcome> {
    try {
      const outcome = await this.#pool?.run(task);
      if (outcome) return outcome;
      throw new Error('the thread has ended with nothing thrown');
    } catch (error) {
      // The pool rejects when it tells a thread to end: until it has it may still access memory.
      if (this.#pool?.isClosed) await this.#pool.close();
      throw this.#explain(mm, task.cpu, error);
    }
  }

  /** Asks the program on CPU `cpu`, or on all, to return; see {@link Cpu.stopRequested}. Does nothing where none runs. */
  stop(cpu?: number): void {
    for (let number = 0; number < this.count; number++) {
      if (cpu !== undefined && cpu !== number) continue;
      // Before the bell that announces it.
      Atomics.store(this.#words, cpuWords(number) + STOP, 1);
      ringCpu(this.#words, cpuWords(number));
    }
  }

  /** TLB-flush interrupts that all CPUs have received since the machine was booted. */
  get interruptsReceived(): number {
    let sum = 0;
    for (let cpu = 0; cpu < this.count; cpu++) sum += this.#words[cpuWords(cpu) + RECEIVED];
    return sum;
  }

  /** How long CPUs have waited at migration entries. */
  get migrationWaits(): MigrationWaits {
    const counts = new Array<number>(WAIT_BUCKET_COUNT).fill(0);
    let maxNs = 0;
    for (let cpu = 0; cpu < this.count; cpu++) {
      const base = cpuWords(cpu);
      maxNs = Math.max(maxNs, this.#words[base + LONGEST_WAIT]);
      for (let i = 0; i < counts.length; i++) counts[i] += this.#words[base + WAIT_BUCKETS + i];
    }
    const buckets = counts.map((count, i) => ({ fromNs: 2 ** i, count })).filter(({ count }) => count > 0);
    return { count: counts.reduce((sum, count) => sum + count, 0), maxNs, buckets };
  }

  /** Asks all programs to return, gives them a moment, and ends the threads. Closing the machine does this. */
  close(): Promise<void> {
    const endThreads = async () => {
      this.stop();
      const until = performance.now() + GRACE_MS;
      while (this.busy.length > 0 && performance.now() < until) await sleep(1);
      await this.#pool?.close();
      this.#traced?.detach();
    };
    return this.#lifetime.close(async () => this.#ringFaultBell(), endThreads);
  }

  #pick(cpu: number | undefined): number {
    if (this.count === 0) throw new ErrnoError('EBUSY', 'the machine has no CPUs: boot one with some');
    if (cpu !== undefined) wholeNumber(0, this.count - 1)('cpu', cpu);
    const idle = cpu ?? this.#running.indexOf(undefined);
    if (idle >= 0 && !this.#running[idle]) return idle;
    throw new ErrnoError(
      'EBUSY',
      cpu === undefined ? `all ${this.count} CPUs run programs` : `CPU ${cpu} runs a program`,
    );
  }

  /** What {@link run} rejects with, for what the pool does. */
  #explain(mm: AddressSpace, cpu: number, error: unknown): unknown {
    const isSent = Atomics.load(this.#words, cpuWords(cpu) + RUNNING) === SENT;
    // A DataCloneError, of the attempt to send the program with its arguments.
    return isSent && error instanceof DOMException ? error : this.#lost(mm, cpu, error);
  }

  /** Puts a CPU in order whose thread didn't start, or ended before the program's outcome arrived: nobody must wait for it. */
  #lost({ table }: AddressSpace, cpu: number, cause: unknown): ErrnoError {
    const words = this.#words;
    // A flush that waits for this CPU sees that it runs nothing any more.
    Atomics.and(table.cpuMask, cpu >> 5, ~(1 << (cpu & 31)));
    // The thread is gone, so these words are nobody else's until the next program is sent.
    Atomics.store(words, cpuWords(cpu) + WAITING_VPN, 0);
    Atomics.and(words, WAITERS + (cpu >> 5), ~(1 << (cpu & 31)));
    Atomics.store(words, cpuWords(cpu) + FAULT_STATE, NO_FAULT);
    const running = Atomics.load(words, cpuWords(cpu) + RUNNING);
    if (running === BEGUN) {
      return new ErrnoError('EIO', `CPU ${cpu}: its thread ended in the middle of the program`, { cause });
    }
    if (this.#pool?.isClosed) {
      const what = running === SENT ? 'the program began' : "the program's result had arrived";
      return new ErrnoError('ESHUTDOWN', `CPU ${cpu}: the machine was closed before ${what}`, { cause });
    }
    return running === SENT
      ? new ErrnoError('EAGAIN', `CPU ${cpu}: its thread cannot be started; see the cause`, { cause })
      : new ErrnoError('EIO', `CPU ${cpu}: its thread ended before the program's result had arrived`, { cause });
  }

  #startFaultHandler(): void {
    if (this.#handlesFaults) return;
    this.#handlesFaults = true;
    void this.#handleFaults();
  }

  async #handleFaults(): Promise<void> {
    while (this.busy.length > 0) {
      // First the bell, then the CPUs: a fault that comes in between has rung it, and the wait ends at once.
      const bell = Atomics.load(this.#words, FAULT_BELL);
      for (const cpu of this.busy) void this.#handleFault(cpu);
      const wait = Atomics.waitAsync(this.#words, FAULT_BELL, bell);
      if (wait.async) await wait.value;
    }
    // Together with the look at who is busy: a program that starts from here on starts the handler again.
    this.#handlesFaults = false;
  }

  async #handleFault(cpu: number): Promise<void> {
    const words = this.#words;
    const base = cpuWords(cpu);
    // Acquire: pairs with the CPU's store, which comes after the fault's fields. Exchanged, so that a fault that takes long
    // is handled once; the CPU waits for NO_FAULT.
    if (Atomics.compareExchange(words, base + FAULT_STATE, FAULT_RAISED, FAULT_TAKEN) !== FAULT_RAISED) return;
    const running = this.#running[cpu] as { mm: AddressSpace };
    const errno = await faultOf(running.mm, words[base + FAULT_VPN] as Vpn, words[base + FAULT_IS_STORE] === 1);
    // Another program may run there by now, if this one's thread ended.
    if (this.#running[cpu] !== running) return;
    words[base + FAULT_RESULT] = errno;
    // Release: the entry and the result come before it.
    Atomics.store(words, base + FAULT_STATE, NO_FAULT);
    ringCpu(words, base);
  }

  #ringFaultBell(): void {
    // After whatever the handler is to see: it reads the bell first.
    Atomics.add(this.#words, FAULT_BELL, 1);
    Atomics.notify(this.#words, FAULT_BELL);
  }
}

/** The module of a program. @throws ErrnoError EINVAL for what is no URL, and no path that isn't relative */
function moduleOf(program: unknown): string {
  const module = program instanceof URL ? program.href : program;
  if (typeof module === 'string' && module !== '' && !/^\.\.?\//.test(module)) return module;
  throw invalid('program', 'must be a URL, as of new URL(path, import.meta.url), or an absolute path', program);
}

/** What a program returned. @throws what it threw */
function resultOf(outcome: CpuOutcome): unknown {
  if ('value' in outcome) return outcome.value;
  if ('code' in outcome) throw new ErrnoError(outcome.code, outcome.message.replace(/^\w+: /, ''));
  throw outcome.thrown instanceof Error ? outcome.thrown : invalid('program', 'must throw an Error', outcome.thrown);
}

/** Handles a fault, and waits for other CPUs as long as it takes. Returns 0 for the CPU to walk again, or an errno. */
async function faultOf(mm: AddressSpace, vpn: Vpn, isStore: boolean): Promise<number> {
  for (let flushTimeoutMs: number | undefined; ; flushTimeoutMs = Number.POSITIVE_INFINITY) {
    try {
      return await mm.fault(vpn, isStore, flushTimeoutMs);
    } catch (error) {
      if (!(error instanceof UnresponsiveCpuError)) return ERRNO.EIO;
      // Others reach the page meanwhile, which they wouldn't during a flush. The next one has no limit: a CPU that is late
      // every time would let no store through.
      await error.answered;
    }
  }
}
