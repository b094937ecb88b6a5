import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Worker } from 'node:worker_threads';
import type { CopyEngine } from 'mtcopy';

/** The worker threads that live, as Node.js itself reports them from now on. */
export function watchWorkers(): { readonly alive: Set<Worker>; [Symbol.dispose](): void } {
  const alive = new Set<Worker>();
  const onWorker = (message: unknown) => {
    const { worker } = message as { worker: Worker };
    alive.add(worker);
    worker.once('exit', () => alive.delete(worker));
  };
  subscribe('worker_threads', onWorker);
  return { alive, [Symbol.dispose]: () => unsubscribe('worker_threads', onWorker) };
}

/** Holds this thread for `ms`, without a turn of the event loop. */
export function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Keeps this thread busy for `ms`, which may be a fraction. */
export function spin(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}

/** Keeps an idle engine from letting its threads go, until it is disposed of: they stay, or come, as a test wants them. */
export function stayAwake(engine: CopyEngine): Disposable {
  const timer = setInterval(() => {
    engine.threads = Number(engine.threads);
  }, 10);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
