/** The calls of one signal, and the one listener that tells them. */
interface Subscription {
  readonly stops: Set<() => void>;
  readonly listener: () => void;
}

/**
 * Passes aborts on to calls with one listener a signal: Node.js warns of a leak from the eleventh listener on, and a
 * hundred calls may share a signal.
 */
export class AbortRelay {
  readonly #subscriptions = new Map<AbortSignal, Subscription>();

  /** Has `stop` called once the signal is aborted; returns a function that ends that. */
  subscribe(signal: AbortSignal | undefined, stop: () => void): () => void {
    if (!signal) return () => {};
    const { stops, listener } = this.#subscriptions.get(signal) ?? this.#listen(signal);
    stops.add(stop);
    return () => {
      stops.delete(stop);
      if (stops.size > 0) return;
      this.#subscriptions.delete(signal);
      signal.removeEventListener('abort', listener);
    };
  }

  #listen(signal: AbortSignal): Subscription {
    const stops = new Set<() => void>();
    const listener = () => {
      for (const stop of stops) stop();
    };
    signal.addEventListener('abort', listener);
    const subscription = { stops, listener };
    this.#subscriptions.set(signal, subscription);
    return subscription;
  }
}
