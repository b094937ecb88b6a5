import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { FLOWS, Machine, type MigrateSteps } from 'mtcopy';
import { expect, it, vi } from 'vitest';
import { createStepClock } from '#src/migrate/step-clock.js';

const NAMES = ['lock', 'allocate', 'tryToMigrate', 'metadata', 'removeMigrationPtes', 'free'];

/** What is heard while something runs. */
async function heardOf(run: () => Promise<unknown>): Promise<MigrateSteps[]> {
  const heard: MigrateSteps[] = [];
  const listen = (message: unknown) => void heard.push(message as MigrateSteps);
  subscribe('mtcopy:migrate-steps', listen);
  await run();
  unsubscribe('mtcopy:migrate-steps', listen);
  return heard;
}

it.each(FLOWS)('tells the steps of %s apart, which are parts of its time', async (flow) => {
  await using machine = await Machine.boot({ nodes: ['48M', '48M'], cpus: 0, flow });
  const mm = machine.createAddressSpace();
  // Large folios, which are timed one and all.
  const area = mm.mmap({ length: '32M', folioSize: '1M', populate: true });
  const started = performance.now();
  const heard = await heardOf(() => machine.movePages(mm, area.folios(), { node: 1 }));
  const wallNs = (performance.now() - started) * 1e6;
  expect(heard).toHaveLength(1);
  const { stepsNs } = heard[0];
  expect(Object.keys(stepsNs)).toEqual(NAMES);
  // Entries there are 256 of in each, so that these two can't come out as nothing.
  expect(stepsNs.tryToMigrate).toBeGreaterThan(0);
  expect(stepsNs.removeMigrationPtes).toBeGreaterThan(0);
  expect(Object.values(stepsNs).reduce((sum, ns) => sum + ns)).toBeLessThan(wallNs);
});

it('tells of every 8,192 pages, of failures too, and of nothing once nobody listens', async () => {
  await using machine = await Machine.boot({ nodes: ['40M', '40M'], cpus: 0 });
  const mm = machine.createAddressSpace();
  const area = mm.mmap({ length: '33M', populate: true });
  const heard = await heardOf(() => machine.movePages(mm, area.pages(), { node: 1 }));
  expect(heard).toHaveLength(2);
  await machine.movePages(mm, area.pages(), { node: 0 });
  expect(heard).toHaveLength(2);
  const failure = new Error('on purpose');
  const migrator = {
    name: 'throws',
    copyFolios: () => {
      throw failure;
    },
  };
  const pages = area.pages().slice(0, 4);
  const failed = await heardOf(() =>
    expect(machine.movePages(mm, pages, { node: 1, migrator, flow: 'pre-copy' })).rejects.toBe(failure),
  );
  expect(failed).toHaveLength(1);
});

it('counts large folios, which are all timed, beside small ones, of which few are', async () => {
  let now = 0;
  using _clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  const heard = await heardOf(async () => {
    const steps = createStepClock();
    const folio = (order: number, ms: number) => {
      steps?.start(order);
      now += ms;
      steps?.lap('allocate');
    };
    for (let i = 0; i < 100; i++) folio(9, 1);
    for (let i = 0; i < 1300; i++) folio(0, 0.01);
    steps?.publish();
  });
  expect(heard[0].stepsNs.allocate).toBe(113e6);
});
