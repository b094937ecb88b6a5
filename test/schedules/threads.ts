import { existsSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { fileURLToPath } from 'node:url';
import threads, { type Worker, type WorkerOptions } from 'node:worker_threads';
import { CONTROL_KEY, type Shared } from './control.js';

const PRELOAD = fileURLToPath(new URL('./preload.cjs', import.meta.url));
const workers = new Map<number, Worker>();
const { wait } = Atomics;

/** Has all worker threads that are started from now on load the preload, which finds there what is shared. */
export function preloadThreads(shared: Shared): void {
  const { Worker } = threads;
  threads.setEnvironmentData(CONTROL_KEY, { ...shared });
  class Scheduled extends Worker {
    constructor(file: string | URL, options: WorkerOptions = {}) {
      super(file, { ...options, execArgv: [...(options.execArgv ?? process.execArgv), '--require', PRELOAD] });
      workers.set(this.threadId, this);
    }
  }
  // For CommonJS, as Piscina is, and for ES modules.
  Object.assign(threads, { Worker: Scheduled });
  syncBuiltinESMExports();
}

/** Ends a thread, by Node.js's number of it, and blocks until the operating system's of that number, `tid`, is gone. */
export function endThread(thread: number, tid: number): void {
  const worker = workers.get(thread);
  if (!worker) throw new Error(`no thread ${thread}`);
  void worker.terminate();
  const pause = new Int32Array(new SharedArrayBuffer(4));
  while (existsSync(`/proc/self/task/${tid}`)) wait(pause, 0, 0, 0.2);
}
