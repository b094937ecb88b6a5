import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import {
  type Area,
  CLEARED,
  type ClearBatch,
  KiB,
  Machine,
  type MachineOptions,
  MiB,
  type Migrator,
  PAGE_SIZE,
} from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { createOffloadUsage } from '#src/migrate/migrator.js';
import { expectAtRest, freePages } from '../support/machines.js';
import { countedIn, program, sharedWord } from '../support/programs.js';

const HUGE = 2 * MiB;
const EOPNOTSUPP = 95;

/** A migrator that clears, or does `instead`, once it is let go on; until then batches wait. */
function createClearer(machine: Machine, instead?: (batch: ClearBatch) => number) {
  const asked: { to: number; bytes: number }[] = [];
  let open = () => {};
  let gate: Promise<void> = Promise.resolve();
  let left = () => {};
  const migrator: Migrator = {
    name: 'clearer',
    minBytes: HUGE,
    copyFolios: () => EOPNOTSUPP,
    async clearFolios(batch) {
      const { items, cleared } = batch;
      for (const [i, to] of items.to.entries()) asked.push({ to, bytes: items.bytes[i] });
      await gate;
      left();
      if (instead) return instead(batch);
      for (const [i, to] of items.to.entries()) {
        machine.memory.bytes.fill(0, to, to + items.bytes[i]);
        cleared[i] = CLEARED;
      }
      return 0;
    },
  };
  return {
    migrator,
    asked,
    /** Has batches wait from now on. */
    hold() {
      gate = new Promise((resolve) => {
        open = resolve;
      });
    },
    letGo: () => open(),
    /** Resolves once `count` batches have begun. */
    async entered(count = 1) {
      while (asked.length < count) await setImmediate();
    },
    /** Resolves when the next batch goes on. */
    going: () =>
      new Promise<void>((resolve) => {
        left = resolve;
      }),
  };
}

/** A machine whose free memory is full of ones, with a clearer, registered, that waits. */
async function boot(options: MachineOptions = {}, instead?: (batch: ClearBatch) => number) {
  const machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0, pcpHigh: 0, ...options });
  soil(machine);
  const clearer = createClearer(machine, instead);
  if (options.migrator === undefined) machine.offload.register(clearer.migrator, 'none');
  clearer.hold();
  const mm = machine.createAddressSpace();
  return { machine, mm, clearer, free: freePages(machine) };
}

