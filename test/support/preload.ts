import { syncBuiltinESMExports } from 'node:module';
import threads, { type Worker, type WorkerOptions } from 'node:worker_threads';

/** Has every thread that is started from now on load a CommonJS file before anything else, until `restore`. */
export function preloadThreads(file: string): { readonly workers: Map<number, Worker>; restore(): void } {
  const { Worker } = threads;
  const workers = new Map<number, Worker>();
  replaceWorker(
    class extends Worker {
      constructor(url: string | URL, options: WorkerOptions = {}) {
        super(url, { ...options, execArgv: [...(options.execArgv ?? []), '--require', file] });
        workers.set(this.threadId, this);
      }
    },
  );
  return { workers, restore: () => replaceWorker(Worker) };
}

/** Of everybody: of CommonJS, as Piscina is, and of ES modules. */
function replaceWorker(worker: typeof Worker): void {
  Object.assign(threads, { Worker: worker });
  syncBuiltinESMExports();
}
