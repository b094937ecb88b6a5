import { Wrong } from '../scenario.js';
import type { Operation } from './program.js';
import type { TlbScenario, World } from './scenario.js';

const FLOWS = ['serial', 'vanilla', 'batch-move', 'pre-copy'] as const;

/** Counts one up on each of these pages, one after the other. */
const count = ({ page }: World, ...pages: readonly number[]): Operation[] => pages.map((one) => ['add', page(one)]);

/** Migrations beside CPUs that store, and load. */
const MIGRATIONS: readonly TlbScenario[] = [
  ...FLOWS.map(
    (flow): TlbScenario => ({
      name: `migration, ${flow}, 1 CPU`,
      pages: 2,
      async run(world) {
        const at = world.page(0);
        // A store that is the first access, and one that finds its translation in the TLB.
        const program = world.run(0, [
          ['store', at, 1],
          ['add', at],
        ]);
        await world.anytime();
        await world.move([0, 1], { flow });
        await program;
        world.expectBytes([2, 0]);
      },
    }),
  ),
  ...FLOWS.map(
    (flow): TlbScenario => ({
      name: `migration, ${flow}, 2 CPUs`,
      cpus: 2,
      pages: 2,
      async run(world) {
        const programs = [0, 1].map((cpu) => world.run(cpu, [...count(world, cpu), ['gate'], ...count(world, cpu)]));
        await world.openGate(2);
        await world.move([0, 1], { flow });
        await Promise.all(programs);
        world.expectBytes([2, 2]);
      },
    }),
  ),
  {
    name: 'migration, and back, 1 CPU',
    async run(world) {
      const program = world.run(0, count(world, 0, 0, 0));
      await world.anytime();
      await world.move([0]);
      await world.move([0], { node: 0 });
      await program;
      world.expectBytes([3]);
    },
  },
  {
    name: 'migration beside a CPU that uses another page',
    pages: 2,
    async run(world) {
      const program = world.run(0, count(world, 1, 1));
      await world.anytime();
      await world.move([0]);
      await program;
      world.expectBytes([0, 2]);
    },
  },
  {
    name: 'migration of a page that two CPUs wait for',
    cpus: 2,
    async run(world) {
      const at = world.page(0);
      const programs = [world.run(0, [['gate'], ['store', at, 1]]), world.run(1, [['gate'], ['load', at]])];
      await world.openGate(2);
      await world.move([0]);
      await Promise.all(programs);
      world.expectBytes([1]);
    },
  },
  {
    // It is counted, and answers nothing.
    name: 'migration, one of 2 CPUs leaves',
    cpus: 2,
    async run(world) {
      const programs = [world.run(0, [['gate']]), world.run(1, [['gate'], ...count(world, 0)])];
      await world.openGate(2);
      await world.move([0]);
      await Promise.all(programs);
      world.expectBytes([1]);
    },
  },
  {
    name: 'migration of what one CPU stores and another loads',
    cpus: 2,
    async run(world) {
      const at = world.page(0);
      const storing = world.run(0, [
        ['store', at, 1],
        ['store', at, 2],
      ]);
      const loading = world.run(1, [
        ['load', at],
        ['load', at],
        ['load', at],
      ]);
      await world.anytime();
      await world.move([0]);
      await storing;
      world.expectAscending(await loading);
      world.expectBytes([2]);
    },
  },
  {
    name: 'migration, impatient, 1 CPU',
    isImpatient: true,
    hasNoTimers: true,
    async run(world) {
      const program = world.run(0, count(world, 0, 0));
      await world.anytime();
      await world.move([0]);
      await program;
      world.expectBytes([2]);
    },
  },
  {
    // While one waits for CPUs, another changes what is to be flushed.
    name: 'two migrations at once, hurried, 1 CPU',
    pages: 2,
    isHurried: true,
    async run(world) {
      const program = world.run(0, count(world, 0, 1, 0));
      await world.anytime();
      await Promise.all([world.move([0]), world.move([1])]);
      await program;
      world.expectBytes([2, 1]);
    },
  },
  {
    name: 'migration, and one that locks its folios in the opposite order',
    pages: 2,
    async run(world) {
      const program = world.run(0, count(world, 0));
      await world.anytime();
      const locking = world.lockBoth(1, 0);
      await world.move([0, 1]);
      await locking;
      await program;
      world.expectBytes([1, 0]);
    },
  },
  {
    // It leaves the address space, nobody asks it, and it comes back.
    name: 'migration, a CPU that idles',
    async run(world) {
      const at = world.page(0);
      const program = world.run(0, [['add', at], ['idle'], ['add', at], ['idle'], ['add', at]]);
      await world.anytime();
      await world.move([0]);
      await program;
      world.expectBytes([3]);
    },
  },
  {
    name: 'migration, and back, a CPU that idles',
    async run(world) {
      const at = world.page(0);
      const program = world.run(0, [['add', at], ['idle'], ['add', at]]);
      await world.anytime();
      await world.move([0]);
      await world.move([0], { node: 0 });
      await program;
      world.expectBytes([2]);
    },
  },
  {
    name: 'migration, one program after the other',
    async run(world) {
      const programs = async () => {
        await world.run(0, count(world, 0));
        await world.run(0, count(world, 0));
      };
      const running = programs();
      await world.anytime();
      await world.move([0]);
      await running;
      world.expectBytes([2]);
    },
  },
];

