import { Machine } from 'mtcopy';
import { expect, it, vi } from 'vitest';
import { ATTACHED, countAttached, openRing, workerState } from '#src/copy/worker/job-ring.js';
import { mapMovedMemory, moveAcross, moveThereAndBack } from '../../src/experiments/shared/moved-memory.js';
import { bootMoved, moveBy } from '../../src/experiments/shared/movers.js';
import { errorOf } from '../support/errors.js';
import { type Hold, holdThreads } from '../support/holds.js';
import { until } from '../support/machines.js';
import { watchWorkers } from '../support/threads.js';

const SIZES = { nodes: ['8M', '8M'], cpus: 0 };
const THREADS = 5;
/** Where the ring of a machine's first engine is. */
const RING = 4 * 2 ** 20;
const ringOf = ({ memory }: Machine) => openRing(memory.buffer, RING);

it('a machine is ready once all threads of its migrator take jobs, also those that had left', async () => {
  await using machine = await Machine.boot({ ...SIZES, threads: THREADS });
  await machine.ready('mtcopy');
  expect(countAttached(ringOf(machine), THREADS)).toBe(THREADS);
  await until(() => countAttached(ringOf(machine), THREADS) === 0);
  await machine.ready('mtcopy');
  expect(countAttached(ringOf(machine), THREADS)).toBe(THREADS);
  await machine.ready('dcbm');
  await machine.ready('kernel');
});

it('a machine is ready once the threads of the schedule take jobs that was set meanwhile', async () => {
  using holds = holdThreads();
  using workers = watchWorkers();
  await using machine = await Machine.boot({ ...SIZES, threads: 1 });
  // Its engine is there, and the thread has left.
  await machine.ready('mtcopy');
  await until(() => countAttached(ringOf(machine), 1) === 0);
  using hold = holds.at({
    ...{ operation: 'store', array: ringOf(machine).words, index: workerState(0), value: ATTACHED },
  });
  const ready = machine.ready('mtcopy');
  const first = await hold.held();
  machine.schedule = 'static';
  hold.go();
  await ready;
  expect(Array.from(workers.alive, ({ threadId }) => threadId).filter((id) => id !== first)).toHaveLength(1);
});

it('is so for no migrator that is none, and never once it is closed', async () => {
  const machine = await Machine.boot(SIZES);
  expect(await errorOf(() => machine.ready('idxd' as never))).toMatchObject({
    code: 'EINVAL',
    message: expect.stringContaining("got 'idxd'"),
  });
  await machine.close();
  expect(await errorOf(() => machine.ready('mtcopy'))).toMatchObject({ code: 'ESHUTDOWN' });
});

it('what is timed begins with all threads, however late they come', async () => {
  using holds = holdThreads();
  const memory = await bootMoved(4 * 2 ** 20, 4096);
  await using machine = memory.machine;
  await moveBy(memory, { way: 'mtcopy', count: THREADS });
  const ring = ringOf(machine);
  let hold: Hold | undefined;
  // Whoever waits for the threads has the last one come.
  vi.spyOn(machine, 'ready').mockImplementation((migrator) => {
    hold?.go();
    return Machine.prototype.ready.call(machine, migrator);
  });
  const { movePages } = machine;
  const seen: number[] = [];
  machine.movePages = (mm, pages, options) => {
    if (pages.length === memory.addresses.length) seen.push(countAttached(ring, THREADS));
    return movePages.call(machine, mm, pages, options);
  };
  const manner = { migrator: 'mtcopy', flow: 'pre-copy' } as const;
  for (const move of [moveAcross, moveThereAndBack]) {
    await until(() => countAttached(ring, THREADS) === 0);
    hold = holds.at({ operation: 'store', array: ring.words, index: workerState(THREADS - 1), value: ATTACHED });
    await move(memory, manner);
    hold.go();
  }
  expect(seen).toEqual([THREADS, THREADS, THREADS]);
});

it('what goes there and back lies where it lay, and is timed as one way', async () => {
  await using machine = await Machine.boot({ ...SIZES, pcpHigh: Number.POSITIVE_INFINITY });
  const memory = mapMovedMemory(machine, 2 * 2 ** 20, 4096);
  const frames = () => Array.from(memory.addresses, (address) => memory.mm.folioAt(address)?.pfn);
  await moveThereAndBack(memory, { migrator: 'kernel' });
  const before = frames();
  expect(await moveThereAndBack(memory, { migrator: 'kernel' })).toBeGreaterThan(0);
  expect(frames()).toEqual(before);
  expect(memory.node).toBe(0);
});
