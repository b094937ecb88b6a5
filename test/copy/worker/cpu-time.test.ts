import { PAGE_SIZE } from 'mtcopy';
import { expect, it } from 'vitest';
import { METHOD_MEMORY_COPY, OPERATION_COPY, openRing, publishJob, RING_PAGES } from '#src/copy/worker/job-ring.js';
import { copyUnit, type Held, NO_LIMIT, type Participant } from '#src/copy/worker/participate.js';

it('a thread notes by its CPU clock what each stretch of copying took, and 1 at least', () => {
  const ring = openRing(new SharedArrayBuffer(RING_PAGES * PAGE_SIZE), 0);
  const [slot] = ring.slots;
  publishJob(ring, slot, {
    units: 2,
    perUnit: 4,
    count: 8,
    method: METHOD_MEMORY_COPY,
    operation: OPERATION_COPY,
    byte: 0,
    helps: false,
    sequence: 1,
  });
  const stretches = [100, 20, 3, 0];
  const log: string[] = [];
  const participant: Participant = {
    index: 3,
    ring,
    isStatic: false,
    // Half a unit at a time, as one does that comes to its limit.
    copyRange(_, first, end) {
      log.push(`${first}`);
      return Math.min(first + 2, end);
    },
    clock: {
      wake() {},
      start: () => log.push('start'),
      stop() {
        log.push('stop');
        return stretches.shift() as number;
      },
    },
    trace: undefined,
  };
  const held: Held = { unit: -1, next: 0, end: 0 };
  while (copyUnit(participant, slot, held, NO_LIMIT));
  expect(log.join(' ')).toBe('start 0 stop start 2 stop start 4 stop start 6 stop');
  expect(Array.from(slot.cpuNs)).toEqual(Array.from(slot.cpuNs, (_, index) => (index === 3 ? 100 + 20 + 3 + 1 : 0)));
});