/** What one CPU stores to the copy of a page, and says so on another, the other must not miss. */
async function storeBesideLoads(world: World): Promise<void> {
  const [page, flag] = [world.page(0), world.page(1)];
  await world.mm.fork(world.area, world.child);
  const storing = world.run(0, [
    ['store', page, 1],
    ['store', flag, 1],
  ]);
  const loading = world.run(1, [
    ['load', page],
    ['load', flag],
    ['load', page],
  ]);
  await storing;
  const [, isSaid, then] = await loading;
  if (isSaid > then) throw new Wrong('a CPU loads an old page, after what was stored to another');
  world.expectBytes([1, 1]);
  world.expectBytes([0, 0], world.child);
}

/** Page faults, and the copies that they make. */
const FAULTS: readonly TlbScenario[] = [
  {
    name: 'faults, 2 CPUs',
    cpus: 2,
    isUnpopulated: true,
    pages: 2,
    async run(world) {
      const programs = [world.run(0, count(world, 0, 1)), world.run(1, [['load', world.page(0)]])];
      await Promise.all(programs);
      world.expectBytes([1, 1]);
    },
  },
  {
    name: 'faults beside a migration',
    isUnpopulated: true,
    pages: 2,
    async run(world) {
      const program = world.run(0, count(world, 0, 0));
      await world.anytime();
      await world.machine.movePages(world.mm, [world.page(0)], { node: 1 });
      await program;
      world.expectBytes([2]);
    },
  },
  {
    name: 'copy on write, 2 address spaces',
    cpus: 2,
    async run(world) {
      await world.mm.fork(world.area, world.child);
      const programs = [world.run(0, count(world, 0, 0)), world.run(1, count(world, 0), world.child)];
      await Promise.all(programs);
      world.expectBytes([2]);
      world.expectBytes([1], world.child);
    },
  },
  {
    name: 'copy on write beside a CPU that loads',
    cpus: 2,
    pages: 2,
    run: storeBesideLoads,
  },
  {
    name: 'copy on write beside a migration, hurried',
    isHurried: true,
    async run(world) {
      await world.mm.fork(world.area, world.child);
      const program = world.run(0, count(world, 0, 0));
      await world.anytime();
      // Both wait for the other's lock, and may be refused.
      await world.machine.migrateFolios(world.mm, [world.page(0)], { node: 1, reason: 'demotion' });
      await program;
      world.expectBytes([2]);
      world.expectBytes([0], world.child);
    },
  },
  {
    name: 'copy on write beside somebody who locks the folio',
    pages: 2,
    async run(world) {
      await world.mm.fork(world.area, world.child);
      const program = world.run(0, count(world, 1, 1));
      await world.anytime();
      await world.lockBoth(1, 0);
      await program;
      world.expectBytes([0, 2]);
      world.expectBytes([0, 0], world.child);
    },
  },
  {
    name: 'fork of what a CPU stores to',
    async run(world) {
      const program = world.run(0, count(world, 0, 0, 0));
      await world.anytime();
      await world.mm.fork(world.area, world.child);
      const [then] = world.bytes(world.child);
      await program;
      world.expectBytes([3]);
      world.expectBytes([then], world.child);
    },
  },
  {
    name: 'fork of what a CPU stores to, hurried',
    isHurried: true,
    async run(world) {
      const program = world.run(0, count(world, 0, 0));
      await world.anytime();
      await world.mm.fork(world.area, world.child);
      const [then] = world.bytes(world.child);
      await program;
      world.expectBytes([2]);
      world.expectBytes([then], world.child);
    },
  },
  {
    // One stores by its old right, while the other gets a copy.
    name: 'fork of what two CPUs store to, hurried',
    cpus: 2,
    isHurried: true,
    async run(world) {
      const at = world.page(0);
      const storing = world.run(0, [['store', at, 1], ['gate'], ['store', at, 2]]);
      const programs = [storing, world.run(1, [['gate'], ['store', at + 8, 1]])];
      await world.openGate(2);
      await world.mm.fork(world.area, world.child);
      await Promise.all(programs);
      world.expectBytes([2]);
    },
  },
];

