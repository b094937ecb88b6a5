import { FLOWS, type Folio, Machine, type MigrateMode, type Migrator, type MovableOperations } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { ERRNO } from '#src/errno.js';
import { clearMovable, isolateMovable, moveMovable, putbackMovable, setMovable } from '#src/mm/movable.js';
import { isAll } from '../support/bytes.js';
import { errno, errorOf } from '../support/errors.js';
import { freePages } from '../support/machines.js';
import { createBench } from '../support/manager.js';

const COUNT = 100;

it.each(FLOWS)('an owner is shown targets that are locked, as sources are: %s', async (flow) => {
  await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0, flow });
  let folio = machine.memory.allocFolio(0, { node: 0 });
  const seen: boolean[] = [];
  machine.setMovable(folio, {
    isolate: () => true,
    migrate(dst, src) {
      seen.push(dst.locked, src.locked, dst.tryLock());
      folio = dst;
      return 0;
    },
    putback() {},
  });
  const { status } = await machine.migrateMovable([folio], { node: 1, reason: 'compaction' });
  expect([...status, ...seen]).toEqual([1, true, true, false]);
  expect([folio.nid, folio.locked, folio.refcount]).toEqual([1, false, 1]);
});

it('a folio that was moved, and is freed by the call that moved it, is not movable again: EINVAL', async () => {
  await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0, flow: 'vanilla' });
  const free = freePages(machine);
  const folios = [0, 1].map(() => machine.memory.allocFolio(0, { node: 0 }));
  const [old] = folios;
  const operations = (i: number): MovableOperations => ({
    isolate: () => true,
    migrate(dst) {
      // The first one's old frame waits to be freed by now.
      if (i === 1) expect(() => machine.setMovable(old, operations(0))).toThrow(errno('EINVAL'));
      folios[i] = dst;
      return 0;
    },
    putback() {},
  });
  for (const [i, folio] of folios.entries()) machine.setMovable(folio, operations(i));
  const { status } = await machine.migrateMovable(folios.slice(), { node: 1, reason: 'compaction' });
  expect(Array.from(status)).toEqual([1, 1]);
  for (const folio of folios) {
    machine.clearMovable(folio);
    folio.put();
  }
  expect(freePages(machine)).toEqual(free);
});

it('a range that is no folio is not movable: EINVAL', async () => {
  await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0 });
  const free = freePages(machine);
  const range = machine.memory.allocContig(4, { node: 0 });
  const operations = { isolate: () => true, migrate: () => 0, putback() {} };
  expect(() => machine.setMovable(machine.memory.folio(range), operations)).toThrow(errno('EINVAL'));
  machine.memory.freeContig(range);
  expect(freePages(machine)).toEqual(free);
});

/** A small user: objects of a page each, which it finds by handles. What callbacks answer can be set. */
class Store implements MovableOperations {
  readonly folios: Folio[];
  readonly events: string[] = [];
  readonly isolated = new Set<number>();
  answer: (handle: number) => number = () => 0;
  isFree: (handle: number) => boolean = () => true;
  readonly #machine: Machine;

  constructor(machine: Machine, count = COUNT, order = 0) {
    this.#machine = machine;
    const { memory } = machine;
    this.folios = Array.from({ length: count }, () => memory.allocFolio(order, { node: 0 }));
    for (const [handle, folio] of this.folios.entries()) {
      folio.bytes.fill(handle + 1);
      machine.setMovable(folio, this);
    }
  }

  isolate(folio: Folio): boolean {
    const handle = this.#handle(folio);
    this.events.push('isolate');
    if (!this.isFree(handle)) return false;
    this.isolated.add(handle);
    return true;
  }

  migrate(dst: Folio, src: Folio): number {
    const handle = this.#handle(src);
    expect(this.isolated.has(handle)).toBe(true);
    this.events.push('migrate');
    const errno = this.answer(handle);
    if (errno !== 0) return errno;
    this.isolated.delete(handle);
    this.folios[handle] = dst;
    return 0;
  }

