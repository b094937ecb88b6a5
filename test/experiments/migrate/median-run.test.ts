import { sweepMigrations } from 'mtcopy/experiments';
import { expect, it } from 'vitest';
import { meanTimes, medianRuns } from '../../../src/experiments/migrate/median-run.js';

const run = (ns: number, unmap: number, copy: number) => ({ ns, phasesNs: { unmap, copy } });

it('phases are of the run whose time is the median, and so add up as that does', () => {
  // Each phase's own median is 5: of a run that never was, twice as fast as any.
  const runs = [run(100, 5, 95), run(90, 89, 1), run(110, 105, 5)];
  expect(medianRuns(runs)).toEqual([runs[0]]);
  expect(medianRuns([runs[2], runs[0]])).toEqual([runs[0], runs[2]]);
  expect(medianRuns([runs[1], runs[2], run(1, 1, 0), runs[0]])).toEqual([runs[1], runs[0]]);
  expect(medianRuns([runs[1]])).toEqual([runs[1]]);
  expect(meanTimes([runs[0], runs[2]].map(({ phasesNs }) => phasesNs))).toEqual({ unmap: 55, copy: 50 });
});

it.each([1, 2, 3])('phases of %d runs are no more than the time beside them', async (runs) => {
  const rows = await sweepMigrations({
    ...{ folioBytes: [4096], count: 1000, migrators: ['kernel'], flows: ['vanilla', 'pre-copy'], runs, warmUps: 0 },
    ...{ threads: [1], inFlight: [1], frames: ['sequential'] },
  });
  for (const { phasesNs, nsPerPage, folios } of rows) {
    const sum = Object.values(phasesNs).reduce((all, ns) => all + ns, 0);
    expect(sum).toBeLessThanOrEqual(nsPerPage * folios + 10);
  }
});
