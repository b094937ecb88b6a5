import { existsSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { fileURLToPath } from 'node:url';
import threads, { type Worker, type WorkerOptions } from 'node:worker_threads';
import { CONTROL_KEY, type Control, DIED, MAIN, type Shared } from './control.js';
import type { Races } from './races.js';

const PRELOAD = fileURLToPath(new URL('./preload.cjs', import.meta.url));
const workers = new Map<number, Worker>();
const { wait } = Atomics;

/** What is sent to a thread, without the proxies that views are: they can't be sent. */
function plainParts(value: unknown, races: Races): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Object.getPrototypeOf(value) !== Object.prototype && !Array.isArray(value)) return races.plain(value);
  const parts = Object.entries(value).map(([key, part]) => [key, plainParts(part, races)] as const);
  return Array.isArray(value) ? parts.map(([, part]) => part) : Object.fromEntries(parts);
}

/** Has all worker threads that are started from now on load the preload, which finds there what is shared. */
export function preloadThreads(shared: Shared, races: Races): void {
  const { Worker } = threads;
  threads.setEnvironmentData(CONTROL_KEY, { ...shared });
  class Scheduled extends Worker {
    constructor(file: string | URL, options: WorkerOptions = {}) {
      super(file, {
        ...options,
        workerData: plainParts(options.workerData, races),
        execArgv: [...(options.execArgv ?? process.execArgv), '--require', PRELOAD],
      });
      workers.set(this.threadId, this);
    }
  }
  // For CommonJS, as Piscina is, and for ES modules.
  Object.assign(threads, { Worker: Scheduled });
  syncBuiltinESMExports();
}

/** Ends the thread that has died, for the main one, which owns it, and blocks until the operating system's is gone. */
export function endDead({ words, numbers, tids }: Control, races: Races): void {
  const dead = words[DIED];
  words[DIED] = 0;
  // Nobody else ends it, so the end is known here.
  races.order(dead, MAIN);
  // Of threads that have had this number the others have ended.
  const thread = numbers.lastIndexOf(dead + 1);
  numbers[thread] = 0;
  const worker = workers.get(thread);
  if (!worker) throw new Error(`no thread ${thread}`);
  const tid = tids[thread];
  void worker.terminate();
  const pause = new Int32Array(new SharedArrayBuffer(4));
  while (existsSync(`/proc/self/task/${tid}`)) wait(pause, 0, 0, 0.2);
}
