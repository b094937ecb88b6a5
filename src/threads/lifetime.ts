import { ErrnoError } from '../errno.js';

/**
 * The life of something that is called and closed: counts the calls in flight, keeps the process alive while there are
 * some (a wait with Atomics.waitAsync alone does not), and ends once they have.
 */
export class Lifetime {
  readonly #whenClosed: string;
  readonly #onIdle: () => void;
  /** There from the first call on: what couldn't be made leaves no timer behind. */
  #keepAlive: NodeJS.Timeout | undefined;
  #inFlight = 0;
  #whenIdle: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  /**
   * @param whenClosed what an error says to those that call too late
   * @param onIdle called whenever the last call in flight has ended
   */
  constructor(whenClosed: string, onIdle: () => void = () => {}) {
    this.#whenClosed = whenClosed;
    this.#onIdle = onIdle;
  }

  /** Calls in flight. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Whether {@link close} was called. */
  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** @throws ErrnoError ESHUTDOWN once {@link close} was called */
  checkOpen(): void {
    if (this.#closed) throw new ErrnoError('ESHUTDOWN', this.#whenClosed);
  }

  /** Runs a call: {@link close} waits for its end. */
  async during<T>(run: () => Promise<T>): Promise<T> {
    if (this.#inFlight++ === 0) this.#holdProcess();
    try {
      return await run();
    } finally {
      if (--this.#inFlight === 0) {
        this.#keepAlive?.unref();
        this.#onIdle();
        this.#whenIdle?.();
      }
    }
  }

  /**
   * Refuses new calls, and once none is in flight runs `end`, the first time; resolves when that is over.
   *
   * @param hurry run at once, for calls that would not end by themselves
   */
  close(end: () => Promise<void>, hurry?: () => Promise<void>): Promise<void> {
    this.#closed ??= this.#close(end, hurry);
    return this.#closed;
  }

  async #close(end: () => Promise<void>, hurry?: () => Promise<void>): Promise<void> {
    if (hurry) await hurry();
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    this.#holdProcess();
    try {
      await end();
    } finally {
      clearInterval(this.#keepAlive);
    }
  }

  #holdProcess(): void {
    this.#keepAlive ??= setInterval(() => {}, 2 ** 30);
    this.#keepAlive.ref();
  }
}
