import { PhysicalMemory } from 'mtcopy';
import { expect, it } from 'vitest';
import { trustedBatch } from '#src/copy/batch/batch.js';
import { createCopyItems } from '#src/copy/batch/items.js';
import { nextBatch, resultOf } from '#src/copy/call.js';

const COUNT = 20_000;

/** A call of many small items, of which the third has a poisoned frame. */
function open() {
  const memory = PhysicalMemory.create({ nodes: ['16M'] });
  const start = memory.startAddress;
  const items = createCopyItems(COUNT);
  for (let i = 0; i < COUNT; i++) {
    items.to[i] = start + 8 * 2 ** 20 + i * 8;
    items.from[i] = start + (i === 2 ? 4 * 2 ** 20 : i * 8);
    items.bytes[i] = 8;
  }
  memory.poison(items.from[2] / 4096);
  return { memory, batch: trustedBatch({ kind: 'copy' }, items), started: performance.now() };
}

it('sets poisoned items apart in steps, and an abort in between leaves all the others', () => {
  const call = open();
  const steps = nextBatch(call);
  let taken = 0;
  let step = steps.next();
  for (; !step.done; step = steps.next()) if (++taken === 3) call.batch.tally.stopped = true;
  expect(taken).toBeGreaterThan(5);
  const part = step.value;
  expect(part?.bytes.length).toBe(COUNT - 1);
  // What copies it leaves it then.
  expect(part?.tally.stopped).toBe(true);
});

it('names the poisoned item, and nothing else, once the others are copied', () => {
  const call = open();
  const steps = nextBatch(call);
  let step = steps.next();
  while (!step.done) step = steps.next();
  const last = nextBatch(call, step.value);
  expect(last.next()).toEqual({ done: true, value: undefined });
  expect(resultOf(call)).toMatchObject({
    bytes: (COUNT - 1) * 8,
    items: COUNT - 1,
    failed: [{ index: 2, code: 'EHWPOISON' }],
  });
});
