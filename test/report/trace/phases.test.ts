import {
  FLOWS,
  Machine,
  MIGRATOR_NAMES,
  type MigrateStats,
  type MigrationSettings,
  PAGE_SIZE,
  type Phases,
} from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { type ReadSlice, sumOf } from '../../support/perfetto.js';
import { traceOf } from '../../support/traces.js';

const TURN = "event loop's turn";
const FOLIO_BY_FOLIO = 'folio by folio';
const PHASES: (keyof Phases)[] = ['isolate', 'unmap', 'flush', 'copy', 'move', 'putBack'];
const isPhase = ({ name }: ReadSlice) => name === FOLIO_BY_FOLIO || (PHASES as string[]).includes(name);
const durationOf = ({ begin, end }: ReadSlice) => end - begin;

/** Moves some small folios and some large ones with move_pages. */
async function move(settings: MigrationSettings): Promise<MigrateStats> {
  await using machine = await Machine.boot({ nodes: ['32M', '32M'], cpus: 0, threads: 2 });
  const mm = machine.createAddressSpace();
  const small = mm.mmap({ length: 1500 * PAGE_SIZE, populate: true });
  const large = mm.mmap({ length: '4M', folioSize: '2M', populate: true });
  const folios = Float64Array.from([...small.folios(), ...large.folios()]);
  const { stats, notMigrated } = await machine.movePages(mm, folios, { node: 1, ...settings });
  expect(notMigrated).toBe(0);
  return stats;
}

const WAYS = FLOWS.flatMap((flow) => MIGRATOR_NAMES.map((migrator) => ({ flow, migrator })));

describe.each(WAYS)('$flow, $migrator', ({ flow, migrator }) => {
  it.each([1, 3])('slices add up to the phases of the result, with %d batches in flight', async (batchesInFlight) => {
    const { result, trace } = await traceOf(() => move({ flow, migrator, batchesInFlight }));
    const slices = trace.slices.filter(isPhase);
    for (const phase of PHASES) {
      // Both are rounded to nanoseconds, each slice and the result.
      const off = Math.abs(sumOf(slices, `${phase}Ns`) - result.phasesNs[phase]);
      expect(off).toBeLessThanOrEqual(slices.length + 2);
    }
    const turns = trace.slices.filter(({ name }) => name === TURN);
    for (const slice of slices) {
      // One in the middle of a folio is its phase's time where that is sampled.
      const own = turns.filter(({ parent }) => parent === slice && slice.name !== FOLIO_BY_FOLIO);
      const inTurns = own.reduce((sum, turn) => sum + durationOf(turn), 0);
      const said = PHASES.reduce((sum, phase) => sum + Number(slice.says[`${phase}Ns`] ?? 0), 0);
      // Rounded: the slice's two ends, those of each turn, and each phase.
      const rounded = 2 + 2 * own.length + PHASES.length;
      expect(Math.abs(durationOf(slice) - inTurns - said)).toBeLessThanOrEqual(rounded);
    }
  });
});

it('phases lie in batches, which say their number, what moved them, and how much of it', async () => {
  const { result, trace } = await traceOf(() => move({ flow: 'pre-copy', migrator: 'mtcopy', batchesInFlight: 2 }));
  const batches = trace.slices.filter(({ name }) => name === 'pre-copy, mtcopy');
  expect(batches.map(({ says }) => says.batch).sort()).toEqual(Array.from({ length: result.batches }, (_, i) => i));
  expect(sumOf(batches, 'kernelBytes') + sumOf(batches, 'migratorBytes')).toBe(result.succeeded * PAGE_SIZE);
  const lone = trace.slices.filter((slice) => isPhase(slice) && !slice.parent).map(({ name }) => name);
  expect([...new Set(lone)]).toEqual(['isolate', 'putBack']);
  expect(trace.slices.filter(isPhase).every(({ parent }) => !parent || batches.includes(parent))).toBe(true);
  expect(trace.tracks).toContain('migration lane 1');
});

it('a call that fails in the middle of a batch leaves a trace with no slice open, and lanes for the next', async () => {
  const failing = {
    name: 'failing',
    copyFolios: () => {
      throw new Error('on purpose');
    },
  };
  const { trace } = await traceOf(async () => {
    await expect(move({ flow: 'pre-copy', migrator: failing })).rejects.toThrow('on purpose');
    await move({ flow: 'vanilla' });
  });
  expect(trace.tracks.filter((name) => name.startsWith('migration lane'))).toEqual(['migration lane 0']);
});

it.each(['movePages', 'migratePages'] as const)(
  'an isolation of %s in which something is thrown ends in the trace too, and leaves its lane to the next',
  async (call) => {
    const { trace } = await traceOf(async () => {
      await using machine = await Machine.boot({ nodes: ['4M', '4M'], cpus: 0 });
      const mm = machine.createAddressSpace();
      const area = mm.mmap({ length: '1M', populate: true });
      const thrown = () => {
        throw new Error('on purpose');
      };
      // What no area has is looked up among them; migrate_pages looks for the first of them.
      Object.assign(mm, { findVma: thrown, firstVmaAfter: thrown });
      const calling =
        call === 'movePages'
          ? machine.movePages(mm, [area.address + 2 ** 30], { node: 1 })
          : machine.migratePages(mm, { from: [0], to: [1] });
      await expect(calling).rejects.toThrow('on purpose');
      await move({ flow: 'vanilla' });
    });
    expect(trace.tracks.filter((name) => name.startsWith('migration lane'))).toEqual(['migration lane 0']);
    // The next one is not in what has failed.
    expect(trace.slices.filter(({ name }) => name === 'isolate').map(({ parent }) => parent)).toEqual([
      undefined,
      undefined,
    ]);
    expect(trace.slices.every(({ says }) => says.isolateNs !== undefined || says.reason !== '')).toBe(true);
  },
);

it('an isolation that its owner makes fail ends in the trace too, and leaves its lane to the next', async () => {
  const { trace } = await traceOf(async () => {
    await using machine = await Machine.boot({ nodes: ['1M', '1M'], cpus: 0 });
    const folio = machine.memory.allocFolio(0, { node: 0 });
    const isolate = () => {
      throw new Error('on purpose');
    };
    machine.setMovable(folio, { isolate, migrate: () => 0, putback() {} });
    const migrating = machine.migrateMovable([folio], { node: 1, reason: 'compaction' });
    await expect(migrating).rejects.toThrow('on purpose');
    await move({ flow: 'vanilla' });
  });
  expect(trace.tracks.filter((name) => name.startsWith('migration lane'))).toEqual(['migration lane 0']);
});
