import { type AddressSpace, Machine, MiB, type MigrationSettings, type MovePagesOptions } from 'mtcopy';
import { type MigrateSweep, type Progress, sweepMigrations } from 'mtcopy/experiments';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { errorOf } from '../../support/errors.js';

const SWEEP: MigrateSweep = {
  folioBytes: [4096],
  count: 0,
  total: 4 * MiB,
  migrators: ['kernel'],
  threads: [2],
  inFlight: [1],
  flows: ['pre-copy'],
  frames: ['sequential'],
  runs: 2,
};

type Call = [AddressSpace, ArrayLike<number>, (MovePagesOptions & MigrationSettings)?];

/** Has `after` called after each call of movePages that moves everything. */
function afterMoves(pages: number, after: (machine: Machine, ...call: Call) => unknown): void {
  const movePages = Machine.prototype.movePages;
  vi.spyOn(Machine.prototype, 'movePages').mockImplementation(async function (this: Machine, ...call) {
    const result = await movePages.apply(this, call);
    if (call[1].length === pages) await after(this, ...call);
    return result;
  });
}

afterEach(() => vi.restoreAllMocks());

describe('sweepMigrations', () => {
  it('finds one bit that came out wrong', async () => {
    let moves = 0;
    afterMoves(1024, (_machine, mm, pages) => {
      const page = mm.folioAt(pages[1000])?.bytes;
      if (page && ++moves === 9) page[4095] = page[4095] ^ 1;
    });
    const error = await errorOf(() => sweepMigrations(SWEEP));
    expect(error).toMatchObject({ code: 'EIO', message: 'EIO: memory was changed by its migration' });
    expect(moves).toBe(9);
  });

  it('finds a page that is not where it was to go', async () => {
    let moves = 0;
    const movePages = Machine.prototype.movePages;
    afterMoves(1024, async (machine, mm, pages, options) => {
      if (++moves < 9) return;
      const { status } = await movePages.call(machine, mm, [pages[1000]], { node: 1 - (options?.node ?? 0) });
      expect(status[0]).toBe(1 - (options?.node ?? 0));
    });
    const error = await errorOf(() => sweepMigrations(SWEEP));
    expect(error).toMatchObject({ code: 'EIO', message: expect.stringContaining('folio 1000 of 1024') });
  });

  it('finds a page that could not be moved', async () => {
    let moves = 0;
    afterMoves(1024, (machine, mm, pages) => {
      const folio = mm.folioAt(pages[1000]);
      if (++moves === 9 && folio) machine.memory.poison(folio.pfn);
    });
    const error = await errorOf(() => sweepMigrations(SWEEP));
    expect(error).toMatchObject({ code: 'EIO', message: 'EIO: 1 of 1024 folios were not migrated; folio 1000: EIO' });
  });

  it.each([
    ['an even', ['vanilla', 'pre-copy']],
    ['an odd', ['vanilla', 'pre-copy', 'serial']],
  ] as const)('moves %s number of combinations in turns, each both ways', async (_, flows) => {
    const seen: { flow: string; node: number }[] = [];
    afterMoves(1024, (_machine, _mm, _pages, options) => {
      seen.push({ flow: String(options?.flow), node: Number(options?.node) });
    });
    await sweepMigrations({ ...SWEEP, flows, warmUps: 3, runs: 4 });
    // One direction at a time.
    seen.forEach(({ node }, i) => {
      expect(node).toBe((i + 1) % 2);
    });
    const measured = seen.slice(-4 * flows.length);
    for (let round = 0; round < 4; round++) {
      const inRound = measured.slice(round * flows.length, (round + 1) * flows.length).map(({ flow }) => flow);
      expect(inRound.sort()).toEqual([...flows].sort());
    }
    for (const flow of flows) {
      expect(measured.filter((run) => run.flow === flow && run.node === 1)).toHaveLength(2);
    }
  });

  it('tells its progress, run by run', async () => {
    const told: [number, number][] = [];
    const whats = new Set<string>();
    const onProgress = ({ done, runs, what }: Progress) => {
      told.push([done, runs]);
      whats.add(what);
    };
    await sweepMigrations({ ...SWEEP, folioBytes: [4096, 2 * MiB], migrators: ['kernel', 'mtcopy'] }, { onProgress });
    expect(told).toEqual(Array.from(told, (_, i) => [i, told.length]));
    expect(Array.from(whats)).toHaveLength(2 * 2);
  });

  it('has frames in order, or out of order, in every run', async () => {
    for (const frames of ['sequential', 'shuffled'] as const) {
      let runs = 0;
      afterMoves(1024, (_machine, mm, pages) => {
        runs++;
        const pfns = Array.from(pages, (address) => mm.folioAt(address)?.pfn ?? 0);
        const steps = pfns.filter((pfn, i) => pfn === (pfns[i - 1] ?? 0) + 1).length;
        if (frames === 'sequential') expect(steps).toBeGreaterThan(1020);
        else expect(steps).toBeLessThan(20);
      });
      await sweepMigrations({ ...SWEEP, frames: [frames], warmUps: 6 });
      expect(runs).toBe(8);
      vi.restoreAllMocks();
    }
  });

  it('keeps the memory of one machine at a time', async () => {
    const folioBytes = [256, 512, 1024, 2048].map((kib) => kib * 1024);
    const resident = process.memoryUsage.rss();
    let most = 0;
    const onProgress = () => {
      most = Math.max(most, process.memoryUsage.rss() - resident);
    };
    await sweepMigrations({ ...SWEEP, folioBytes, total: 64 * MiB, migrators: ['mtcopy'], runs: 1 }, { onProgress });
    // Each machine has 128 MiB in use, and some for its threads; four of them would have 512.
    expect(most).toBeGreaterThan(100 * MiB);
    expect(most).toBeLessThan(400 * MiB);
  });
});
