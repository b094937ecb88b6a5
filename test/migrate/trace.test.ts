import { tracingChannel } from 'node:diagnostics_channel';
import { FLOWS, Machine, type MachineOptions, type MigrateTrace, type MigrationSettings, type Phases } from 'mtcopy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FLOWS_AND_MIGRATORS, folioOf, started } from '../support/machines.js';
import { program } from '../support/programs.js';

const SIZES: MachineOptions = { nodes: ['16M', '16M'], cpus: 0, threads: 1 };

/** What each flow's batch tells, of so many folios of which some can't be moved. */
const STEPS = {
  serial: ['move'],
  vanilla: ['unmap', 'flush', 'move', 'putBack'],
  'batch-move': ['unmap', 'flush', 'move', 'copy', 'move', 'putBack'],
  'pre-copy': ['unmap', 'flush', 'copy', 'move', 'putBack'],
} as const;

interface Heard extends MigrateTrace {
  readonly event: 'start' | 'end';
}

async function listen(run: () => Promise<unknown>, act = (_: Heard) => {}): Promise<Heard[]> {
  const heard: Heard[] = [];
  const channel = tracingChannel<MigrateTrace>('mtcopy:migrate');
  const hear = (event: Heard['event'], trace: unknown) => {
    const one = { ...(trace as MigrateTrace), event };
    heard.push(one);
    act(one);
  };
  const subscribers = {
    start: (trace: unknown) => hear('start', trace),
    end: (trace: unknown) => hear('end', trace),
  };
  channel.start.subscribe(subscribers.start);
  channel.end.subscribe(subscribers.end);
  try {
    await run();
  } finally {
    channel.start.unsubscribe(subscribers.start);
    channel.end.unsubscribe(subscribers.end);
  }
  return heard;
}

function sum(phases: Phases): number {
  return Object.values(phases).reduce((total, ns) => total + ns, 0);
}

