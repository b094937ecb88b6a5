/*
 * What every worker thread loads before anything else: its operations are scheduled. See threads.ts.
 */
import { writeSync } from 'node:fs';
import { getEnvironmentData, threadId } from 'node:worker_threads';
import { scheduleAtomics } from './atomics.js';
import { CONTROL_KEY, openControl } from './control.js';

const control = openControl(getEnvironmentData(CONTROL_KEY) as SharedArrayBuffer);
const { numbers } = control;

scheduleAtomics(control, {
  number: () => numbers[threadId] - 1,
  become(worker) {
    // Numbers are kept with 1 added, and a worker's is its index and 1.
    numbers[threadId] = worker === undefined ? 0 : worker + 2;
  },
  onFailure: () => {
    throw new Error('the main thread alone says what went wrong');
  },
  onDied() {},
  print: (line) => writeSync(2, `${line}\n`),
});
