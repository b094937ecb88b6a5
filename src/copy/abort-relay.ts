/** What is to be called for each signal that a call goes by. */
const stopsOf = new WeakMap<EventTarget, Set<() => void>>();

/**
 * Has `stop` called once the signal is aborted; returns a function that ends that. One listener a signal: Node.js warns of a
 * leak from the eleventh on, and a hundred calls may share a signal.
 */
export function onAbort(signal: AbortSignal | undefined, stop: () => void): () => void {
  if (!signal) return () => {};
  const stops = stopsOf.get(signal) ?? new Set();
  if (stops.size === 0) signal.addEventListener('abort', tell);
  stopsOf.set(signal, stops.add(stop));
  return () => {
    stops.delete(stop);
    if (stops.size === 0) signal.removeEventListener('abort', tell);
  };
}

function tell({ target }: Event): void {
  for (const stop of stopsOf.get(target as AbortSignal) ?? []) stop();
}
