import url = require('node:url');
import threads = require('node:worker_threads');

import type { ThreadData } from './pool.js' with { 'resolution-mode': 'import' };

/*
 * What Piscina loads into every thread. It tries require() first, and Node.js aborts the process if a thread is ended while it
 * requires an ES module ("IsGraphAsync must be used on an instantiated module"). An import() may end at any time.
 *
 * A module that is bundled into one CommonJS file is required: no loader of ES modules has to be started for it, which takes a
 * third of a thread's start.
 */

/** The function that runs a task, for Piscina to await: a thread whose module can't be loaded ends with the error. */
async function load(): Promise<(sent: { readonly task: unknown }) => unknown> {
  const { url: module } = threads.workerData as ThreadData;
  const { default: run } = module.endsWith('.cjs') ? require(url.fileURLToPath(module)) : await import(module);
  return ({ task }) => run(task);
}

export = load();
