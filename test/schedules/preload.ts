/*
 * What every worker thread loads before anything else: its operations are scheduled. See threads.ts.
 */
import { readlinkSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { getEnvironmentData, threadId } from 'node:worker_threads';
import { scheduleAtomics } from './atomics.js';
import { CONTROL_KEY, openControl, type Shared } from './control.js';
import { protocolOf } from './protocols.js';
import { findRaces } from './races.js';
import { openRegions } from './regions.js';

const shared = getEnvironmentData(CONTROL_KEY) as unknown as Shared;
const control = openControl(shared.control, protocolOf(shared.protocol));
const { numbers, tids } = control;
const number = () => numbers[threadId] - 1;
const regions = openRegions(control);
const races = findRaces(control, shared.clocks, regions, number);

tids[threadId] = Number(basename(readlinkSync('/proc/thread-self')));
control.protocol.onThread?.(races);
scheduleAtomics(control, regions, races, {
  number,
  become(thread) {
    // Numbers are kept with 1 added.
    numbers[threadId] = thread === undefined ? 0 : thread + 1;
  },
  onFailure: () => {
    throw new Error('the main thread alone says what went wrong');
  },
  onDied() {},
  print: (line) => writeSync(2, `${line}\n`),
});
