import fc from 'fast-check';
import { type AddressSpace, type Area, FLOWS, type Folio, Machine, MPOL_MF_MOVE_ALL } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { ERRNO } from '#src/errno.js';
import { entryAt, frameAt } from '#src/mm/page-entries.js';
import { isSame } from '../support/bytes.js';
import { expectAtRest, freePages } from '../support/machines.js';

const PAGE = 4096;
/** For each byte a page that is full of it. */
const FULL = Array.from({ length: 256 }, (_, value) => new Uint8Array(PAGE).fill(value));

/** What a page is expected to hold: the byte that was last stored to all of it; shared by areas that share memory. */
interface Cell {
  value: number;
}

interface ModelArea {
  readonly area: Area;
  readonly shared: boolean;
  /** By page of the area; absent where it was unmapped. */
  readonly cells: Map<number, Cell>;
}

/** The plain model: areas with what their pages hold, and what is pinned and poisoned. */
interface Model {
  areas: ModelArea[];
  /** Frames with a memory error. */
  readonly poisoned: Set<number>;
  commands: number;
}

/** The machine, and what the commands hold of it. */
interface Real {
  readonly machine: Machine;
  readonly pinned: Folio[];
  readonly spaces: AddressSpace[];
}

type Command = fc.AsyncCommand<Model, Real>;

const pick = <T>(list: readonly T[], choice: number): T => list[choice % list.length];
const addressOf = ({ area }: ModelArea, page: number) => area.address + page * PAGE;

function command(
  name: string,
  check: (model: Model) => boolean,
  run: (model: Model, real: Real) => Promise<void>,
): Command {
  return {
    check: (model) => check(model),
    async run(model, real) {
      model.commands++;
      await run(model, real);
    },
    toString: () => name,
  };
}

const hasAreas = ({ areas }: Model) => areas.length > 0;

/** Whether a page has a frame with a memory error. */
function isPoisonedAt({ machine: { memory } }: Real, of: ModelArea, page: number): boolean {
  const { table } = of.area.mm;
  const vpn = addressOf(of, page) / PAGE;
  const entry = entryAt(table, vpn);
  return entry !== 0 && memory.isPoisoned(frameAt(table, vpn, entry) * PAGE, PAGE);
}

/** Awaits an access, which is to fail if the page has a memory error, and only then. Says whether it was made. */
async function isAccessed(real: Real, of: ModelArea, page: number, access: Promise<unknown>): Promise<boolean> {
  const code = await access.then(
    () => undefined,
    (error) => error.code,
  );
  const expected = isPoisonedAt(real, of, page) ? 'EHWPOISON' : undefined;
  // No expect of every page: a few hundred thousand of them take longer than all that they check.
  if (code !== expected) expect(code, `access to page ${page}`).toBe(expected);
  return code === undefined;
}

async function checkPage(real: Real, of: ModelArea, page: number, cell: Cell): Promise<void> {
  const reading = of.area.mm.read(addressOf(of, page), PAGE);
  if (!(await isAccessed(real, of, page, reading))) return;
  const bytes = await reading;
  if (isSame(bytes, FULL[cell.value])) return;
  const wrong = bytes.findIndex((byte) => byte !== cell.value);
  expect.fail(`page ${page}: byte ${wrong} is ${bytes[wrong]}, not ${cell.value}`);
}

const folioSizes = fc.constantFrom('4K', '64K', '2M');
const PAGES = { '4K': [1, 3, 17], '64K': [16, 48], '2M': [512] } as Record<string, number[]>;

const mmap = fc
  .record({ folioSize: folioSizes, size: fc.nat(), node: fc.nat(1), shared: fc.boolean(), populate: fc.boolean() })
  .map(({ folioSize, size, node, shared, populate }) => {
    const pages = pick(PAGES[folioSize], size);
    return command(
      `mmap(${pages} pages of ${folioSize} on ${node}${shared ? ', shared' : ''}${populate ? ', populate' : ''})`,
      ({ areas }) => areas.length < 6,
      async (model, { machine, spaces }) => {
        const mm = machine.createAddressSpace();
        spaces.push(mm);
        const area = mm.mmap({ length: pages * PAGE, folioSize, node, shared, populate });
        const cells = new Map(Array.from({ length: pages }, (_, page) => [page, { value: 0 }]));
        model.areas.push({ area, shared, cells });
      },
    );
  });

