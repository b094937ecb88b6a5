import threads = require('node:worker_threads');

import type { ThreadData } from './pool.js' with { 'resolution-mode': 'import' };

/*
 * What Piscina loads into every thread. It tries require() first, and Node.js aborts the process if a thread is ended while it
 * requires an ES module ("IsGraphAsync must be used on an instantiated module"). An import() may end at any time.
 */

/** The function that runs a task, for Piscina to await: a thread whose module can't be loaded ends with the error. */
async function load(): Promise<(sent: { readonly task: unknown }) => unknown> {
  const { default: run } = await import((threads.workerData as ThreadData).url);
  return ({ task }) => run(task);
}

export = load();
