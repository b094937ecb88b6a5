import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { fileURLToPath } from 'node:url';
import workerThreads, { setEnvironmentData, type Worker } from 'node:worker_threads';

const HOLD_COPIES = fileURLToPath(new URL('./programs/hold-copies.cjs', import.meta.url));

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

/** Threads that start from now on can be held in the middle of a copy by typed arrays. */
export function holdCopies() {
  const words = new Int32Array(new SharedArrayBuffer(8));
  setEnvironmentData('hold-copies', words);
  const { Worker: Original } = workerThreads;
  workerThreads.Worker = class extends Original {
    constructor(...[file, options]: ConstructorParameters<typeof Original>) {
      super(file, { ...options, execArgv: ['--require', HOLD_COPIES] });
    }
  };
  const letGo = () => {
    Atomics.store(words, 0, 0);
    Atomics.notify(words, 0);
  };
  return {
    /** Every thread that copies from now on stops after its next piece. */
    hold(): void {
      Atomics.store(words, 1, 0);
      Atomics.store(words, 0, 1);
    },
    /** Resolves once a thread has stopped so, or was let go. */
    async held(): Promise<void> {
      while (Atomics.load(words, 0) === 1 && Atomics.load(words, 1) === 0)
        await new Promise((resolve) => setTimeout(resolve, 1));
    },
    letGo,
    [Symbol.dispose]() {
      letGo();
      workerThreads.Worker = Original;
      setEnvironmentData('hold-copies', undefined);
    },
  };
}

/** Holds this thread for `ms`, without a turn of the event loop. */
export function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Keeps this thread busy for `ms`, which may be a fraction. */
export function spin(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}