const munmap = fc
  .record({ area: fc.nat(), first: fc.nat(600), pages: fc.integer({ min: 1, max: 600 }) })
  .map((choice) =>
    command(`munmap(area ${choice.area}, ${choice.pages} pages from ${choice.first})`, hasAreas, async (model) => {
      const of = pick(model.areas, choice.area);
      const all = of.area.length / PAGE;
      const first = choice.first % all;
      const pages = Math.min(choice.pages, all - first);
      const range = Array.from({ length: pages }, (_, i) => first + i);
      const isMapped = range.some((page) => of.cells.has(page));
      const unmapping = of.area.mm.munmap(addressOf(of, first), pages * PAGE);
      if (!isMapped) return expect(unmapping).rejects.toMatchObject({ code: 'EINVAL' });
      await unmapping;
      for (const page of range) of.cells.delete(page);
      expect(of.area.mm.folioAt(addressOf(of, first))).toBeUndefined();
      if (of.cells.size === 0) model.areas = model.areas.filter((other) => other !== of);
    }),
  );

const store = fc
  .record({ area: fc.nat(), page: fc.nat(600), pages: fc.integer({ min: 1, max: 20 }), value: fc.nat(255) })
  .map((choice) =>
    command(`store(area ${choice.area}, ${choice.pages} from ${choice.page})`, hasAreas, async (model, real) => {
      const of = pick(model.areas, choice.area);
      const first = choice.page % (of.area.length / PAGE);
      for (let page = first; page < first + choice.pages; page++) {
        const cell = of.cells.get(page);
        const storing = of.area.mm.write(addressOf(of, page), FULL[choice.value]);
        if (!cell) await expect(storing).rejects.toMatchObject({ code: 'EFAULT' });
        else if (await isAccessed(real, of, page, storing)) setCell(of, page, cell, choice.value);
      }
    }),
  );

function setCell({ shared, cells }: ModelArea, page: number, cell: Cell, value: number): void {
  if (shared) cell.value = value;
  else cells.set(page, { value });
}

const fork = fc.nat().map((area) =>
  command(
    `fork(area ${area})`,
    ({ areas }) => areas.length > 0 && areas.length < 6,
    async (model, real) => {
      const of = pick(model.areas, area);
      const child = real.machine.createAddressSpace();
      real.spaces.push(child);
      const forked = await of.area.mm.fork(of.area, child);
      const cells = Array.from(of.cells, ([page, cell]) => [page, of.shared ? cell : { ...cell }] as const);
      model.areas.push({ area: forked, shared: of.shared, cells: new Map(cells) });
    },
  ),
);

const migrate = fc
  .record({
    area: fc.nat(),
    node: fc.nat(1),
    flow: fc.constantFrom(...FLOWS),
    batchesInFlight: fc.constantFrom(1, 1, 2, 4),
    migrator: fc.constantFrom('kernel' as const, 'mtcopy' as const),
    batchLimit: fc.constantFrom(1, 7, 512),
    flags: fc.constantFrom(MPOL_MF_MOVE_ALL, undefined),
  })
  .map(({ area, node, flags, ...settings }) =>
    command(
      `migrate(area ${area} to ${node}, ${settings.flow}, ${settings.migrator}, ${settings.batchLimit}, ${flags})`,
      hasAreas,
      async (model, { machine, pinned }) => {
        const of = pick(model.areas, area);
        const pages = of.area.pages();
        const { status, stats } = await machine.movePages(of.area.mm, pages, { node, flags, ...settings });
        const hasTrouble = pinned.length > 0 || model.poisoned.size > 0;
        const mapped = hasTrouble ? [node, -2, -5, -13, -16, -12] : [node, -2, -13];
        const wrong = Array.from(status.entries()).filter(([page, result]) =>
          of.cells.has(page) ? !mapped.includes(result) : result !== -ERRNO.EFAULT,
        );
        expect(wrong.slice(0, 3)).toEqual([]);
        if (!hasTrouble) expect(stats.failed).toBe(0);
      },
    ),
  );

