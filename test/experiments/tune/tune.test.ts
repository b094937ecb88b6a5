import { checkProfile, hostDifferences, KiB, MiB, PhysicalMemory } from 'mtcopy';
import { type Tuned, textOf, tune, tuneParts } from 'mtcopy/experiments';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { errorOf } from '../../support/errors.js';
import { HAS_NATIVE } from '../../support/native.js';

const SMALL = { folioBytes: [64 * KiB], batchBytes: [128 * KiB], threads: [1], seconds: 0.001, quick: true } as const;

describe('tune', () => {
  let tuned: Tuned;
  const seen: string[] = [];
  beforeAll(async () => {
    tuned = await tune({ ...SMALL, load: 1 }, { onProgress: ({ what }) => seen.push(what) });
  });

  it('makes a profile of this machine, with each size idle and beside the load', () => {
    const profile = checkProfile(JSON.parse(JSON.stringify(tuned.profile)));
    expect(hostDifferences(profile)).toEqual([]);
    expect(profile.sizes).toMatchObject([
      { load: 0, folioBytes: 64 * KiB, batchBytes: 128 * KiB },
      { load: 1, folioBytes: 64 * KiB, batchBytes: 128 * KiB },
    ]);
    expect(profile.engine.threads).toBe(1);
    expect(profile.mtcopy).toMatch(/^\d+\.\d+\.\d+/);
  });

  it('has every measurement, of every way to copy and to migrate', () => {
    for (const { copies, migrations } of tuned.sizes) {
      expect(copies.tried).toHaveLength(11);
      expect(migrations?.tried.map(({ settings }) => settings.migrator).toSorted()).toEqual([
        ...['dcbm', 'dcbm', 'kernel', 'kernel', 'mtcopy', 'mtcopy', 'mtcopy', 'mtcopy'],
      ]);
      for (const { samplesNs, ofFirst } of [...copies.tried, ...(migrations?.tried ?? [])]) {
        expect(samplesNs.length).toBeGreaterThanOrEqual(6);
        expect(Math.min(...samplesNs)).toBeGreaterThan(0);
        expect(ofFirst.low).toBeLessThanOrEqual(ofFirst.median);
        expect(ofFirst.high).toBeGreaterThanOrEqual(ofFirst.median);
      }
      expect(copies.tried[0].ofFirst).toMatchObject({ median: 1, low: 1, high: 1 });
    }
  });

  it('has each loop that this machine has for what was chosen of copies, and its stores for what was of migrations', () => {
    for (const { copies, methods, migrations, stores } of tuned.sizes) {
      const loops = HAS_NATIVE ? ['auto', 'streaming', 'memory.copy', 'typed-array'] : ['auto', 'typed-array'];
      expect(methods?.tried.map(({ settings }) => settings)).toEqual(
        loops.map((method) => ({ ...copies.chosen, method })),
      );
      const kinds = HAS_NATIVE ? ['auto', 'cached', 'streaming'] : undefined;
      expect(stores?.tried.map(({ settings }) => settings)).toEqual(
        kinds?.map((one) => ({ ...migrations?.chosen, stores: one })),
      );
      for (const { samplesNs } of [...(methods?.tried ?? []), ...(stores?.tried ?? [])]) {
        expect(samplesNs.length).toBeGreaterThanOrEqual(6);
      }
    }
  });

  it('explains each choice with a ratio to what else there is', () => {
    for (const { copies, methods, migrations } of tuned.sizes) {
      const all = [copies, methods, migrations].flatMap((choice) => choice?.alternatives ?? []);
      const settings = all.map(({ setting }) => setting);
      expect(settings).toEqual(expect.arrayContaining(['threads', 'method', 'migrator']));
      for (const { chosen, instead, ratio } of all) {
        expect(chosen).not.toBe(instead);
        expect(ratio.pairs).toBeGreaterThanOrEqual(6);
      }
    }
  });

  it('says what runs, and what was found in at most 100 columns', () => {
    expect(seen[0]).toMatch(/^128K in folios of 64K, idle, copying: /);
    expect(seen.at(-1)).toMatch(/^128K in folios of 64K, beside 1 busy process, migrating: /);
    const text = textOf(tuneParts(tuned));
    expect(text).toContain('Chosen over all sizes, idle, by the rounds of all of them together:');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });
});

it('takes the seed of what it fills, and the rounds that do not count', async () => {
  const alloc = vi.spyOn(PhysicalMemory.prototype, 'allocFolios');
  try {
    const names: string[] = [];
    await tune({ ...SMALL, seed: 40, warmUps: 3 }, { onProgress: ({ what }) => names.push(what) });
    // The time is over by then.
    const last = names.filter((name) => name.endsWith('dcbm×2, pre-copy'));
    expect(last.length).toBe(3 + 6);
    const seeds = alloc.mock.calls.flatMap(([, , how]) => (how?.frames === 'shuffled' ? [how.seed] : []));
    expect(new Set(seeds)).toEqual(new Set([40, 41]));
  } finally {
    alloc.mockRestore();
  }
});

describe('tune that is cut short', () => {
  it.each([
    ['before anything was measured', 1, 0],
    ['while copies are measured', 40, 1],
  ])('%s has no profile, and what was measured by then', async (_, runs, sizes) => {
    const controller = new AbortController();
    let begun = 0;
    const onProgress = () => {
      if (++begun === runs) controller.abort();
    };
    const tuned = await tune(SMALL, { signal: controller.signal, onProgress });
    expect(tuned).not.toHaveProperty('profile');
    expect(tuned.sizes).toHaveLength(sizes);
    expect(begun).toBe(runs);
    for (const size of tuned.sizes) {
      expect(size).not.toHaveProperty('migrations');
      expect(size.copies.tried[0].samplesNs.length).toBeGreaterThan(0);
    }
    expect(textOf(tuneParts(tuned))).not.toContain('Chosen over all sizes');
  });
});

describe('tune refuses', () => {
  it.each([
    [{ folioBytes: [5000] }, 'folio size: must be a power of two'],
    [{ folioBytes: [] }, 'folioBytes: must be a list'],
    [{ batchBytes: [MiB], folioBytes: [2 * MiB] }, 'batchBytes: must be whole folios of 2M, got 1M'],
    [{ load: 0 }, 'load: must be a whole number, 1 or more'],
    [{ threads: [65] }, 'threads: must be'],
    [{ seconds: 0 }, 'seconds: must be a number above 0'],
    [{ seed: -1 }, 'seed: must be a whole number'],
    [{ warmUps: 0.5 }, 'warmUps: must be a whole number'],
    [{ fast: true }, "got 'fast'"],
  ])('%o', async (options, message) => {
    expect(await errorOf(() => tune(options as never))).toMatchObject({
      code: 'EINVAL',
      message: expect.stringContaining(message),
    });
  });

  it('batches for which there is no memory, before it measures any', async () => {
    const seen: string[] = [];
    const control = { onProgress: ({ what }: { what: string }) => seen.push(what) };
    const options = { ...SMALL, batchBytes: [128 * KiB, 3 * 1024 * MiB] };
    expect(await errorOf(() => tune(options, control))).toMatchObject({ code: 'ENOMEM' });
    expect(seen).toEqual([]);
  });
});
