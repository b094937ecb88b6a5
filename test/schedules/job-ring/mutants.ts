import type { Mutant } from '../mutant.js';

/** What threads run: participate.ts, serve.ts and more, in one file. */
const SERVE = 'copy/worker/serve.cjs';
/** What the caller runs. */
const RING = 'copy/worker/job-ring.js';
const CREW = 'copy/crew.js';
const DISPATCHER = 'copy/dispatcher.js';

const FREE_ALL = `for (let unit = 0; unit < job.units; unit++)
        Atomics.store(words, owners + unit, FREE);`;
const ANNOUNCE = 'Atomics.store(words, base + ANNOUNCED, job.sequence);';
const SET_PENDING = 'Atomics.store(words, base + PENDING, job.units);';
const SET_DONE = 'Atomics.store(words, base + DONE, 0);';
const OPEN_CURSOR = 'Atomics.store(words, base + CURSOR, 0);';

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'the doorbell is read after the look',
    scenario: 'slot reuse, dynamic, 1 worker',
    file: SERVE,
    edits: [['Atomics.wait(words, DOORBELL, bell);', 'Atomics.wait(words, DOORBELL, Atomics.load(words, DOORBELL));']],
  },
  {
    name: 'the doorbell wakes nobody',
    scenario: 'blocking, dynamic, 1 worker',
    file: RING,
    edits: [['Atomics.notify(words, DOORBELL, count);', '']],
  },
  {
    name: 'the doorbell is not changed',
    scenario: 'slot reuse, dynamic, 1 worker',
    file: RING,
    edits: [['Atomics.add(words, DOORBELL, 1);', '']],
  },
  {
    name: 'the last unit wakes nobody',
    scenario: 'blocking, dynamic, 1 worker',
    file: SERVE,
    edits: [['Atomics.notify(words2, slot.base + DONE);', '']],
  },
  {
    name: 'DONE before PENDING is 0',
    scenario: 'blocking, dynamic, 2 workers',
    file: SERVE,
    edits: [['Atomics.sub(words2, slot.base + PENDING, 1) === 1', 'Atomics.sub(words2, slot.base + PENDING, 1) >= 1']],
  },
  {
    name: 'DONE is set after the notify',
    scenario: 'blocking, dynamic, 1 worker',
    file: SERVE,
    edits: [
      [
        `Atomics.store(words2, slot.base + DONE, 1);
    Atomics.notify(words2, slot.base + DONE);`,
        'Atomics.notify(words2, slot.base + DONE); Atomics.store(words2, slot.base + DONE, 1);',
      ],
    ],
  },
  {
    name: 'a unit is claimed without looking',
    scenario: 'slot reuse, dynamic, 2 workers',
    file: SERVE,
    edits: [
      [
        'if (Atomics.compareExchange(words2, owners + unit, FREE, index + 1) !== FREE)',
        'if (Atomics.exchange(words2, owners + unit, index + 1) !== FREE)',
      ],
    ],
  },
  {
    name: 'a unit is counted before its bytes',
    scenario: 'blocking, dynamic, 2 workers',
    file: SERVE,
    edits: [
      ['if (held.next < held.end)\n    return true;\n  finishUnit(ring2.words, slot, held.unit, index + 1);', ''],
    ],
  },
  {
    name: 'an owner word is closed before the bytes',
    scenario: 'death, blocking, dynamic',
    file: SERVE,
    edits: [
      [
        'clock2.start();',
        'clock2.start(); Atomics.compareExchange(ring2.words, slot.owners + held.unit, index + 1, CLOSED);',
      ],
    ],
  },
  {
    name: 'an owner word is closed blindly',
    scenario: 'slot reuse, dynamic, 1 worker',
    file: SERVE,
    edits: [
      [
        'Atomics.compareExchange(words2, slot.owners + unit, owner, CLOSED);',
        'Atomics.store(words2, slot.owners + unit, CLOSED);',
      ],
    ],
  },
  {
    name: 'ANNOUNCED is stored first',
    scenario: 'slot reuse, helps and then waits, 1 worker',
    file: RING,
    edits: [
      [ANNOUNCE, ''],
      [SET_DONE, `${ANNOUNCE} ${SET_DONE}`],
    ],
  },
  {
    name: 'units are free before they are counted',
    scenario: 'slot reuse, dynamic, 1 worker',
    file: RING,
    edits: [
      [SET_PENDING, ''],
      [FREE_ALL, `${FREE_ALL} ${SET_PENDING}`],
    ],
  },
  {
    name: 'the cursor is open before the units',
    scenario: 'slot reuse, dynamic, 1 worker',
    file: RING,
    edits: [
      [OPEN_CURSOR, ''],
      [FREE_ALL, `${OPEN_CURSOR} ${FREE_ALL}`],
    ],
  },
  {
    name: 'the cursor stays where it was',
    scenario: 'slot reuse, dynamic, 1 worker',
    file: RING,
    edits: [[OPEN_CURSOR, '']],
  },
  {
    name: 'DONE stays set',
    scenario: 'slot reuse, dynamic, 1 worker',
    file: RING,
    edits: [[SET_DONE, '']],
  },
  {
    name: 'a field is written once units are free',
    scenario: 'slot reuse, dynamic, 1 worker',
    file: RING,
    edits: [
      ['words[base + PER_UNIT] = job.perUnit;', ''],
      [FREE_ALL, `${FREE_ALL} words[base + PER_UNIT] = job.perUnit;`],
    ],
  },
  {
    name: 'CPU time is noted after the count',
    scenario: 'blocking, dynamic, 1 worker',
    file: SERVE,
    edits: [
      ['slot.cpuNs[index] = slot.cpuNs[index] + Math.max(clock2.stop(), 1);', 'const ns = Math.max(clock2.stop(), 1);'],
      [
        'finishUnit(ring2.words, slot, held.unit, index + 1);',
        'finishUnit(ring2.words, slot, held.unit, index + 1); slot.cpuNs[index] = slot.cpuNs[index] + ns;',
      ],
    ],
  },
  {
    name: 'a unit is claimed without an atomic operation',
    scenario: 'slot reuse, dynamic, 1 worker',
    file: SERVE,
    edits: [
      [
        'if (Atomics.compareExchange(words2, owners + unit, FREE, index + 1) !== FREE)\n      continue;',
        'if (words2[owners + unit] !== FREE) continue; words2[owners + unit] = index + 1;',
      ],
    ],
  },
  {
    name: 'LEAVING is stored blindly',
    scenario: 'lowered twice',
    file: CREW,
    edits: [
      [
        'Atomics.compareExchange(words, workerState(index), ATTACHED, LEAVING);',
        'Atomics.store(words, workerState(index), LEAVING);',
      ],
    ],
  },
  {
    name: 'LEAVING is stored after a look',
    scenario: 'lowered twice',
    file: CREW,
    edits: [
      [
        'Atomics.compareExchange(words, workerState(index), ATTACHED, LEAVING);',
        'Atomics.load(words, workerState(index)) !== DETACHED && Atomics.store(words, workerState(index), LEAVING);',
      ],
    ],
  },
  {
    name: 'nobody is told to leave',
    scenario: 'lowered and raised in mid-batch, dynamic',
    file: CREW,
    edits: [['ringDoorbell(this.#ring, MAX_THREADS);', '']],
  },
  {
    name: 'a worker that leaves wakes no caller',
    scenario: 'death, asynchronous, dynamic',
    file: DISPATCHER,
    edits: [['Atomics.notify(this.#ring.words, job.slot.base + DONE);', '']],
  },
  {
    name: 'units of the dead are offered, but no tickets',
    scenario: 'death, blocking, dynamic',
    file: RING,
    edits: [['Atomics.store(words, slot.base + CURSOR, 0);', '']],
  },
  {
    name: 'units of the dead stay theirs',
    scenario: 'death, blocking, dynamic',
    file: RING,
    edits: [
      [
        'Atomics.compareExchange(words, slot.owners + unit, index + 1, FREE);',
        'Atomics.load(words, slot.owners + unit);',
      ],
    ],
  },
  {
    name: 'the count is believed though a worker was lost',
    scenario: 'death, blocking, dynamic',
    file: DISPATCHER,
    edits: [
      [
        'return job.lostWorker ? isAbandoned(this.#ring, job.slot) : isDone(this.#ring, job.slot);',
        'return isDone(this.#ring, job.slot);',
      ],
    ],
  },
  {
    name: 'a slot that comes free wakes nobody',
    scenario: 'more calls than slots, 1 worker',
    file: DISPATCHER,
    edits: [['this.#waiting.shift()?.();', ';']],
  },
  {
    name: 'the end does not wait for calls',
    scenario: 'closed with a call in flight, 2 workers',
    file: 'threads/lifetime.js',
    edits: [['if (this.#inFlight > 0) {', 'if (this.#inFlight < 0) {']],
  },
  {
    name: 'a stop outlives its job',
    scenario: 'abort, and another call',
    file: RING,
    edits: [['words[base + STOP] = 0;', '']],
  },
];
