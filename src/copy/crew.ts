import { existsSync } from 'node:fs';
import { MAX_THREADS } from '../check.js';
import { ErrnoError } from '../errno.js';
import { ThreadPool } from '../threads/pool.js';
import {
  ATTACHED,
  countAttached,
  DETACHED,
  type JobRing,
  LEAVING,
  ringDoorbell,
  workerInbox,
  workerState,
  workerTid,
} from './worker/job-ring.js';
import type { WorkerSetup } from './worker/serve.js';

/** Heap limits of a worker, which keeps next to nothing on its heap. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 };
/** Starts of one worker in a row that may fail before the crew gives it up. */
const MAX_FAILED_STARTS = 3;

interface CrewOptions {
  readonly ring: JobRing;
  readonly setup: WorkerSetup;
  readonly niceIncrement: number;
  /** Called once a worker takes jobs. */
  readonly onAttached: (index: number) => void;
  /** Called once a worker takes none any more; with its number if its thread has ended without being asked to. */
  readonly onDetached: (lost?: number) => void;
}

/** Where a worker gets messages. */
export interface Inbox {
  readonly worker: number;
  /** Node.js's number of its thread. */
  readonly thread: number;
}

/** A worker from its start to the end of its task. */
interface Member {
  /** Settles once the worker serves, or is over. */
  readonly started: Promise<void>;
  /** Settles once its task is over and, if there should still be such a worker, another is started. */
  readonly over: Promise<void>;
  /** Whether it ever served. */
  served: boolean;
}

/**
 * The worker threads of one engine. Each runs one long task, `serve`, that sleeps on the ring's doorbell between jobs, so
 * that a caller that blocks can use them, and one that helps needs no message.
 */
export class Crew {
  readonly #pool: ThreadPool<number, void>;
  readonly #ring: JobRing;
  readonly #onAttached: (index: number) => void;
  readonly #onDetached: (lost?: number) => void;
  /** The workers whose task is in flight, by their number. */
  readonly #members: (Member | undefined)[] = [];
  #target = 0;
  /** For each worker, its starts in a row that failed. */
  #failedStarts: number[] = [];
  /** Why the last of them failed. */
  #startError: unknown;

