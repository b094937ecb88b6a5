/*
 * What every worker thread loads before anything else: its operations are scheduled. See threads.ts.
 */
import { writeSync } from 'node:fs';
import { getEnvironmentData, threadId } from 'node:worker_threads';
import { scheduleAtomics } from './atomics.js';
import { CONTROL_KEY, openControl, type Shared } from './control.js';
import { findRaces } from './races.js';

const shared = getEnvironmentData(CONTROL_KEY) as unknown as Shared;
const control = openControl(shared.control);
const { numbers } = control;
const number = () => numbers[threadId] - 1;

scheduleAtomics(control, findRaces(control, shared.clocks, number), {
  number,
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
