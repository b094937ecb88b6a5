import fc from 'fast-check';
import { CopyAbortError, ErrnoError } from 'mtcopy';
import { comparePmbenchFlows, reproduce, sweepCopies, sweepMigrations, tune } from 'mtcopy/experiments';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERRNO } from '#src/errno.js';
import { isAll } from '../support/bytes.js';
import { errorOf } from '../support/errors.js';
import { BOOM } from '../support/faults.js';
import { hostile, reentry, type Spoil, spoil } from '../support/hostile.js';
import { createWorld, LENGTH, surfaceOf, TARGETS, type Target, type World } from '../support/surface.js';

const RUNS = 80;

let world: World;
const unhandled: unknown[] = [];
const note = (reason: unknown) => void unhandled.push(reason);
beforeAll(async () => {
  world = await createWorld();
  process.on('unhandledRejection', note);
  reentry.call = () => {
    const { engine, machine, area, to, from } = world;
    engine.copySync(to, from);
    machine.sysfs.files();
    area.mm.folioAt(area.address);
  };
});
afterAll(async () => {
  process.off('unhandledRejection', note);
  reentry.call = () => {};
  await world.close();
});

/** Whether an error is one that a user can go by: with a code, or what an object throws that was given. */
function isClear(error: unknown, { codes = [] }: Target): boolean {
  if (error === BOOM || error instanceof CopyAbortError) return true;
  if (error instanceof ErrnoError) return Object.hasOwn(ERRNO, error.code) && error.message.length < 1000;
  if (codes.includes((error as Error).name)) return true;
  // It is the object itself that throws whatever is done to it.
  return error instanceof TypeError && /has been revoked/.test(error.message);
}

/** What a call that fails leaves as it is. */
function stateOf({ engine, machine, dma, dmaMemory, channel, folio, area, to, from }: World) {
  const free = [engine.memory, machine.memory, dmaMemory].map(({ nodes }) => nodes.map(({ freePages }) => freePages));
  const { flags, refcount } = folio;
  return {
    free,
    channels: [dma.freeChannels, channel.inFlight, channel.room],
    folio: [flags, refcount],
    sysfs: machine.sysfs.files().map(({ value }) => value),
    threads: engine.threads,
    busy: machine.cpus.busy,
    migrator: machine.offload.active,
    poisoned: [engine.memory, machine.memory].map(({ poisonedFrames }) => poisonedFrames),
    bytes: [isAll(from, 7), isAll(to, 0) || isAll(to, 7)],
    area: area.pages().map((address) => Number(isAll(area.mm.folioAt(address)?.bytes ?? to, 9))),
    areas: area.mm.vmas.map(({ start, end }) => [start, end]),
  };
}

async function called(target: Target, args: readonly unknown[]): Promise<{ result: unknown } | { error: unknown }> {
  let timer: NodeJS.Timeout | undefined;
  const hang = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the call hangs')), 20_000);
  });
  try {
    return { result: await Promise.race([target.call(world, ...(args as never[])), hang]) };
  } catch (error) {
    return { error };
  } finally {
    clearTimeout(timer);
  }
}

async function tryOut(target: Target, spoils: readonly Spoil[]): Promise<void> {
  const before = stateOf(world);
  const args = target.right(world).map((right, i) => spoils[i].of(right));
  const outcome = await called(target, args);
  if ('error' in outcome) {
    if (!isClear(outcome.error, target)) throw outcome.error;
    expect(stateOf(world)).toEqual(before);
    return;
  }
  await target.undo?.(world, outcome.result as never);
  // What was right after all may have moved the area, or have copied; nothing else may be another.
  const { free, bytes, area, ...after } = stateOf(world);
  const sum = (pages: number[][]) => pages.map((nodes) => nodes.reduce((all, one) => all + one, 0));
  expect({ ...after, free: sum(free) }).toEqual({ ...without(before), free: sum(before.free) });
  expect([bytes[0], Array.from(area)]).toEqual([true, Array.from(before.area)]);
}

function without({ free: _, bytes: __, area: ___, ...rest }: ReturnType<typeof stateOf>) {
  return rest;
}

it('everything that can be called is here', () => {
  expect(surfaceOf(world).sort()).toEqual(Object.keys(TARGETS).sort());
});

describe('bad input is a clear error, and changes nothing:', () => {
  it.each(Object.keys(TARGETS))('%s', async (name) => {
    const target = TARGETS[name];
    const { length } = target.right(world);
    if (length === 0) return tryOut(target, []);
    await fc.assert(
      fc.asyncProperty(fc.array(spoil, { minLength: length, maxLength: length }), (spoils) => tryOut(target, spoils)),
      { numRuns: target.runs ?? RUNS, seed: 5, endOnFailure: true },
    );
    expect(unhandled).toEqual([]);
  });
});