const pin = fc.record({ area: fc.nat(), page: fc.nat(600) }).map(({ area, page }) =>
  command(`pin(area ${area}, page ${page})`, hasAreas, async (model, { pinned }) => {
    const of = pick(model.areas, area);
    const folio = of.area.mm.folioAt(addressOf(of, page % (of.area.length / PAGE)));
    if (!folio || pinned.length >= 4) return;
    folio.get();
    pinned.push(folio);
  }),
);

const unpin = fc.nat().map((choice) =>
  command(
    `unpin(${choice})`,
    () => true,
    async (_, { pinned }) => {
      pinned.splice(choice % Math.max(1, pinned.length), 1)[0]?.put();
    },
  ),
);

const poison = fc.record({ area: fc.nat(), page: fc.nat(600) }).map(({ area, page }) =>
  command(`poison(area ${area}, page ${page})`, hasAreas, async (model, { machine }) => {
    const of = pick(model.areas, area);
    const folio = of.area.mm.folioAt(addressOf(of, page % (of.area.length / PAGE)));
    if (!folio || model.poisoned.size >= 2) return;
    const pfn = folio.pfn + (page % (folio.size / PAGE));
    if (model.poisoned.has(pfn)) return;
    machine.memory.poison(pfn);
    model.poisoned.add(pfn);
  }),
);

const unpoison = fc.nat().map((choice) =>
  command(
    `unpoison(${choice})`,
    ({ poisoned }) => poisoned.size > 0,
    async (model, { machine }) => {
      const pfn = pick(Array.from(model.poisoned), choice);
      machine.memory.unpoison(pfn);
      model.poisoned.delete(pfn);
    },
  ),
);

const commands = fc.commands(
  [mmap, mmap, munmap, store, store, store, fork, migrate, migrate, migrate, pin, unpin, poison, unpoison],
  {
    maxCommands: 80,
    size: 'max',
  },
);

/** Everything that is mapped holds what it should, and once all is let go of every frame is free and every folio at rest. */
async function checkEnd(model: Model, real: Real, free: number[]): Promise<void> {
  for (const of of model.areas) for (const [page, cell] of of.cells) await checkPage(real, of, page, cell);
  for (const folio of real.pinned.splice(0)) folio.put();
  for (const { area, shared } of model.areas) expectAtRest(area, shared ? 1 : 0);
  for (const mm of real.spaces) await mm.close();
  for (const pfn of model.poisoned) real.machine.memory.unpoison(pfn);
  expect(freePages(real.machine)).toEqual(free);
}

describe('any sequence of mmap, munmap, store, fork, migrate, pin and poison', () => {
  it.each([1, 2, 3])(
    'leaves the right bytes, and then every frame free; seed %d',
    async (seed) => {
      await using machine = await Machine.boot({ nodes: ['32M', '32M'], cpus: 0, threads: 2 });
      const free = freePages(machine);
      let count = 0;
      await fc.assert(
        fc.asyncProperty(commands, async (sequence) => {
          const model: Model = { areas: [], poisoned: new Set(), commands: 0 };
          const real: Real = { machine, pinned: [], spaces: [] };
          try {
            await fc.asyncModelRun(() => ({ model, real }), sequence);
            await checkEnd(model, real, free);
          } finally {
            // So that what failed once doesn't fail what is tried next.
            for (const folio of real.pinned.splice(0)) folio.put();
            for (const mm of real.spaces) await mm.close();
            if (machine.memory.poisonedFrames > 0) for (const pfn of model.poisoned) tryUnpoison(machine, pfn);
          }
          count += model.commands;
        }),
        { numRuns: 60, seed, endOnFailure: false },
      );
      console.info(`${count} commands in 60 sequences`);
      expect(count).toBeGreaterThan(1000);
    },
    120_000,
  );
});

function tryUnpoison({ memory }: Machine, pfn: number): void {
  if (memory.isPoisoned(pfn * PAGE, PAGE)) memory.unpoison(pfn);
}
