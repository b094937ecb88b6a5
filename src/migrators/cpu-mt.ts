import { checkThreads, oneOf } from '../check.js';
import type { Work } from '../copy/batch/batch.js';
import type { CopyItems } from '../copy/batch/items.js';
import { CopyEngine, runTrusted } from '../copy/engine.js';
import type { CopyResult } from '../copy/result.js';
import { ErrnoError } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { CALLER_MODES, type CallerMode, type Distribution, SCHEDULES, type Schedule, type Stores } from '../words.js';
import { createMtcopyMigrator, type MtcopyMigrator } from './mtcopy.js';
import type { OffloadDriver } from './offload-switch.js';

/** What a machine boots the driver with. */
interface CpuMtOptions {
  readonly threads?: number | 'auto' | undefined;
  readonly schedule?: Schedule | undefined;
  readonly distribution?: Distribution | undefined;
  readonly unitBytes?: number | string | undefined;
  readonly caller?: CallerMode | undefined;
  /** Bytes of the smallest batch that the migrator takes. */
  readonly minBytes?: number | undefined;
}

/** As in the published driver's sysfs. */
const DEFAULT_THREADS = 4;

const checkSchedule = oneOf(SCHEDULES);
const checkCaller = oneOf(CALLER_MODES);

/**
 * The driver of `'mtcopy'` (cpu_mt): its migrator, which is the same one for ever, the settings that its directory of sysfs
 * shows, and the engine that copies, started when it is first wanted. What is set holds for batches that begin later.
 */
export class CpuMt implements OffloadDriver {
  readonly migrator: MtcopyMigrator;
  readonly #memory: PhysicalMemory;
  /** What the engines of both schedules are made with: each is the one's alone. */
  readonly #shape: Pick<CpuMtOptions, 'distribution' | 'unitBytes'>;
  #threads: number = DEFAULT_THREADS;
  #schedule: Schedule = 'dynamic';
  #caller: CallerMode = 'auto';
  #engine: CopyEngine | undefined;
  /** The start of an engine that is under way. */
  #opening: Promise<void> | undefined;
  /** The ends of engines that had another schedule. */
  readonly #closing = new Set<Promise<void>>();
  #isClosed = false;

  constructor(memory: PhysicalMemory, options: CpuMtOptions) {
    this.#memory = memory;
    const { distribution, unitBytes } = options;
    this.#shape = { distribution, unitBytes };
    if (options.threads !== undefined) this.threads = options.threads;
    if (options.schedule !== undefined) this.schedule = options.schedule;
    if (options.caller !== undefined) this.caller = options.caller;
    this.migrator = createMtcopyMigrator((work, items, stores) => this.#run(work, items, stores), memory);
    if (options.minBytes !== undefined) this.migrator.minBytes = options.minBytes;
  }

  /** Worker threads, 1 to 64, not counting the calling one. */
  get threads(): number {
    return this.#threads;
  }

  /** @throws ErrnoError EINVAL for anything but 1 to 64 or `'auto'` */
  set threads(threads: number | 'auto') {
    this.#threads = checkThreads(threads);
    if (this.#engine) this.#engine.threads = this.#threads;
  }

  /** How threads share a batch. */
  get schedule(): Schedule {
    return this.#schedule;
  }

  /** @throws ErrnoError EINVAL for anything that is none */
  set schedule(schedule: Schedule) {
    checkSchedule('schedule', schedule);
    if (schedule === this.#schedule) return;
    this.#schedule = schedule;
    // An engine has one schedule: the next batch starts another.
    if (this.#engine) this.#retire(this.#engine);
    this.#engine = undefined;
  }

  /** Whether the calling thread takes part. */
  get caller(): CallerMode {
    return this.#caller;
  }

  /** @throws ErrnoError EINVAL for anything that is none */
  set caller(caller: CallerMode) {
    checkCaller('caller', caller);
    this.#caller = caller;
  }

  /**
   * Has the engine started, unless it is.
   *
   * @throws ErrnoError EAGAIN and ENOENT as {@link CopyEngine.create}: the next call may have more luck; ESHUTDOWN once the
   * driver is closed
   */
  async ready(): Promise<void> {
    while (!this.#engine) {
      if (this.#isClosed) throw new ErrnoError('ESHUTDOWN', 'the machine is closed: boot another');
      this.#opening ??= this.#open().finally(() => {
        this.#opening = undefined;
      });
      await this.#opening;
    }
  }

  /**
   * Resolves once all threads take jobs, also those that had left, of the engine that the next batch gets, and those that had
   * another schedule have ended.
   *
   * @throws ErrnoError as {@link ready}
   */
  async attached(): Promise<void> {
    for (;;) {
      await this.ready();
      const engine = this.#engine;
      try {
        await Promise.all([engine?.ready(), ...this.#closing]);
        // Again, for they leave after a rest, and the others may have taken longer than that to end.
        await engine?.ready();
      } catch (error) {
        // Not that of one that is closing, for another schedule was set meanwhile.
        if (engine === this.#engine) throw error;
      }
      if (engine && engine === this.#engine) return;
    }
  }

  /** Ends the engines, once the copies in flight have ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#opening?.catch(() => {});
    if (this.#engine) this.#retire(this.#engine);
    this.#engine = undefined;
    await Promise.all(this.#closing);
  }

  async #run(work: Work, items: CopyItems, stores: Stores): Promise<CopyResult> {
    // Looked up and called in one step: an engine that is closing by then would refuse the batch.
    while (!this.#engine) await this.ready();
    return runTrusted(this.#engine, work, items, this.#caller, stores);
  }

  async #open(): Promise<void> {
    const schedule = this.#schedule;
    const engine = await CopyEngine.create({
      memory: this.#memory,
      threads: this.#threads,
      schedule,
      ...this.#shape,
      // What isn't worth the threads doesn't come to it.
      minParallelBytes: 0,
    });
    // Set meanwhile: another engine is to be started, or none.
    if (schedule !== this.#schedule || this.#isClosed) return this.#retire(engine);
    engine.threads = this.#threads;
    this.#engine = engine;
  }

  /** Closes an engine, which waits for its copies; no batch gets it any more. */
  #retire(engine: CopyEngine): void {
    const closing = engine.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}
