import { Machine } from 'mtcopy';
import { describe, expect, it, vi } from 'vitest';
import { errorOf } from '../support/errors.js';
import { expectAtRest, freePages, until } from '../support/machines.js';
import { program, sharedWord, untilCounted } from '../support/programs.js';
import { watchWorkers } from '../support/threads.js';

const SILENT = { code: 'ETIMEDOUT', cpus: [0] };

/**
 * A parent and a child that share pages of ones, and CPU 0, which has loaded the parent's first page and answers nothing until
 * it is told to; with `ms` it is told first to answer once in so many milliseconds.
 */
async function boot(folioSize: string, ms?: number) {
  const machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 3, ipiTimeoutMs: 50 });
  const free = freePages(machine);
  const [parent, child] = [machine.createAddressSpace(), machine.createAddressSpace()];
  const area = parent.mmap({ length: folioSize, folioSize, populate: true });
  const { address } = area;
  await parent.write(address, new Uint8Array(area.length).fill(1));
  await parent.fork(area, child);
  const [ready, flag] = [sharedWord(), sharedWord()];
  const args = { address, ready, flag, ...(ms && { ms }) };
  const silent = machine.cpus.run(parent, program('load-when-told'), { cpu: 0, args });
  await untilCounted(ready, 1);
  const answer = () => {
    Atomics.add(flag, 0, 1);
    Atomics.notify(flag, 0);
    return silent;
  };
  return { machine, free, parent, child, area, address, silent, answer };
}

type Booted = Awaited<ReturnType<typeof boot>>;

/** Has CPU 1 store 5 to a page, and resolves once a flush for that was given up; `stored` is what its program comes to. */
async function storeInVain({ machine, parent, address }: Booted) {
  const fault = vi.spyOn(parent, 'fault');
  const givenUp = () => fault.mock.settledResults.filter(({ type }) => type === 'rejected').length;
  const stored = machine.cpus.run(parent, program('access'), { cpu: 1, args: [['store8', address, 5]] });
  await until(() => givenUp() > 0);
  return { stored, givenUp };
}

async function expectAllFreed({ machine, free, parent, child }: Booted): Promise<void> {
  await Promise.all([parent.close(), child.close()]);
  expect(freePages(machine)).toEqual(free);
}

describe.each(['4K', '64K', '2M'])(
  'a store to a page of a %s folio that is shared, beside a silent CPU',
  (folioSize) => {
    it('is made once that CPU answers', async () => {
      const booted = await boot(folioSize);
      await using machine = booted.machine;
      const { parent, child, address, answer } = booted;
      const { stored } = await storeInVain(booted);
      expect(machine.cpus.busy).toEqual([0, 1]);
      await answer();
      expect(await stored).toEqual([undefined]);
      expect([await parent.read(address, 1), await child.read(address, 1)]).toEqual([
        Uint8Array.of(5),
        Uint8Array.of(1),
      ]);
      await expectAllFreed(booted);
    });

    it('is made once that CPU is gone', async () => {
      using workers = watchWorkers();
      const booted = await boot(folioSize);
      await using _ = booted.machine;
      const { parent, address, silent } = booted;
      const ended = errorOf(() => silent);
      const [thread] = workers.alive;
      const { stored } = await storeInVain(booted);
      await thread.terminate();
      expect(await stored).toEqual([undefined]);
      expect(await ended).toMatchObject({ code: 'EIO' });
      expect((await parent.read(address, 1))[0]).toBe(5);
      await expectAllFreed(booted);
    });

    it('keeps nobody else from the page meanwhile, nor from the others of the folio', async () => {
      const booted = await boot(folioSize);
      await using machine = booted.machine;
      const { parent, child, area, address, answer } = booted;
      const { stored } = await storeInVain(booted);
      const old = child.folioAt(address)?.pfn;
      expect(parent.folioAt(address)?.pfn).toBe(old);
      expect((await parent.read(address, 1))[0]).toBe(1);
      expect(await machine.cpus.run(parent, program('access'), { cpu: 2, args: [['load8', address]] })).toEqual([1]);
      const last = address + area.length - 1;
      expect(await machine.cpus.run(child, program('access'), { cpu: 2, args: [['store8', last, 9]] })).toEqual([
        undefined,
      ]);
      await Promise.all([answer(), stored]);
      expect([(await parent.read(last, 1))[0], (await child.read(last, 1))[0]]).toEqual([1, 9]);
      await expectAllFreed(booted);
    });
  },
);

it('a store is made beside a CPU that answers too late every time', async () => {
  const booted = await boot('4K', 120);
  await using _ = booted.machine;
  const { stored, givenUp } = await storeInVain(booted);
  void booted.answer();
  expect(await stored).toEqual([undefined]);
  expect(givenUp()).toBe(1);
  // It has answered, so it sees what was stored.
  expect(await booted.answer()).toBe(5);
  await expectAllFreed(booted);
});

it('a write on the thread of the owner is refused, and nothing has changed', async () => {
  const booted = await boot('64K');
  await using machine = booted.machine;
  const { parent, child, area, address, answer } = booted;
  const before = [freePages(machine), parent.folioAt(address)?.refcount];
  expect(await errorOf(() => parent.write(address, Uint8Array.of(5)))).toMatchObject(SILENT);
  expect([freePages(machine), parent.folioAt(address)?.refcount]).toEqual(before);
  expectAtRest(area);
  expect(await answer()).toBe(1);
  await parent.write(address, Uint8Array.of(5));
  expect([(await parent.read(address, 1))[0], (await child.read(address, 1))[0]]).toEqual([5, 1]);
  await expectAllFreed(booted);
});

it('a page that is unmapped while it is being copied is freed once the CPU has answered', async () => {
  const booted = await boot('4K');
  await using machine = booted.machine;
  const { parent, child, area, address, answer } = booted;
  const writing = errorOf(() => parent.write(address, Uint8Array.of(5)));
  // It flushes too, for the page is on its way; the page is unmapped all the same.
  expect(await errorOf(() => parent.munmap(address, area.length))).toMatchObject(SILENT);
  expect(await writing).toMatchObject(SILENT);
  await child.close();
  // The CPU may load from it still.
  expect(freePages(machine)[0]).toBe(booted.free[0] - 1);
  expect(await errorOf(answer)).toMatchObject({ code: 'EFAULT' });
  await until(() => freePages(machine)[0] === booted.free[0]);
});