  putback(folio: Folio): void {
    this.events.push('putback');
    expect(this.isolated.delete(this.#handle(folio))).toBe(true);
  }

  /** Every object is whole, and its owner's alone. */
  expectWhole(nodeOf: (handle: number) => number): void {
    for (const [handle, folio] of this.folios.entries()) {
      expect([folio.nid, folio.refcount, folio.locked], `handle ${handle}`).toEqual([nodeOf(handle), 1, false]);
      expect(folio.flags.sort()).toEqual(['head', 'movable']);
      expect(isAll(folio.bytes, handle + 1)).toBe(true);
    }
    expect(this.isolated.size).toBe(0);
  }

  /** Frees all. */
  close(): void {
    for (const folio of this.folios) {
      this.#machine.clearMovable(folio);
      folio.put();
    }
  }

  #handle(folio: Folio): number {
    const handle = this.folios.findIndex((one) => one.pfn === folio.pfn);
    expect(handle).toBeGreaterThanOrEqual(0);
    return handle;
  }
}

const boot = (options = {}) => Machine.boot({ nodes: ['16M', '16M'], cpus: 0, threads: 1, ...options });
const manners = FLOWS.flatMap((flow) => (['kernel', 'mtcopy'] as const).map((migrator) => ({ flow, migrator })));

describe.each(manners)('$flow, $migrator: movable memory that is on no LRU', (manner) => {
  it.each([0, 7])('moves to another node and back, whole, in folios of order %d', async (order) => {
    await using machine = await boot(manner);
    const free = freePages(machine);
    const count = order === 0 ? COUNT : 16;
    const store = new Store(machine, count, order);
    for (const node of [1, 0]) {
      const { status, notMigrated, stats } = await machine.migrateMovable(store.folios, { node, reason: 'compaction' });
      expect([new Set(status), notMigrated]).toEqual([new Set([node]), 0]);
      expect(stats).toMatchObject({ succeeded: count << order, failed: 0 });
      store.expectWhole(() => node);
    }
    expect(store.events.filter((one) => one === 'putback')).toEqual([]);
    store.close();
    expect(freePages(machine)).toEqual(free);
  });

  it.each([
    ['EBUSY', ERRNO.EBUSY],
    ['EAGAIN, again and again', ERRNO.EAGAIN],
    ['what is no errno', Number.NaN],
  ])('that its owner keeps with %s is given back, and all else moves', async (_, answer) => {
    await using machine = await boot(manner);
    const store = new Store(machine);
    store.answer = (handle) => (handle % 10 === 3 ? answer : 0);
    store.isFree = (handle) => handle % 10 !== 5;
    const { status, notMigrated, stats } = await machine.migrateMovable(store.folios, {
      node: 1,
      reason: 'compaction',
    });
    const kept = (handle: number) => [3, 5].includes(handle % 10);
    store.expectWhole((handle) => (kept(handle) ? 0 : 1));
    const code = Number.isNaN(answer) ? ERRNO.EIO : ERRNO.EBUSY;
    const expected = store.folios.map((_, i) => (i % 10 === 3 ? -code : i % 10 === 5 ? -ERRNO.EBUSY : 1));
    expect(Array.from(status)).toEqual(expected);
    expect([notMigrated, stats.failed, stats.succeeded]).toEqual([20, 10, 80]);
    expect(store.events.filter((one) => one === 'putback')).toHaveLength(10);
    store.close();
    expect(freePages(machine)).toEqual([4096, 4096]);
  });

  it('that its owner takes at the third time of asking moves', async () => {
    await using machine = await boot(manner);
    const store = new Store(machine);
    const asked = new Map<number, number>();
    store.answer = (handle) => {
      asked.set(handle, (asked.get(handle) ?? 0) + 1);
      return (asked.get(handle) as number) < 3 ? ERRNO.EAGAIN : 0;
    };
    const { stats } = await machine.migrateMovable(store.folios, {
      node: 1,
      reason: 'compaction',
      mode: 'MIGRATE_ASYNC',
    });
    expect(stats).toMatchObject({ succeeded: COUNT, failed: 0 });
    expect(new Set(asked.values())).toEqual(new Set([3]));
    store.expectWhole(() => 1);
  });

  it.each(['isolate', 'migrate', 'putback'] as const)('is all with its owners though %s throws', async (name) => {
    await using machine = await boot(manner);
    const store = new Store(machine);
    const boom = new Error('boom');
    const call = store[name].bind(store) as (...args: unknown[]) => unknown;
    let calls = 0;
    store.answer = (handle) => (name === 'putback' && handle < 20 ? ERRNO.EBUSY : 0);
    store[name] = ((...args: unknown[]) => {
      const answer = name === 'putback' ? call(...args) : undefined;
      if (++calls === 10) throw boom;
      return name === 'putback' ? answer : call(...args);
    }) as never;
    expect(await errorOf(() => machine.migrateMovable(store.folios, { node: 1, reason: 'compaction' }))).toBe(boom);
    store.expectWhole((handle) => store.folios[handle]?.nid as number);
    store.close();
    expect(freePages(machine)).toEqual([4096, 4096]);
  });

  it('that somebody else holds stays', async () => {
    await using machine = await boot(manner);
    const store = new Store(machine);
    store.folios[7]?.get();
    const { status } = await machine.migrateMovable(store.folios, { node: 1, reason: 'compaction' });
    expect(Array.from(status)).toEqual(store.folios.map((_, i) => (i === 7 ? -ERRNO.EBUSY : 1)));
    store.folios[7]?.put();
    store.expectWhole((handle) => (handle === 7 ? 0 : 1));
  });
});

it('a folio that has moved is remembered where it is, and nowhere else', async () => {
  const { manager, migrate } = createBench();
  let taken: Folio | undefined;
  const operations = {
    isolate: () => true,
    migrate(dst: Folio) {
      taken = dst;
      return 0;
    },
    putback() {},
  };
  const folio = manager.memory.allocFolio(0, { node: 0 });
  setMovable(manager, folio, operations);
  await migrate([folio]);
  expect([...manager.movable.keys()]).toEqual([taken?.pfn]);
  clearMovable(manager, taken as Folio);
  expect(manager.movable.size).toBe(0);
});

it('a large folio for which there is no room stays whole', async () => {
  await using machine = await boot({ flow: 'pre-copy' });
  const store = new Store(machine, 2, 9);
  const taken = machine.memory.allocFolios(4096, 0, { node: 1 });
  for (const pfn of taken.filter((_, i) => i % 2 === 0)) machine.memory.folio(pfn).put();
  const { status, stats } = await machine.migrateMovable(store.folios, { node: 1, reason: 'compaction' });
  expect([Array.from(status), stats.thpSplit]).toEqual([[-ERRNO.ENOMEM, -ERRNO.ENOMEM], 0]);
  store.expectWhole(() => 0);
});

it('is with its owners though two of their callbacks throw one after the other', async () => {
  await using machine = await boot();
  const store = new Store(machine, 4);
  const { isolate, putback } = store;
  store.isolate = function (folio) {
    if (this.isolated.size === 3) throw new Error('first');
    return isolate.call(this, folio);
  };
  store.putback = function (folio) {
    putback.call(this, folio);
    throw new Error('second');
  };
  const moving = machine.migrateMovable(store.folios, { node: 1, reason: 'compaction' });
  await expect(moving).rejects.toThrow('first');
  store.expectWhole(() => 0);
  store.close();
  expect(freePages(machine)).toEqual([4096, 4096]);
});

it('a folio that its owner drops as it is asked for it is freed once', async () => {
  await using machine = await boot();
  const [folio, other] = [machine.memory.allocFolio(0), machine.memory.allocFolio(0)];
  const operations = { isolate: () => true, migrate: () => 0, putback() {} };
  machine.setMovable(other, operations);
  machine.setMovable(folio, {
    ...operations,
    isolate() {
      folio.put();
      return false;
    },
  });
  const { status } = await machine.migrateMovable([folio, other], { node: 1, reason: 'compaction' });
  expect(Array.from(status)).toEqual([-ERRNO.EBUSY, 1]);
  expect(freePages(machine)).toEqual([4096, 4095]);
});

it('a movable folio is freed once it is movable no more', async () => {
  await using machine = await boot();
  const store = new Store(machine, 2);
  const [folio, other] = store.folios as [Folio, Folio];
  expect(await errorOf(() => folio.put())).toEqual(errno('EBUSY'));
  expect(await errorOf(() => machine.memory.freeFolios(Uint32Array.of(other.pfn)))).toEqual(errno('EBUSY'));
  folio.get();
  folio.put();
  store.expectWhole(() => 0);
  const { status } = await machine.migrateMovable(store.folios, { node: 1, reason: 'compaction' });
  expect(Array.from(status)).toEqual([1, 1]);
  store.close();
  expect(freePages(machine)).toEqual([4096, 4096]);
});

it.each(['isolate', 'migrate', 'putback'] as const)(
  'one that its owner drops in %s is freed by who has isolated it, and movable no more',
  async (when) => {
    const { manager } = createBench();
    const { memory, movable } = manager;
    const free = freePages({ memory });
    const folio = memory.allocFolio(0, { node: 0 });
    const drop = (name: string) => {
      if (name === when) folio.put();
    };
    setMovable(manager, folio, {
      isolate() {
        drop('isolate');
        return when !== 'isolate';
      },
      migrate() {
        drop('migrate');
        return ERRNO.EBUSY;
      },
      putback: () => drop('putback'),
    });
    expect(isolateMovable(manager, folio.pfn, 'MIGRATE_SYNC')).toBe(when !== 'isolate');
    if (when !== 'isolate') {
      expect(moveMovable(manager, folio.pfn, memory.allocFolio(0, { node: 1 }).pfn, 'MIGRATE_SYNC')).toBe(ERRNO.EBUSY);
      putbackMovable(manager, folio.pfn);
      free[1] = (free[1] as number) - 1;
    }
    expect([movable.size, folio.flags, freePages({ memory })]).toEqual([0, [], free]);
    // Who gets the frames next may say the same of them.
    const next = memory.folio(folio.pfn);
    while (memory.allocFolio(0, { node: 0 }).pfn !== folio.pfn);
    setMovable(manager, next, { isolate: () => true, migrate: () => 0, putback() {} });
    clearMovable(manager, next);
  },
);

const mannersOfMode = FLOWS.flatMap((flow) =>
  (['MIGRATE_ASYNC', 'MIGRATE_SYNC'] as const).map((mode) => ({ flow, mode })),
);

/** Moves three folios of one owner, to whom things happen on the way; `copy` is called as the first of them is copied. */
async function moveThree(
  manner: { flow: (typeof FLOWS)[number]; mode: MigrateMode },
  happens: { isolated?: (a: Folio) => void; copy?: (a: Folio) => void; migrate?: (src: Folio) => number },
) {
  const machine = await boot({ flow: manner.flow });
  const { memory } = machine;
  const free = freePages(machine);
  const folios = Array.from({ length: 3 }, () => memory.allocFolio(0, { node: 0 }));
  const [a, b, c] = folios as [Folio, Folio, Folio];
  const asked: string[] = [];
  for (const [i, folio] of folios.entries()) {
    machine.setMovable(folio, {
      isolate() {
        if (i === 2) happens.isolated?.(a);
        return true;
      },
      migrate(dst, src) {
        asked.push(`migrate ${i}`);
        const answer = i === 0 ? (happens.migrate?.(src) ?? 0) : 0;
        if (answer === 0) folios[i] = dst;
        return answer;
      },
      putback: () => void asked.push(`putback ${i}`),
    });
  }
  let copies = 0;
  const migrator: Migrator = {
    name: 'meanwhile',
    copyFolios() {
      if (copies++ === 0) happens.copy?.(a);
      return ERRNO.EOPNOTSUPP;
    },
  };
  const { status } = await machine.migrateMovable([a, b, c], {
    node: 1,
    reason: 'compaction',
    mode: manner.mode,
    migrator,
  });
  return { machine, folios, a, status, asked, free, [Symbol.asyncDispose]: () => machine.close() };
}

/** Frees the folios, after which memory is as it was. */
function expectFreed(moved: Awaited<ReturnType<typeof moveThree>>, folios: readonly Folio[]): void {
  for (const folio of folios) {
    expect([folio.nid, folio.refcount, folio.flags.sort()]).toEqual([1, 1, ['head', 'movable']]);
    moved.machine.clearMovable(folio);
    folio.put();
  }
  expect(freePages(moved.machine)).toEqual(moved.free);
}

describe.each(mannersOfMode)('$flow, $mode: a folio whose owner drops it while it is isolated', (manner) => {
  it.each([
    ['before it is unmapped', { isolated: true }],
    ['as it is copied', { copied: true }],
    ['as he refuses its copy', { answer: ERRNO.EBUSY }],
    ['as he asks to be asked again', { answer: ERRNO.EAGAIN }],
  ])(
    '%s is freed, and he hears no more of it',
    async (_, when: { isolated?: boolean; copied?: boolean; answer?: number }) => {
      await using moved = await moveThree(manner, {
        isolated: (folio) => void (when.isolated && folio.put()),
        copy: (folio) => void (when.copied && folio.put()),
        migrate(src) {
          if (when.answer === undefined) return 0;
          src.put();
          return when.answer;
        },
      });
      const { a, asked, folios, status } = moved;
      expect([a.flags, Array.from(status.slice(1))]).toEqual([[], [1, 1]]);
      expect(asked.filter((what) => what.endsWith('0'))).toEqual(when.answer ? ['migrate 0'] : []);
      // Who gets its frame next may say that it is movable.
      const next = moved.machine.memory.folio(a.pfn);
      const taken = [];
      do taken.push(moved.machine.memory.allocFolio(0, { node: 0 }));
      while (taken.at(-1)?.pfn !== next.pfn);
      moved.machine.setMovable(next, { isolate: () => true, migrate: () => 0, putback() {} });
      moved.machine.clearMovable(next);
      for (const folio of taken) folio.put();
      expectFreed(moved, folios.slice(1));
    },
  );

  it('as he takes its copy moves, as any other', async () => {
    await using moved = await moveThree(manner, {
      migrate(src) {
        src.put();
        return 0;
      },
    });
    expect([moved.a.flags, Array.from(moved.status)]).toEqual([[], [1, 1, 1]]);
    expectFreed(moved, moved.folios);
  });

  it('stays if he gets another reference instead', async () => {
    await using moved = await moveThree(manner, { copy: (folio) => folio.get() });
    const { a, asked, folios, status } = moved;
    expect([Array.from(status), a.nid, a.refcount]).toEqual([[-ERRNO.EBUSY, 1, 1], 0, 2]);
    expect(asked.filter((what) => what.endsWith('0'))).toEqual(['putback 0']);
    moved.machine.clearMovable(a);
    a.put();
    a.put();
    expectFreed(moved, folios.slice(1));
  });
});

it('another machine’s folio is refused', async () => {
  await using machine = await boot();
  await using other = await boot();
  const store = new Store(machine, 1);
  const theirs = other.memory.allocFolio(0);
  expect(await errorOf(() => machine.setMovable(theirs, store))).toEqual(errno('EINVAL'));
  other.setMovable(theirs, store);
  expect(await errorOf(() => machine.clearMovable(theirs))).toEqual(errno('EINVAL'));
  const options = { node: 1, reason: 'compaction' } as const;
  expect(await errorOf(() => machine.migrateMovable([theirs], options))).toEqual(errno('EINVAL'));
});

it('a list may name a folio twice, and some that are there already', async () => {
  await using machine = await boot();
  const store = new Store(machine, 3);
  const [a, b, c] = store.folios as [Folio, Folio, Folio];
  await machine.migrateMovable([c], { node: 1, reason: 'compaction' });
  const there = store.folios[2] as Folio;
  const { status, stats } = await machine.migrateMovable([a, there, a, b], { node: 1, reason: 'compaction' });
  expect([Array.from(status), stats.succeeded]).toEqual([[1, 1, 1, 1], 2]);
  store.expectWhole(() => 1);
});

it('what is no movable folio is refused, and nothing moves', async () => {
  await using machine = await boot();
  const store = new Store(machine, 4);
  const { mm, address } = machine.createAddressSpace().mmap({ length: '4K', populate: true });
  const [mapped, plain] = [mm.folioAt(address) as Folio, machine.memory.allocFolio(0)];
  const options = { node: 1, reason: 'compaction' } as const;
  for (const list of [
    [...store.folios, mapped],
    [...store.folios, plain],
    [{ pfn: plain.pfn }],
    undefined,
    store.folios[0],
  ])
    expect(await errorOf(() => machine.migrateMovable(list as Folio[], options))).toEqual(errno('EINVAL'));
  const wrong = { ...options, node: 2 };
  expect(await errorOf(() => machine.migrateMovable(store.folios, wrong))).toEqual(errno('ENODEV'));
  expect(await errorOf(() => machine.setMovable(mapped, store))).toEqual(errno('EINVAL'));
  expect(await errorOf(() => machine.setMovable(store.folios[0] as Folio, store))).toEqual(errno('EEXIST'));
  for (const name of ['isolate', 'migrate', 'putback'])
    expect(await errorOf(() => machine.setMovable(plain, { ...store, [name]: 1 } as never))).toEqual(errno('EINVAL'));
  expect(await errorOf(() => machine.clearMovable(plain))).toEqual(errno('EINVAL'));
  store.isolate = (folio) => {
    expect(() => machine.clearMovable(folio)).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    return false;
  };
  await machine.migrateMovable(store.folios.slice(0, 1), options);
  store.expectWhole(() => 0);
  expect(store.events).toEqual([]);
});

it('a folio that is being moved can be neither cleared nor moved again', async () => {
  await using machine = await boot();
  const store = new Store(machine, 4);
  let tried = 0;
  store.answer = () => {
    tried++;
    for (const handle of store.isolated)
      expect(() => machine.clearMovable(store.folios[handle] as Folio)).toThrow(
        expect.objectContaining({ code: 'EBUSY' }),
      );
    return 0;
  };
  const options = { node: 1, reason: 'compaction' } as const;
  const [first, second] = await Promise.all([
    machine.migrateMovable(store.folios, options),
    machine.migrateMovable(store.folios, options),
  ]);
  expect([first.stats.succeeded + second.stats.succeeded, tried]).toEqual([4, 4]);
  store.expectWhole(() => 1);
});
