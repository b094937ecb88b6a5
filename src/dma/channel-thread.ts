import { ThreadPool } from '../threads/pool.js';
import { ATTACHED, DETACHED, LEAVING, ringBell, STATE } from './worker/ring.js';
import type { ChannelSetup } from './worker/serve.js';

/** Heap limits of a channel's thread, which keeps next to nothing on its heap. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 };

/**
 * The thread of one channel: a pool of one, that runs one long task, `serve`, while there is something to copy, and is idle
 * otherwise. At no time are there two that serve one ring.
 */
export class ChannelThread {
  readonly #setup: ChannelSetup;
  readonly #words: Int32Array;
  readonly #onOver: (error?: unknown) => void;
  #pool: ThreadPool<null, void> | undefined;
  /** Settles, without an error, once the task is over; there while one is in flight. */
  #task: Promise<void> | undefined;
  #ending: Promise<void> | undefined;

  /**
   * @param words the ring's header
   * @param onOver called when the task is over and its thread touches nothing any more; with an error if it wasn't told to
   */
  constructor(setup: ChannelSetup, words: Int32Array, onOver: (error?: unknown) => void) {
    this.#setup = setup;
    this.#words = words;
    this.#onOver = onOver;
  }

  /** Whether a task is in flight: if not, nobody touches the ring but the caller. */
  get isServed(): boolean {
    return this.#task !== undefined || this.#ending !== undefined;
  }

  /** Resolves once the thread has ended, while it is being ended. */
  get ending(): Promise<void> | undefined {
    return this.#ending;
  }

  /** Has the ring served, if it isn't. */
  start(): void {
    if (this.isServed) return;
    this.#pool ??= new ThreadPool({
      url: new URL('./worker/serve.cjs', import.meta.url),
      setup: this.#setup,
      maxThreads: 1,
      // To start a thread takes some 35 ms: it lives as long as its device.
      idleTimeout: Number.POSITIVE_INFINITY,
      resourceLimits: RESOURCE_LIMITS,
    });
    this.#task = this.#pool.run(null).then(
      () => this.#over(),
      (error) => this.#over(error ?? new Error('the thread has thrown nothing')),
    );
  }

  /** Has the task end once it has nothing to do, so that it keeps no process from ending. */
  leave(): void {
    // Against the thread's own store: one whose task is over stays so.
    if (Atomics.compareExchange(this.#words, STATE, ATTACHED, LEAVING) === ATTACHED) ringBell(this.#words);
  }

  /** Resolves once the thread serves, to true, or its task is over, to false. */
  async started(): Promise<boolean> {
    while (this.#task && Atomics.load(this.#words, STATE) === DETACHED) {
      const wait = Atomics.waitAsync(this.#words, STATE, DETACHED);
      await Promise.race([wait.value, this.#task]);
    }
    return this.#task !== undefined;
  }

  /** Ends the thread, whatever it does. Resolves once it has ended, and touches nothing any more. */
  end(): Promise<void> {
    this.#ending ??= this.#end().finally(() => {
      this.#ending = undefined;
    });
    return this.#ending;
  }

  async #end(): Promise<void> {
    // A thread that is ended while it still loads its modules can take the process with it.
    await this.started();
    await this.#pool?.close();
    this.#pool = undefined;
    await this.#task;
  }

  #over(error?: unknown): void {
    // A task is rejected when its thread is told to end, before it has: whoever waits for `end` hears of that.
    this.#task = undefined;
    Atomics.store(this.#words, STATE, DETACHED);
    // Settles the wait of a start that never came to serve.
    Atomics.notify(this.#words, STATE);
    if (!this.#ending) this.#onOver(error);
  }
}
