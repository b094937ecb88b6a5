/*
 * What every worker thread loads before anything else: its operations are scheduled. See threads.ts.
 */
import { readlinkSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { getEnvironmentData, MessagePort, threadId } from 'node:worker_threads';
import { scheduleAtomics } from './atomics.js';
import { CONTROL_KEY, MAIN, of, openControl, READY, type Shared, STATE, THREAD_ID } from './control.js';
import { protocolOf } from './protocols.js';
import { findRaces } from './races.js';
import { openRegions } from './regions.js';

const shared = getEnvironmentData(CONTROL_KEY) as unknown as Shared;
const control = openControl(shared.control, protocolOf(shared.protocol));
const { numbers, tids, words } = control;
const number = () => numbers[threadId] - 1;
const regions = openRegions(control);
const races = findRaces(control, shared.clocks, regions, number);

tids[threadId] = Number(basename(readlinkSync('/proc/thread-self')));
control.protocol.onThread?.(control, races);
// Numbers are kept with 1 added.
const become = (thread: number | undefined) => {
  numbers[threadId] = thread === undefined ? 0 : thread + 1;
  if (thread !== undefined) words[of(thread, THREAD_ID)] = threadId;
};
const scheduler = scheduleAtomics(control, regions, races, {
  number,
  become,
  onFailure: () => {
    throw new Error('the main thread alone says what went wrong');
  },
  onDied() {},
  print: (line) => writeSync(2, `${line}\n`),
});

// A task that throws ends with what Piscina sends then, and with no operation on a word.
const { postMessage } = MessagePort.prototype;
MessagePort.prototype.postMessage = function (this: MessagePort, message: { error?: unknown }, ...rest: unknown[]) {
  postMessage.call(this, message, ...(rest as []));
  const me = number();
  if (me <= MAIN || !message?.error || words[of(me, STATE)] !== READY) return;
  become(undefined);
  scheduler.leave(me);
};