/** What is unmapped while a CPU uses it. Its frames are somebody else's at once. */
const UNMAPPING: readonly TlbScenario[] = [
  {
    name: 'munmap of what a CPU stores to',
    async run(world) {
      const program = world.segfaults(world.run(0, count(world, 0, 0, 0)));
      await world.anytime();
      await world.mm.munmap(world.area.address, world.area.length);
      reuse(world);
      await program;
      world.expectBytes(ZEROS, world.child);
    },
  },
  {
    // Others take what is free while it is still to be flushed.
    name: 'munmap of what a CPU stores to, hurried',
    isHurried: true,
    async run(world) {
      const program = world.segfaults(world.run(0, count(world, 0, 0)));
      await world.anytime();
      const unmapping = world.mm.munmap(world.area.address, world.area.length);
      reuse(world);
      await unmapping;
      await program;
      world.expectBytes(ZEROS, world.child);
    },
  },
  {
    name: 'munmap in the middle of a migration',
    isHurried: true,
    async run(world) {
      const program = world.segfaults(world.run(0, count(world, 0, 0)));
      const frame = world.frame(0);
      await world.anytime();
      const moving = world.machine.movePages(world.mm, [world.page(0)], { node: 1 });
      await world.untilOnItsWay(0, moving);
      await world.mm.munmap(world.area.address, world.area.length);
      const then = world.bytesOfFrame(frame);
      await moving;
      if (world.bytesOfFrame(frame) !== then) throw new Wrong('a CPU stores to what is unmapped');
      reuse(world);
      await program;
      world.expectBytes(ZEROS, world.child);
    },
  },
];

/** Four of eight frames of a node: as many as an area here may have. */
const ZEROS = [0, 0, 0, 0];

/** Has what was freed mapped by another address space, whose programs find zeros there. */
function reuse({ child }: World): void {
  child.mmap({ length: ZEROS.length * 4096, populate: true });
}

/** A CPU that is asked, and doesn't answer for too long. */
const SILENT: readonly TlbScenario[] = [
  {
    name: 'a silent CPU, migration',
    isImpatient: true,
    options: { ipiTimeoutMs: 1 },
    async run(world) {
      const program = world.run(0, count(world, 0, 0));
      await world.anytime();
      await world.unlessSilent(world.move([0]), () => {
        const folio = world.mm.folioAt(world.page(0));
        if (folio?.nid !== 0 || folio.locked) throw new Wrong('the page is not as it was');
      });
      await program;
      world.expectBytes([2]);
    },
  },
  {
    name: 'a silent CPU, and another migration',
    pages: 2,
    isImpatient: true,
    options: { ipiTimeoutMs: 1 },
    async run(world) {
      const program = world.run(0, count(world, 0, 1, 0));
      await world.anytime();
      const first = world.unlessSilent(world.move([0]), () => {});
      const second = world.unlessSilent(world.move([1]), () => {});
      await Promise.all([first, second, program]);
      world.expectBytes([2, 1]);
    },
  },
  {
    name: 'a silent CPU, munmap',
    isImpatient: true,
    options: { ipiTimeoutMs: 1 },
    async run(world) {
      const program = world.segfaults(world.run(0, count(world, 0, 0)));
      await world.anytime();
      await world.unlessSilent(world.mm.munmap(world.area.address, world.area.length), () => reuse(world));
      await program;
      if (world.isMapped(world.child)) world.expectBytes(ZEROS, world.child);
    },
  },
  {
    name: 'a silent CPU, copy on write',
    cpus: 2,
    pages: 2,
    isImpatient: true,
    options: { ipiTimeoutMs: 1 },
    run: storeBesideLoads,
  },
  {
    name: 'a silent CPU, fork',
    isImpatient: true,
    options: { ipiTimeoutMs: 1 },
    async run(world) {
      const program = world.run(0, count(world, 0, 0));
      await world.anytime();
      await world.unlessSilent(world.mm.fork(world.area, world.child), () => {});
      await program;
      world.expectBytes([2]);
    },
  },
];

/** A CPU whose thread dies, at each of its operations. */
const DEATHS: readonly TlbScenario[] = [
  {
    name: 'CPU death, migration',
    cpus: 2,
    dies: true,
    async run(world) {
      const programs = [world.run(0, count(world, 0, 0)), world.run(1, count(world, 0))].map(world.mayDie);
      await world.anytime();
      await world.move([0]);
      await Promise.all(programs);
    },
  },
  {
    name: 'CPU death, faults',
    cpus: 2,
    dies: true,
    isUnpopulated: true,
    async run(world) {
      await Promise.all([world.run(0, count(world, 0, 0)), world.run(1, count(world, 0))].map(world.mayDie));
    },
  },
  {
    name: 'CPU death, copy on write',
    cpus: 2,
    dies: true,
    async run(world) {
      await world.mm.fork(world.area, world.child);
      await Promise.all([world.run(0, count(world, 0, 0)), world.run(1, count(world, 0))].map(world.mayDie));
      world.expectBytes([0], world.child);
    },
  },
  {
    name: 'CPU death, munmap',
    dies: true,
    async run(world) {
      const program = world.mayDie(world.segfaults(world.run(0, count(world, 0, 0))));
      await world.anytime();
      await world.mm.munmap(world.area.address, world.area.length);
      reuse(world);
      await program;
      world.expectBytes(ZEROS, world.child);
    },
  },
];

export const SCENARIOS: readonly TlbScenario[] = [...MIGRATIONS, ...FAULTS, ...UNMAPPING, ...SILENT, ...DEATHS];
