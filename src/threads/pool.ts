import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ResourceLimits } from 'node:worker_threads';
import type { ArrayTaskQueue, Piscina } from 'piscina';
import { ErrnoError } from '../errno.js';

/** What every thread of a pool gets once, as its workerData. */
export interface ThreadData<Setup = unknown> {
  /** URL of the module that runs its tasks. */
  readonly url: string;
  /** What that module needs. */
  readonly setup: Setup;
}

interface ThreadPoolOptions {
  /** URL of a module whose default export is a function that runs a task; one that ends with `.cjs` is CommonJS. */
  readonly url: URL;
  /** What that module finds in its workerData; see {@link ThreadData}. */
  readonly setup: unknown;
  /** Threads, and so tasks at once, at most. */
  readonly maxThreads: number;
  /** An idle thread is kept this long, in milliseconds. */
  readonly idleTimeout: number;
  readonly niceIncrement?: number;
  readonly resourceLimits?: ResourceLimits;
}

const loadPiscina = () => import('piscina');
/** Piscina, once {@link prepareThreads} has loaded it: a program that makes no pool need not wait for that. */
let piscina: Awaited<ReturnType<typeof loadPiscina>> | undefined;

/**
 * Loads what pools need. To be awaited before the first is made.
 *
 * @throws ErrnoError ENOENT if the files that threads load are not where this one is: a bundler has moved it
 */
export async function prepareThreads(): Promise<void> {
  if (!hasFiles()) {
    throw new ErrnoError(
      'ENOENT',
      "the files of mtcopy's threads are not beside it, for a bundler has moved it: mark `mtcopy` as external",
    );
  }
  piscina ??= await loadPiscina();
}

function hasFiles(): boolean {
  try {
    const entry = entryUrl();
    // Some bundlers bring the entry along, under another name, but not what it needs; the second is named so that they don't.
    return existsSync(entry) && existsSync(new URL('./lifetime.js', entry));
  } catch {
    // Others leave nothing in import.meta.url.
    return false;
  }
}

function entryUrl(): URL {
  return new URL('./entry.cjs', import.meta.url);
}

/** A task as Piscina gets it. What stands under a symbol stays on this side: it is for whoever looks into the queue. */
interface Sent<Task> {
  readonly task: Task;
  /** Under Piscina's queueOptionsSymbol. */
  readonly [options: symbol]: Waiting;
}

interface Waiting {
  readonly reject: (error: unknown) => void;
}

/**
 * Threads that Piscina owns, once {@link prepareThreads} is done: it starts one for each task that finds none idle, limits
 * its heap, reports its end and ends it.
 *
 * A task whose thread can't be started, or ends before it is ready, stays in Piscina's queue: it would hang until another
 * thread is free, or run on that one although its caller was told that it failed. Here it fails, with the thread's own error.
 */
export class ThreadPool<Task, Result> {
  readonly #pool: Piscina<Sent<Task>, Result>;
  /** Tasks that no thread has been given, the newest last. */
  readonly #queue: ArrayTaskQueue;
  readonly #options: symbol;
  /** Tasks that Piscina has been given, without those that were taken back. */
  #sent = 0;
  /** Why the thread that was removed last has ended, if it said so. */
  #error: Error | undefined;
  #closed: Promise<void> | undefined;

  constructor({ url, setup, ...options }: ThreadPoolOptions) {
    if (!piscina) throw new Error('prepareThreads() comes first');
    const workerData: ThreadData = { url: url.href, setup };
    this.#queue = new piscina.ArrayTaskQueue();
    this.#options = piscina.queueOptionsSymbol;
    this.#pool = new piscina.Piscina({
      ...options,
      filename: fileURLToPath(entryUrl()),
      workerData,
      minThreads: 0,
      concurrentTasksPerWorker: 1,
      taskQueue: this.#queue,
    });
    // What concerns no task: a thread that failed before it was ready, one that was idle, which is replaced when it is
    // wanted, or the answer of one that was just leaving when the pool was closed. Without a listener it would end the
    // process.
    this.#pool.on('error', (error) => {
      this.#error = error;
    });
    this.#pool.on('workerDestroy', () => {
      this.#error = undefined;
      // After the current event: Piscina tells before it has taken the thread off its books, and the error comes last.
      queueMicrotask(() => this.#failOrphans(this.#error ?? new Error('the thread was ended before it was ready')));
    });
  }

  /**
   * Runs a task on a thread of its own. No more than `maxThreads` may run at once.
   *
   * @returns what it returns; rejects with what it throws, or else with why it has no thread, or none any more
   */
  run(task: Task): Promise<Result> {
    if (this.#closed) return Promise.reject(new ErrnoError('ESHUTDOWN', 'the threads have been ended'));
    return new Promise((resolve, reject) => {
      const waiting = { reject };
      this.#sent++;
      this.#limitThreads();
      try {
        this.#pool.run({ task, [this.#options]: waiting }).then(resolve, reject);
      } catch (error) {
        // What the constructor of Worker throws: no permission, or no more threads for this user.
        this.#takeBack(waiting);
        reject(error);
      }
    });
  }

  /** Whether {@link close} was called. */
  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** Ends all threads; tasks that run fail. Resolves once they have ended. May be called again, to wait for that. */
  close(): Promise<void> {
    this.#closed ??= this.#pool.destroy();
    return this.#closed;
  }

  /**
   * Has no more threads started than there are tasks. When a thread becomes ready that isn't on Piscina's books any more, for
   * it was ended as it started, and a task finds no idle one, Piscina starts threads until there are as many as it may have.
   */
  #limitThreads(): void {
    const options: { maxThreads: number } = this.#pool.options;
    options.maxThreads = Math.max(1, this.#sent - this.#pool.completed);
  }

  /** Takes a task out of the queue again, if it is there. */
  #takeBack(waiting: Waiting): void {
    const { tasks } = this.#queue;
    const at = tasks.findIndex((one) => (one as unknown as Sent<Task>)[this.#options] === waiting);
    if (at >= 0) tasks.splice(at, 1);
    this.#sent--;
  }

  /**
   * Fails the tasks that have no thread to wait for: as many as exceed the threads, each of which has one task or is about
   * to. They are in the queue, where one is as good as another. Piscina's own `queueSize` leaves some out, since it counts
   * on every thread that isn't ready, also on one that has a task already; and with one too many Piscina starts threads
   * until there are `maxThreads`.
   */
  #failOrphans(error: unknown): void {
    while (this.#sent - this.#pool.completed > this.#pool.threads.length) {
      const orphan = this.#queue.tasks.pop();
      // None while the pool is being closed, which fails all tasks itself.
      if (!orphan) return;
      this.#sent--;
      (orphan as unknown as Sent<Task>)[this.#options]?.reject(error);
    }
  }
}
