import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { MigrateTrace } from 'mtcopy';
import { comparePmbenchFlows, type PmbenchComparison } from 'mtcopy/experiments';
import { describe, expect, it } from 'vitest';

const LOAD: PmbenchComparison = {
  cpus: 1,
  pages: 8192,
  folioBytes: 4096,
  pattern: 'uniform',
  writeRatio: 1,
  flows: ['vanilla'],
  migrator: 'kernel',
  threads: 1,
  caller: 'waits',
  seconds: 3600,
  runs: 2,
};

/** Of 512 pages: 32 before the measurement, then a whole call of migrate_pages at least. */
const BATCHES = 49;

describe.each(['move_pages', 'migrate_pages'] as const)(
  'a run of pmbench by %s that is cut short in the middle',
  (call) => {
    it('ends, with what was measured by then, and every store in its place', async () => {
      const stop = new AbortController();
      const measured = comparePmbenchFlows({ ...LOAD, call }, { signal: stop.signal });
      let batches = 0;
      const onEnd = (message: unknown) => {
        if ((message as MigrateTrace).phase === 'putBack' && ++batches === BATCHES) stop.abort();
      };
      subscribe('tracing:mtcopy:migrate:end', onEnd);
      const results = await measured;
      unsubscribe('tracing:mtcopy:migrate:end', onEnd);
      expect(results).toHaveLength(1);
      const [{ samples, seconds, pagesMigrated, ipis, stores, lostUpdates, accessesPerSecond }] = results;
      expect(samples).toHaveLength(1);
      expect(seconds).toBeLessThan(3600);
      expect(pagesMigrated).toBeGreaterThan(0);
      // One for each batch of 512, not counting what was moved once no CPU was there to be interrupted.
      expect(ipis).toBe(pagesMigrated / 512);
      expect(stores).toBeGreaterThan(0);
      expect(accessesPerSecond).toBeGreaterThan(0);
      expect(lostUpdates).toBe(0);
    });
  },
);

it('has no results if it is cut short before it begins', async () => {
  const results = await comparePmbenchFlows(LOAD, { signal: AbortSignal.abort() });
  expect(results).toEqual([]);
});
