import { ErrnoError, type Migrator, PhysicalMemory } from 'mtcopy';
import { expect, it } from 'vitest';
import { OffloadRegistry } from '#src/migrate/offload.js';
import { type OffloadDriver, OffloadSwitch } from '#src/migrators/offload-switch.js';
import { errno, errorOf } from '../support/errors.js';

const memory = PhysicalMemory.create({ nodes: ['4M'] });

/** A driver whose threads can be started so many times. */
function createDriver(name: string, starts: number): OffloadDriver {
  const migrator: Migrator = { name, copyFolios: () => 0 };
  let left = starts;
  return {
    migrator,
    async ready() {
      if (left-- <= 0) throw new ErrnoError('EAGAIN', 'no thread can be started');
    },
  };
}

function open(startsOfNext: number) {
  const offload = new OffloadRegistry(memory);
  const [before, next] = [createDriver('before', 1), createDriver('next', startsOfNext)];
  return { offload, before, next, offloadSwitch: new OffloadSwitch(offload, [before, next]) };
}

it('what is registered still is when the other driver’s threads can’t be started', async () => {
  const { offload, before, next, offloadSwitch } = open(0);
  await offloadSwitch.switchTo(before);
  offload.setReasonMask(before.migrator, 'demotion');
  const mask = offload.reasonMask;
  expect(await errorOf(() => offloadSwitch.switchTo(next))).toEqual(errno('EAGAIN'));
  expect([offload.active, offload.reasonMask]).toEqual([before.migrator, mask]);
});

it('a switch for which threads were there once leaves no driver off, though they can’t be started again', async () => {
  const { offload, before, next, offloadSwitch } = open(1);
  await offloadSwitch.switchTo(before);
  const use = offload.get('demotion');
  const switching = offloadSwitch.switchTo(next);
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  expect(offload.active).toBe(before.migrator);
  use.put();
  await switching;
  expect(offload.active).toBe(next.migrator);
});