describe.each(FLOWS_AND_MIGRATORS)('$flow, $migrator', ({ flow, migrator }) => {
  it('tells begin and end of every phase of every batch, in order', async () => {
    await using machine = await Machine.boot({ ...SIZES, flow, migrator, batchLimit: 16 });
    const area = machine.createAddressSpace().mmap({ length: 40 * 4096, populate: true });
    const heard = await listen(() => machine.movePages(area.mm, area.pages(), { node: 1 }));
    const call = { flow, migrator, mode: 'MIGRATE_SYNC', reason: 'syscall_or_cpuset' };
    const expected = [16, 16, 8].flatMap((folios, batch) =>
      STEPS[flow].flatMap((phase) => ['start', 'end'].map((event) => ({ ...call, batch, phase, event, folios }))),
    );
    expect(heard.map(({ phasesNs, ...rest }) => rest)).toEqual(expected);
    const sums = heard.map(({ phasesNs }) => sum(phasesNs));
    expect(sums).toEqual(sums.toSorted((a, b) => a - b));
    // A phase's own time is in its end and not yet in its start.
    for (let i = 0; i < heard.length; i += 2) {
      const [start, end] = [heard[i], heard[i + 1]] as [Heard, Heard];
      expect(end.phasesNs[end.phase]).toBeGreaterThan(start.phasesNs[start.phase]);
    }
  });

  it('tells the folios that are left to each phase', async () => {
    await using machine = await Machine.boot({ ...SIZES, flow, migrator });
    const area = machine.createAddressSpace().mmap({ length: 8 * 4096, populate: true });
    const locked = folioOf(area, 1);
    locked.tryLock();
    const pinned = folioOf(area, 2);
    pinned.get();
    let isHeld = true;
    // What the first batch has left is tried by itself, and would wait 0.7 s for the lock.
    const letGo = ({ batch }: Heard) => {
      if (batch === 0 || !isHeld) return;
      isHeld = false;
      locked.unlock();
    };
    const heard = await listen(() => machine.movePages(area.mm, area.pages(), { node: 1 }), letGo);
    expect(isHeld).toBe(false);
    const first = heard.filter(({ batch, event }) => batch === 0 && event === 'start');
    const folios = first.map(({ phase, folios: left }) => [phase, left]);
    // All 8 are to be unmapped; the locked one is not. The batch-move flow tries the pinned one in passes of all its steps.
    const passes = [7, 1, 1].flatMap((left) => ['move', 'copy', 'move'].map((phase) => [phase, left]));
    const steps = {
      serial: [],
      vanilla: [['move', 7]],
      'batch-move': passes,
      'pre-copy': ['copy', 'move'].map((phase) => [phase, 7]),
    };
    const batch = [['unmap', 8], ['flush', 7], ...steps[flow], ['putBack', 7]];
    expect(folios).toEqual(flow === 'serial' ? [['move', 8]] : batch);
  });

  it('has phases that are no longer, in all, than the call', async () => {
    await using machine = await Machine.boot({ ...SIZES, flow, migrator });
    const area = machine.createAddressSpace().mmap({ length: '8M', populate: true });
    const started = performance.now();
    const { stats } = await machine.movePages(area.mm, area.pages(), { node: 1 });
    const wallNs = (performance.now() - started) * 1e6;
    expect(sum(stats.phasesNs)).toBeLessThanOrEqual(wallNs);
    expect(Object.values(stats.phasesNs).every((ns) => ns >= 0)).toBe(true);
    expect(stats.phasesNs.copy).toBeGreaterThan(0);
  });

  describe('with a limit of its batches', () => {
    let machine: Machine;
    beforeAll(async () => {
      machine = await Machine.boot({ ...SIZES, flow, migrator });
    });
    afterAll(() => machine.close());

    it.each<{ folioSize: string; batches: number; length?: string } & MigrationSettings>([
      { batchLimit: 1, folioSize: '4K', batches: 64 },
      { batchLimit: 10, folioSize: '4K', batches: 7 },
      { batchLimit: 64, folioSize: '4K', batches: 1 },
      { batchLimit: 1000, folioSize: '4K', batches: 1 },
      { batchLimit: 32, folioSize: '64K', batches: 32 },
      { batchLimit: 33, folioSize: '64K', batches: 22 },
      { batchLimit: 1, folioSize: '64K', batches: 64 },
      { batchLimit: 10, folioSize: '64K', batches: 7, batchUnit: 'folios' },
      { batchLimit: 64, folioSize: '64K', batches: 1, batchUnit: 'folios' },
      { batchLimit: 3, folioSize: '2M', batches: 1, batchUnit: 'folios', length: '6M' },
      { batchLimit: 3, folioSize: '2M', batches: 3, batchUnit: 'pages', length: '6M' },
      { batchLimit: 513, folioSize: '2M', batches: 2, batchUnit: 'pages', length: '6M' },
    ])(
      'cuts $folioSize folios into $batches with $batchLimit $batchUnit',
      async ({ folioSize, batches, ...setting }) => {
        const { length = folioSize === '4K' ? '256K' : '4M', ...limit } = setting;
        const mm = machine.createAddressSpace();
        const area = mm.mmap({ length, folioSize, populate: true });
        const { stats } = await machine.movePages(mm, area.pages(), { node: 1, ...limit });
        expect(stats).toMatchObject({ batches, failed: 0, succeeded: area.length / 4096 });
        await mm.close();
      },
    );
  });

  it('cuts batches by what its machine says', async () => {
    await using machine = await Machine.boot({ ...SIZES, flow, migrator, batchLimit: 10, batchUnit: 'folios' });
    const area = machine.createAddressSpace().mmap({ length: '4M', folioSize: '64K', populate: true });
    const { stats } = await machine.movePages(area.mm, area.pages(), { node: 1 });
    expect(stats).toMatchObject({ batches: 7, failed: 0, succeeded: 1024 });
  });
});

describe('the histogram of waits at migration entries', () => {
  it.each(FLOWS)('%s: has every wait in its bucket, up to the longest', async (flow) => {
    await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 2, flow });
    expect(machine.cpus.migrationWaits).toEqual({ count: 0, maxNs: 0, buckets: [] });
    const area = machine.createAddressSpace().mmap({ length: flow === 'serial' ? '64K' : '1M', populate: true });
    const args = { address: area.address, length: area.length, stride: 4096 };
    const runs = [0, 1].map((cpu) => machine.cpus.run(area.mm, program('count'), { cpu, args }));
    await started(area, [0, 1]);
    let rounds = 0;
    while (rounds < 500 && (rounds < 20 || machine.cpus.migrationWaits.count < 10)) {
      await machine.movePages(area.mm, area.pages(), { node: ++rounds % 2 });
    }
    machine.cpus.stop();
    await Promise.all(runs);
    const { count, maxNs, buckets } = machine.cpus.migrationWaits;
    console.info(`${flow}: ${count} waits in ${rounds} migrations, the longest ${(maxNs / 1e6).toFixed(2)} ms`);
    expect(count).toBeGreaterThan(0);
    expect(buckets.reduce((total, bucket) => total + bucket.count, 0)).toBe(count);
    expect(buckets.every(({ fromNs, count: waits }) => Number.isInteger(Math.log2(fromNs)) && waits > 0)).toBe(true);
    const last = buckets.at(-1)?.fromNs as number;
    expect([last <= maxNs, maxNs < 2 * last]).toEqual([true, true]);
  });
});