function soil({ memory }: Machine): void {
  for (const { id, freePages: pages } of memory.nodes) {
    const pfns = memory.allocFolios(pages, 0, { node: id });
    for (const pfn of pfns) memory.bytes.fill(255, pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
    memory.freeFolios(pfns);
  }
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

async function expectZeros({ mm, address, length }: Area): Promise<void> {
  expect(isZero(await mm.read(address, length))).toBe(true);
}

/** Lets whatever can go on do so. */
async function turns(): Promise<void> {
  for (let i = 0; i < 10; i++) await setImmediate();
}

const codeOf = (access: Promise<unknown>) =>
  access.then(
    () => 'done',
    ({ code }) => code,
  );

describe('a folio of a fault', () => {
  it.each([false, true])(
    'is cleared by a migrator that offers to, whatever its reasons; shared: %s',
    async (shared) => {
      const { machine, mm, clearer } = await boot();
      await using _ = machine;
      clearer.letGo();
      const area = mm.mmap({ length: '4M', folioSize: '2M', shared });
      await expectZeros(area);
      const pfns = [area.address, area.address + HUGE].map((address) => mm.folioAt(address)?.pfn ?? 0);
      expect(clearer.asked).toEqual(pfns.map((pfn) => ({ to: pfn * PAGE_SIZE, bytes: HUGE })));
      expect(machine.offload.clearedBy).toEqual([{ migrator: 'clearer', folios: 2, bytes: 4 * MiB }]);
      expectAtRest(area, shared ? 1 : 0);
    },
  );

  it('is cleared by the calling thread if it is small, populated, of a file, or nobody offers', async () => {
    const { machine, mm, clearer } = await boot();
    await using _ = machine;
    await expectZeros(mm.mmap({ length: '128K', folioSize: '64K' }));
    await expectZeros(mm.mmap({ length: '2M', folioSize: '2M', populate: true }));
    await expectZeros(mm.mmap({ length: '2M', folioSize: '2M', populate: true, shared: true }));
    await mm.read(mm.mmap({ file: process.execPath, length: '2M', folioSize: '2M' }).address, 1);
    await machine.offload.unregister(clearer.migrator);
    await expectZeros(mm.mmap({ length: '2M', folioSize: '2M' }));
    machine.offload.register({ name: 'copies', copyFolios: () => EOPNOTSUPP });
    await expectZeros(mm.mmap({ length: '2M', folioSize: '2M' }));
    expect(clearer.asked).toEqual([]);
    expect(machine.offload.clearedBy).toEqual([]);
  });

  it('is a page where no larger one fits, and small ones come to a migrator without minimum', async () => {
    const { machine, mm, clearer } = await boot();
    await using _ = machine;
    clearer.letGo();
    await machine.offload.unregister(clearer.migrator);
    machine.offload.register({ ...clearer.migrator, minBytes: 0 });
    const area = mm.mmap({ length: '2M', folioSize: '2M' });
    await mm.munmap(area.address, PAGE_SIZE);
    await mm.read(area.address + PAGE_SIZE, 2 * PAGE_SIZE);
    expect(clearer.asked.map(({ bytes }) => bytes)).toEqual([PAGE_SIZE, PAGE_SIZE]);
    expect(await mm.read(area.address + PAGE_SIZE, 2 * PAGE_SIZE)).toEqual(new Uint8Array(2 * PAGE_SIZE));
  });

  const lies = { declines: () => EOPNOTSUPP, 'marks nothing': () => 0 };
  it.each(Object.entries(lies))('is cleared by the calling thread if the migrator %s', async (_what, instead) => {
    const { machine, mm, clearer } = await boot({}, instead);
    await using _ = machine;
    clearer.letGo();
    await expectZeros(mm.mmap({ length: '4M', folioSize: '2M' }));
    expect(clearer.asked.length).toBe(2);
    expect(machine.offload.clearedBy).toEqual([{ migrator: 'kernel', folios: 2, bytes: 4 * MiB }]);
  });

  it('is cleared by the calling thread if its mark was transferred, and is gone', async () => {
    const { machine, mm, clearer } = await boot({}, ({ cleared }) => {
      structuredClone(cleared, { transfer: [cleared.buffer as ArrayBuffer] });
      return EOPNOTSUPP;
    });
    await using _ = machine;
    clearer.letGo();
    await expectZeros(mm.mmap({ length: '2M', folioSize: '2M' }));
    expect(machine.offload.clearedBy).toEqual([{ migrator: 'kernel', folios: 1, bytes: HUGE }]);
  });

  it("is free again, or another fault's, whatever the migrator is as it is looked at", async () => {
    const { machine, mm, clearer, free } = await boot();
    await using _ = machine;
    await machine.offload.unregister(clearer.migrator);
    let looks = Number.POSITIVE_INFINITY;
    const look = () => {
      if (looks-- === 0) throw new Error('no look');
      return 0;
    };
    machine.offload.register(Object.defineProperty({ ...clearer.migrator }, 'minBytes', { get: look }));
    clearer.letGo();
    for (let nth = 0; nth < 6; nth++) {
      const area = mm.mmap({ length: '2M', folioSize: '2M' });
      looks = nth;
      await mm.read(area.address, 1).catch(() => {});
      looks = Number.POSITIVE_INFINITY;
      await expectZeros(area);
      await mm.munmap(area.address, HUGE);
      expect(freePages(machine)).toEqual(free);
    }
  });

  it('counts as cleared if it is marked, whatever the errno', async () => {
    const { machine, mm, clearer } = await boot({}, ({ items: { to, bytes }, cleared }) => {
      machine.memory.bytes.fill(0, to[0], to[0] + bytes[0]);
      cleared[0] = CLEARED;
      return 5;
    });
    await using _ = machine;
    clearer.letGo();
    await expectZeros(mm.mmap({ length: '2M', folioSize: '2M' }));
    expect(machine.offload.clearedBy).toEqual([{ migrator: 'clearer', folios: 1, bytes: HUGE }]);
  });

  it.each([true, false])(
    'is cleared by the calling thread after an error, a warning once; at once: %s',
    async (atOnce) => {
      const warnings: Error[] = [];
      const onWarning = (warning: Error) => warnings.push(warning);
      process.on('warning', onWarning);
      const { machine, mm, clearer } = await boot({}, ({ cleared }) => {
        cleared[0] = CLEARED;
        throw new Error('its device is gone');
      });
      await using _ = machine;
      if (atOnce) {
        await machine.offload.unregister(clearer.migrator);
        const clearFolios = ({ cleared }: ClearBatch): number => {
          cleared[0] = CLEARED;
          throw new Error('its device is gone');
        };
        machine.offload.register({ ...clearer.migrator, clearFolios });
      }
      clearer.letGo();
      await expectZeros(mm.mmap({ length: '4M', folioSize: '2M' }));
      await turns();
      process.off('warning', onWarning);
      expect(warnings.map(({ name }) => name)).toEqual(['MigratorWarning']);
      expect(warnings[0]).toMatchObject({ detail: expect.stringContaining('its device is gone') });
      expect(machine.offload.clearedBy).toEqual([{ migrator: 'kernel', folios: 2, bytes: 4 * MiB }]);
    },
  );
});

describe('while a folio is cleared', () => {
  it('other faults of it wait, and need no second one', async () => {
    const { machine, mm, clearer, free } = await boot();
    await using _ = machine;
    const area = mm.mmap({ length: '2M', folioSize: '2M' });
    // One is left.
    const taken = machine.memory.allocFolios(Math.floor((free[0] ?? 0) / 512) - 1, 9);
    const accesses = [0, 5, 511].map((page) => mm.write(area.address + page * PAGE_SIZE, Uint8Array.of(page & 255)));
    await clearer.entered();
    await turns();
    clearer.letGo();
    await Promise.all(accesses);
    expect(clearer.asked.length).toBe(1);
    for (const page of [0, 5, 511]) expect((await mm.read(area.address + page * PAGE_SIZE, 1))[0]).toBe(page & 255);
    expectAtRest(area);
    machine.memory.freeFolios(taken);
  });

  it('CPUs that fault on it wait, and lose no store', async () => {
    const { machine, mm, clearer } = await boot({ cpus: 2 });
    await using _ = machine;
    const area = mm.mmap({ length: '2M', folioSize: '2M' });
    const flag = Int32Array.of(1);
    const ready = sharedWord();
    const running = [0, 1].map((cpu) =>
      machine.cpus.run(mm, program('store-when-told'), {
        args: { address: area.address + cpu, flag, ready },
      }),
    );
    await clearer.entered();
    // The second one has most likely faulted too by now.
    await sleep(50);
    expect(mm.folioAt(area.address)).toBe(undefined);
    clearer.letGo();
    await Promise.all(running);
    expect(clearer.asked.length).toBe(1);
    expect(Array.from(await mm.read(area.address, 3))).toEqual([2, 2, 0]);
  });

  it.each([false, true])(
    'munmap leaves nothing behind, and what is mapped there next is its own; shared: %s',
    async (shared) => {
      const { machine, mm, clearer, free } = await boot();
      await using _ = machine;
      const area = mm.mmap({ length: '2M', folioSize: '2M', shared });
      const access = codeOf(mm.read(area.address, 1));
      await clearer.entered();
      await mm.munmap(area.address, HUGE);
      clearer.letGo();
      expect(await access).toBe('EFAULT');
      expect(freePages(machine)).toEqual(free);

      clearer.hold();
      const second = mm.mmap({ length: '2M', folioSize: '2M', shared });
      const stale = mm.read(second.address, 1);
      await clearer.entered(2);
      await mm.munmap(second.address, HUGE);
      // At the same address, of smaller folios, and not yet mapped.
      const third = mm.mmap({ length: '2M', folioSize: '64K', shared });
      expect(third.address).toBe(second.address);
      clearer.letGo();
      expect(await stale).toEqual(new Uint8Array(1));
      expect(mm.folioAt(third.address)?.size).toBe(64 * 1024);
      await expectZeros(third);
      expectAtRest(third, shared ? 1 : 0);
      await mm.close();
      expect(freePages(machine)).toEqual(free);
    },
  );

  it('a part of its pages may go, or get other memory: it is freed', async () => {
    const { machine, mm, clearer, free } = await boot();
    await using _ = machine;
    const area = mm.mmap({ length: '2M', folioSize: '2M' });
    const access = mm.read(area.address, PAGE_SIZE);
    await clearer.entered();
    await mm.munmap(area.address + HUGE / 2, PAGE_SIZE);
    clearer.letGo();
    expect(await access).toEqual(new Uint8Array(PAGE_SIZE));
    expect(mm.folioAt(area.address)?.size).toBe(PAGE_SIZE);
    // Pages are below its minimum.
    expect(clearer.asked.length).toBe(1);
    expect(await codeOf(mm.read(area.address + HUGE / 2, 1))).toBe('EFAULT');
    await mm.munmap(area.address, HUGE);
    expect(freePages(machine)).toEqual(free);
  });

  it('a fork has nothing of it: each side gets its own', async () => {
    const { machine, mm, clearer, free } = await boot();
    await using _ = machine;
    const child = machine.createAddressSpace();
    const area = mm.mmap({ length: '4M', folioSize: '2M' });
    const storing = mm.write(area.address, Uint8Array.of(1));
    await clearer.entered();
    const forked = await mm.fork(area, child);
    const ofChild = child.read(area.address, 1);
    await clearer.entered(2);
    clearer.letGo();
    await storing;
    expect(await ofChild).toEqual(Uint8Array.of(0));
    await child.write(area.address, Uint8Array.of(2));
    expect([(await mm.read(area.address, 1))[0], (await child.read(area.address, 1))[0]]).toEqual([1, 2]);
    expectAtRest(area);
    expectAtRest(forked);
    await Promise.all([mm.close(), child.close()]);
    expect(freePages(machine)).toEqual(free);
  });

  it('both sides of shared memory wait for the one', async () => {
    const { machine, mm, clearer, free } = await boot();
    await using _ = machine;
    const child = machine.createAddressSpace();
    const area = mm.mmap({ length: '2M', folioSize: '2M', shared: true });
    await mm.fork(area, child);
    const both = [mm.write(area.address, Uint8Array.of(1)), child.write(area.address + 1, Uint8Array.of(2))];
    await clearer.entered();
    await turns();
    clearer.letGo();
    await Promise.all(both);
    expect(clearer.asked.length).toBe(1);
    for (const space of [mm, child]) expect(Array.from(await space.read(area.address, 3))).toEqual([1, 2, 0]);
    await Promise.all([mm.close(), child.close()]);
    expect(freePages(machine)).toEqual(free);
  });

  it('a migration finds no page there, and moves the others', async () => {
    const { machine, mm, clearer } = await boot();
    await using _ = machine;
    clearer.letGo();
    const area = mm.mmap({ length: '4M', folioSize: '2M' });
    await mm.write(area.address + HUGE, Uint8Array.of(7));
    clearer.hold();
    const access = mm.write(area.address, Uint8Array.of(8));
    await clearer.entered(2);
    expect(Array.from((await machine.movePages(mm, area.folios(), { node: 1 })).status)).toEqual([-2, 1]);
    clearer.letGo();
    await access;
    expect(Array.from((await machine.movePages(mm, area.folios(), { node: 1 })).status)).toEqual([1, 1]);
    expect(Array.from(await mm.read(area.address, 2))).toEqual([8, 0]);
    expectAtRest(area);
  });

  it('a frame of it gets a memory error: the fault takes another folio', async () => {
    const { machine, mm, clearer, free } = await boot();
    await using _ = machine;
    const area = mm.mmap({ length: '2M', folioSize: '2M' });
    const access = mm.read(area.address, HUGE);
    await clearer.entered();
    const bad = (clearer.asked[0]?.to ?? 0) / PAGE_SIZE + 3;
    machine.memory.poison(bad);
    clearer.letGo();
    expect(isZero(await access)).toBe(true);
    expect(clearer.asked.length).toBe(2);
    expect(freePages(machine)[0]).toBe((free[0] ?? 0) - 512 - 1);
    machine.memory.unpoison(bad);
  });

  it('its address space is closed: it is freed', async () => {
    const { machine, mm, clearer, free } = await boot();
    await using _ = machine;
    const area = mm.mmap({ length: '2M', folioSize: '2M' });
    const access = codeOf(mm.write(area.address, Uint8Array.of(1)));
    await clearer.entered();
    await mm.close();
    clearer.letGo();
    expect(await access).toBe('EFAULT');
    expect(freePages(machine)).toEqual(free);
  });

  it('a program on a CPU waits for it, whose memory is unmapped: EFAULT', async () => {
    const { machine, mm, clearer, free } = await boot({ cpus: 1 });
    await using _ = machine;
    const area = mm.mmap({ length: '2M', folioSize: '2M' });
    const args = { address: area.address, flag: Int32Array.of(1), ready: sharedWord() };
    const running = codeOf(machine.cpus.run(mm, program('store-when-told'), { args }));
    await clearer.entered();
    await mm.munmap(area.address, HUGE);
    clearer.letGo();
    expect(await running).toBe('EFAULT');
    expect(freePages(machine)).toEqual(free);
  });

  it('machine.close() waits for it, and asks for no more', async () => {
    const { machine, mm, clearer } = await boot();
    const area = mm.mmap({ length: '4M', folioSize: '2M' });
    const access = codeOf(mm.read(area.address, 1));
    await clearer.entered();
    const order: string[] = [];
    const closed = machine.close().then(() => order.push('closed'));
    await turns();
    expect(isZero(await mm.read(area.address + HUGE, HUGE))).toBe(true);
    expect(clearer.asked.length).toBe(1);
    const going = clearer.going().then(() => order.push('cleared'));
    clearer.letGo();
    await Promise.all([closed, going]);
    expect(order).toEqual(['cleared', 'closed']);
    expect(['done', 'EFAULT']).toContain(await access);
  });

  it("unregister waits for it, and later faults are the calling thread's", async () => {
    const { machine, mm, clearer } = await boot();
    await using _ = machine;
    const area = mm.mmap({ length: '4M', folioSize: '2M' });
    const access = mm.read(area.address, HUGE);
    await clearer.entered();
    const order: string[] = [];
    const unregistered = machine.offload.unregister(clearer.migrator).then(() => order.push('unregistered'));
    await turns();
    expect(isZero(await mm.read(area.address + HUGE, HUGE))).toBe(true);
    expect(clearer.asked.length).toBe(1);
    const going = clearer.going().then(() => order.push('cleared'));
    clearer.letGo();
    await Promise.all([unregistered, going]);
    expect(order).toEqual(['cleared', 'unregistered']);
    expect(isZero(await access)).toBe(true);
    expect(machine.offload.clearedBy).toEqual([{ migrator: 'clearer', folios: 1, bytes: HUGE }]);
  });
});

describe("'mtcopy'", () => {
  it('clears large folios of faults with its threads', async () => {
    const { machine, mm } = await boot({ migrator: 'mtcopy', threads: 2 });
    await using _ = machine;
    const fills: number[] = [];
    const heard = (message: unknown) => {
      const { call, result } = message as { call: string; result: { bytes: number } };
      if (call === 'fill') fills.push(result.bytes);
    };
    subscribe('tracing:mtcopy:copy:asyncEnd', heard);
    await expectZeros(mm.mmap({ length: '4M', folioSize: '2M' }));
    // To ask threads for less takes longer than it saves.
    await expectZeros(mm.mmap({ length: '1M', folioSize: '1M' }));
    await expectZeros(mm.mmap({ length: '256K', folioSize: '64K' }));
    unsubscribe('tracing:mtcopy:copy:asyncEnd', heard);
    expect(fills).toEqual([HUGE, HUGE]);
    expect(machine.offload.clearedBy).toEqual([
      { migrator: 'mtcopy', folios: 2, bytes: 4 * MiB },
      { migrator: 'kernel', folios: 1, bytes: MiB },
    ]);
  });

  it('loses no store of CPUs that fault on the same folios, while those migrate', async () => {
    const { machine, mm, free } = await boot({ cpus: 2, migrator: 'mtcopy', threads: 2, flow: 'pre-copy' });
    await using _ = machine;
    const stride = 64 * KiB;
    for (let round = 0; round < 6; round++) {
      const area = mm.mmap({ length: '12M', folioSize: '2M' });
      const { address, length } = area;
      const args = { address, length, stride };
      const running = [0, 1].map((cpu) => machine.cpus.run(mm, program('count'), { cpu, args }));
      // From before the first fault until all is there, and has moved.
      for (let node = 1, there = 0; there < 3 * area.folios().length; node = 1 - node) {
        const { status } = await machine.movePages(mm, area.folios(), { node });
        there += status.filter((of) => of === node).length;
        await setImmediate();
      }
      machine.cpus.stop();
      const stores = await Promise.all(running);
      expect(await countedIn(area, 2, stride)).toEqual(stores);
      const bytes = await mm.read(address, length);
      for (let at = 0; at < length; at += stride) bytes.fill(0, at, at + 16);
      expect(isZero(bytes)).toBe(true);
      expectAtRest(area);
      await mm.munmap(address, length);
      expect(freePages(machine)).toEqual(free);
      soil(machine);
    }
    expect(machine.offload.clearedBy[0]?.migrator).toBe('mtcopy');
  });

  it('refuses a batch by hand that is none, or reaches beyond the nodes, and writes nothing', async () => {
    const { machine } = await boot({ migrator: 'mtcopy', threads: 1 });
    await using _ = machine;
    const { memory, offload } = machine;
    const { active } = offload;
    const last = memory.buffer.byteLength - PAGE_SIZE;
    const reserved = memory.bytes.slice(0, 4 * MiB);
    const words = (word: number) => Uint32Array.of(word);
    const marks = new Uint8Array(1);
    const good = memory.allocFolios(1, 9)[0] ?? 0;
    const to = words(good * PAGE_SIZE);
    const bytes = words(HUGE);
    for (const batch of [
      undefined,
      {},
      { items: { to, bytes }, cleared: [0] },
      { items: { to, bytes }, cleared: new Uint8Array(2) },
      { items: { to: [0], bytes }, cleared: marks },
      { items: { to, bytes: new Uint32Array() }, cleared: marks },
      { items: { to: words(0), bytes }, cleared: marks },
      { items: { to: words(last), bytes }, cleared: marks },
    ]) {
      const answer = (async () => active?.clearFolios?.(batch as ClearBatch))();
      await expect(answer).rejects.toMatchObject({ name: 'ErrnoError', code: 'EINVAL' });
    }
    const rest = { copied: marks, usage: createOffloadUsage(), isPrivate: false, stores: 'cached' } as const;
    for (const items of [
      { to: words(0), from: to, bytes },
      { to, from: words(0), bytes },
      { to: words(last), from: to, bytes },
    ]) {
      const answer = (async () => active?.copyFolios({ ...rest, items }))();
      await expect(answer).rejects.toMatchObject({ name: 'ErrnoError', code: 'EINVAL' });
    }
    expect(marks[0]).toBe(0);
    expect(isZero(memory.bytes.subarray(good * PAGE_SIZE, good * PAGE_SIZE + 1))).toBe(false);
    expect(Buffer.compare(memory.bytes.subarray(0, reserved.length), reserved)).toBe(0);
    memory.freeFolios(Uint32Array.of(good));
  });

  it('clears all folios of a batch, and nothing else', async () => {
    const { machine } = await boot({ migrator: 'mtcopy', threads: 2 });
    await using _ = machine;
    const { memory, offload } = machine;
    const pfns = memory.allocFolios(128, 3, { frames: 'shuffled' });
    const to = pfns.filter((_, i) => i % 2 === 0).map((pfn) => pfn * PAGE_SIZE);
    const bytes = new Uint32Array(to.length).fill(8 * PAGE_SIZE);
    const cleared = new Uint8Array(to.length);
    memory.poison(pfns[0] ?? 0);
    expect(await offload.active?.clearFolios?.({ items: { to, bytes }, cleared })).toBe(0);
    expect(new Set(cleared)).toEqual(new Set([CLEARED]));
    for (const [i, pfn] of pfns.entries()) {
      const of = new Set(memory.bytes.subarray(pfn * PAGE_SIZE, (pfn + 8) * PAGE_SIZE));
      expect(of).toEqual(new Set([i % 2 === 0 ? 0 : 255]));
    }
    memory.unpoison(pfns[0] ?? 0);
    memory.freeFolios(pfns);
  });
});

it('a clearFolios that is no function is refused', async () => {
  await using machine = await Machine.boot({ nodes: ['4M'], cpus: 0 });
  const migrator = { name: 'odd', copyFolios: () => 0, clearFolios: 1 } as unknown as Migrator;
  expect(() => machine.offload.register(migrator)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  expect(machine.offload.active).toBe(undefined);
});