describe('an experiment refuses before it runs:', () => {
  const ASKED = { sweepCopies, sweepMigrations, comparePmbenchFlows, tune, reproduce };
  it.each(Object.keys(ASKED) as (keyof typeof ASKED)[])('%s', async (name) => {
    const run = ASKED[name] as (asked: unknown) => Promise<unknown>;
    await fc.assert(
      fc.asyncProperty(hostile, async ({ make }) => {
        const error = await errorOf(() => run({ notASetting: make() }));
        expect(isClear(error, TARGETS.parseSize)).toBe(true);
      }),
      { numRuns: 60, seed: 3 },
    );
    for (const wrong of [null, 5, 'x', 1n, Symbol('x'), () => {}]) {
      expect(await errorOf(() => run(wrong))).toBeInstanceOf(ErrnoError);
    }
  });
});

describe('what closes its owner as it is looked at', () => {
  /** An object that ends something at the first look at a property, which is what it was. */
  const closing = (right: object, close: () => void) =>
    new Proxy(right, {
      get(target, name) {
        close();
        return Reflect.get(target, name);
      },
    });
  type Row = [name: string, call: (world: World) => unknown];
  const rows: Row[] = [
    [
      'options of copy',
      ({ engine, to, from }) =>
        engine.copy(
          to,
          from,
          closing({ stores: 'auto' }, () => void engine.close()),
        ),
    ],
    [
      'options of copySync',
      ({ engine, to, from }) =>
        engine.copySync(
          to,
          from,
          closing({ stores: 'auto' }, () => void engine.close()),
        ),
    ],
    [
      'a pair of copyBatch',
      ({ engine, to, from }) => engine.copyBatch([closing({ to, from }, () => void engine.close()) as never]),
    ],
    [
      'a pair of copyBatchSync',
      ({ engine, to, from }) => engine.copyBatchSync([closing({ to, from }, () => void engine.close()) as never]),
    ],
    [
      'options of allocate',
      ({ engine }) =>
        engine.allocate(
          10,
          closing({ node: 0 }, () => void engine.close()),
        ),
    ],
    [
      'options of mmap',
      ({ area: { mm } }) => mm.mmap(closing({ length: '16K', populate: true }, () => void mm.close())),
    ],
    [
      'an area that is forked',
      ({ area, machine }) =>
        area.mm.fork(closing(area, () => void area.mm.close()) as never, machine.createAddressSpace()),
    ],
    [
      'options of createAddressSpace',
      ({ machine }) => machine.createAddressSpace(closing({ uid: 0 }, () => void machine.close())),
    ],
    [
      'options of run',
      ({ machine, area }) =>
        machine.cpus.run(
          area.mm,
          'data:text/javascript,export default () => 1',
          closing({ cpu: 0 }, () => void machine.close()),
        ),
    ],
    [
      'options of movePages',
      ({ machine, area }) =>
        machine.movePages(
          area.mm,
          area.pages(),
          closing({ node: 1 }, () => void machine.close()),
        ),
    ],
    [
      'pages of movePages',
      ({ machine, area }) =>
        machine.movePages(area.mm, closing(Array.from(area.pages()), () => void area.mm.close()) as never, { node: 1 }),
    ],
    [
      'nodes of migratePages',
      ({ machine, area }) =>
        machine.migratePages(area.mm, { from: closing([0], () => void area.mm.close()) as never, to: [1] }),
    ],
    [
      'folios of migrateMovable',
      ({ machine, folio }) =>
        machine.migrateMovable(closing([folio], () => void machine.close()) as never, {
          node: 1,
          reason: 'compaction',
        }),
    ],
  ];

  it.each(rows)('%s: the call fails or comes to its end, and nothing is left', async (_, call) => {
    const own = await createWorld();
    const outcome = await Promise.resolve()
      .then(() => call(own))
      .then(
        () => 'done',
        (error) => error.code,
      );
    expect(['done', 'ESHUTDOWN', 'ESRCH', 'EINVAL']).toContain(outcome);
    await own.close();
    own.engine.free(own.to);
    own.engine.free(own.from);
    own.folio.put();
    const free = [own.engine.memory, own.machine.memory].flatMap(({ nodes }) =>
      nodes.map(({ freePages }) => freePages),
    );
    expect(free).toEqual([1024, 1024, 1024]);
    expect(LENGTH).toBe(own.to.length);
  });
});