  constructor({ ring, setup, niceIncrement, onAttached, onDetached }: CrewOptions) {
    this.#ring = ring;
    this.#onAttached = onAttached;
    this.#onDetached = onDetached;
    this.#pool = new ThreadPool({
      url: new URL('./worker/serve.cjs', import.meta.url),
      setup,
      maxThreads: MAX_THREADS,
      // A thread lives as long as the engine: to start one takes some 35 ms.
      idleTimeout: Number.POSITIVE_INFINITY,
      niceIncrement,
      resourceLimits: RESOURCE_LIMITS,
    });
  }

  /** Workers that there should be. */
  get target(): number {
    return this.#target;
  }

  /** Workers that take jobs now. */
  get attached(): number {
    return countAttached(this.#ring, this.#target);
  }

  /** The inboxes of the workers that take jobs now. */
  inboxes(): Inbox[] {
    const { words } = this.#ring;
    const found: Inbox[] = [];
    for (let worker = 0; worker < MAX_THREADS; worker++) {
      // Acquire: the number was written before the worker attached.
      if (Atomics.load(words, workerState(worker)) === ATTACHED)
        found.push({ worker, thread: words[workerInbox(worker)] });
    }
    return found;
  }

  /** Sets how many workers there should be, 0 to 64. Those too many leave after what is published; waits for none. */
  resize(target: number): void {
    this.#target = target;
    this.#failedStarts = new Array(MAX_THREADS).fill(0);
    const { words } = this.#ring;
    for (let index = 0; index < MAX_THREADS; index++) {
      // Against the worker's own store: one that has ended already stays as it is. The doorbell below comes after it, and
      // has the worker look. It leaves then, also if it is wanted again by that time: another task takes its number.
      if (index >= target) Atomics.compareExchange(words, workerState(index), ATTACHED, LEAVING);
      else if (!this.#members[index]) this.#start(index);
    }
    ringDoorbell(this.#ring, MAX_THREADS);
  }

  /**
   * Resolves once all workers that there should be take jobs.
   *
   * @throws ErrnoError EAGAIN if threads can't be started, with the last one's error as its cause
   */
  async ready(): Promise<void> {
    for (let index = 0; index < this.#target && !this.#pool.isClosed; index++) {
      while (Atomics.load(this.#ring.words, workerState(index)) !== ATTACHED) {
        const member = this.#members[index];
        if (!member) {
          const message = `threads: ${this.#target} beside the caller's cannot be started; see the cause, or ask for fewer`;
          throw new ErrnoError('EAGAIN', message, { cause: this.#startError });
        }
        await member.started;
        // One that served and no longer does is about to be over, and to be started anew.
        if (Atomics.load(this.#ring.words, workerState(index)) !== ATTACHED) await member.over;
        if (index >= this.#target || this.#pool.isClosed) return;
      }
    }
  }

  /**
   * Reports workers whose threads are gone without the event loop: for a caller that blocks. Only Linux
   * tells; elsewhere none are found.
   */
  reportDead(): void {
    const { words } = this.#ring;
    for (let index = 0; index < this.#members.length; index++) {
      // Before the thread's number, which the worker writes first: one that attaches now isn't taken for a dead one before it.
      if (Atomics.load(words, workerState(index)) === DETACHED) continue;
      const tid = words[workerTid(index)];
      if (tid === 0 || existsSync(`/proc/self/task/${tid}`)) continue;
      // Before its units are offered again: whoever counts the workers from here on leaves this one out.
      Atomics.store(words, workerState(index), DETACHED);
      this.#onDetached(index);
    }
  }

  /** Ends all threads. No job may be in flight. */
  async close(): Promise<void> {
    this.#target = 0;
    // A thread that is ended while it still loads its modules can take the process with it.
    await Promise.all(this.#members.map((member) => member?.started));
    await this.#pool.close();
  }

  #start(index: number): void {
    const { words } = this.#ring;
    const task = this.#pool.run(index);
    const attached = Atomics.waitAsync(words, workerState(index), DETACHED);
    const member: Member = {
      started: Promise.race([attached.value, task.catch(() => {})]).then(() => this.#onStarted(index, member)),
      over: task.then(
        () => this.#onTaskOver(index),
        (error) => this.#onThreadEnded(index, member, error),
      ),
      served: false,
    };
    this.#members[index] = member;
  }

  #onStarted(index: number, member: Member): void {
    if (Atomics.load(this.#ring.words, workerState(index)) === DETACHED) return;
    member.served = true;
    this.#failedStarts[index] = 0;
    if (index >= this.#target) this.resize(this.#target);
    else this.#onAttached(index);
  }

  #onTaskOver(index: number): void {
    this.#startAgain(index);
    this.#onDetached();
  }

  #startAgain(index: number): void {
    this.#members[index] = undefined;
    if (index < this.#target && !this.#pool.isClosed) this.#start(index);
  }

  #onThreadEnded(index: number, member: Member, error: unknown): void {
    const { words } = this.#ring;
    // As above; and before another thread is started under this number, which attaches by it.
    Atomics.store(words, workerState(index), DETACHED);
    // Settles the wait of a start that never came to attach.
    Atomics.notify(words, workerState(index));
    this.#members[index] = undefined;
    if (this.#pool.isClosed) return;
    // Before its number is given to another thread: lost units are known by it.
    this.#onDetached(index);
    if (!member.served) this.#startError = error;
    const failed = member.served ? 0 : (this.#failedStarts[index] ?? 0) + 1;
    this.#failedStarts[index] = failed;
    if (failed < MAX_FAILED_STARTS) this.#startAgain(index);
  }
}
