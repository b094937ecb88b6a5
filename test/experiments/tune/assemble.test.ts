import { checkProfile, KiB, MiB, profileHost } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { assembleProfile, type SizeMeasured } from '../../../src/experiments/tune/assemble.js';
import { copyManners } from '../../../src/experiments/tune/copies.js';
import { migrationManners, migrationStores } from '../../../src/experiments/tune/migrations.js';

const FACTS = { mtcopy: '0.1.0', date: '2026-11-22T03:33:13.000Z', host: profileHost() };
/** Rounds of one who is so many times as fast as others, all alike: no difference is within the noise. */
const rounds = (speed: number) => [[100, 101, 99, 100, 102, 98].map((ns) => ns / speed)];

interface Speeds {
  /** Of threads, against the calling thread alone. */
  readonly threads?: number;
  readonly mtcopy?: number;
  readonly dcbm?: number;
  readonly typedArray?: number;
  readonly streaming?: number;
  readonly cached?: number;
  /** Of a machine's stores that go past the caches. */
  readonly streamingMigration?: number;
  /** The number that is fastest. */
  readonly best?: number;
}

function size(load: number, folioBytes: number, batchBytes: number, speeds: Speeds = {}): SizeMeasured {
  const {
    threads = 1,
    mtcopy = 1,
    dcbm = 1,
    typedArray = 0.5,
    streaming = 1,
    cached = 1,
    streamingMigration = 1,
    best = 2,
  } = speeds;
  const copies = copyManners([1, 2, 4]).map((settings) => {
    const bonus = settings.threads === best && settings.schedule === 'static' ? 1.1 : 1;
    return { settings, samplesNs: rounds(settings.threads === 0 ? 1 : threads * bonus) };
  });
  const [{ settings }] = copies;
  const methods = [
    { settings, samplesNs: rounds(1) },
    { settings: { ...settings, method: 'streaming' as const }, samplesNs: rounds(streaming) },
    { settings: { ...settings, method: 'memory.copy' as const }, samplesNs: rounds(cached) },
    { settings: { ...settings, method: 'typed-array' as const }, samplesNs: rounds(typedArray) },
  ];
  const migrations = migrationManners([1, 2, 4]).map((one) => {
    const bonus = one.threads === best && one.caller === 'helps' ? 1.1 : 1;
    const speed = { kernel: 1, mtcopy: mtcopy * bonus, dcbm: dcbm * (one.channels === 2 ? 1.1 : 1) }[one.migrator];
    return { settings: one, samplesNs: rounds(speed) };
  });
  const stores = migrationStores(migrations[0].settings).map((one) => ({
    settings: one,
    samplesNs: rounds(one.stores === 'streaming' ? streamingMigration : 1),
  }));
  return { load, folioBytes, batchBytes, copies, methods, migrations, stores };
}

const GAINS = { threads: 1.5, mtcopy: 1.4 };
const LOSES = { threads: 0.5, mtcopy: 0.6, dcbm: 0.5 };
const assemble = (...sizes: SizeMeasured[]) => checkProfile(assembleProfile(sizes, FACTS));

describe('the profile that measurements come to', () => {
  it('has threads for batches from the size on from which they gain', () => {
    const { engine, machine, sizes } = assemble(
      size(0, 4 * KiB, 2 * MiB, LOSES),
      size(0, 4 * KiB, 8 * MiB, GAINS),
      size(0, 4 * KiB, 32 * MiB, GAINS),
    );
    expect(engine).toEqual({
      threads: 2,
      schedule: 'static',
      distribution: 'folios',
      unitBytes: 'auto',
      caller: 'auto',
      minParallelBytes: 8 * MiB,
      method: 'auto',
      stores: 'auto',
    });
    expect(machine).toMatchObject({ migrator: 'mtcopy', flow: 'pre-copy', threads: 2, minBytes: 8 * MiB });
    expect(sizes.map((one) => one.engine.minParallelBytes)).toEqual([8 * MiB, 8 * MiB, 8 * MiB]);
    expect(sizes.map((one) => one.machine.migrator)).toEqual(['kernel', 'mtcopy', 'mtcopy']);
  });

  it('leaves all to the calling thread where threads gain nothing', () => {
    const { engine, machine } = assemble(size(0, 4 * KiB, 2 * MiB, LOSES), size(0, 4 * KiB, 32 * MiB, LOSES));
    expect(engine.minParallelBytes).toBe('never');
    expect(machine).toMatchObject({ migrator: 'kernel', flow: 'vanilla', minBytes: 512 * KiB });
  });

  it('says what is best for one size, whatever larger ones need', () => {
    const { engine, machine, sizes } = assemble(size(0, 4 * KiB, 2 * MiB, GAINS), size(0, 4 * KiB, 32 * MiB, LOSES));
    expect(engine.minParallelBytes).toBe('never');
    expect(machine.migrator).toBe('kernel');
    expect(sizes[0].engine.minParallelBytes).toBe(2 * MiB);
    expect(sizes[0].machine).toMatchObject({ migrator: 'mtcopy', minBytes: 2 * MiB });
    expect(sizes[1].engine.minParallelBytes).toBe('never');
  });

  it('goes by idle runs, and has those beside a load among its sizes', () => {
    const { engine, sizes } = assemble(
      size(0, 4 * KiB, 2 * MiB, { ...GAINS, best: 4 }),
      size(3, 4 * KiB, 2 * MiB, { ...LOSES, best: 1 }),
    );
    expect(engine).toMatchObject({ threads: 4, minParallelBytes: 2 * MiB });
    expect(sizes.map(({ load }) => load)).toEqual([0, 3]);
    expect(sizes[1].engine).toMatchObject({ threads: 1, minParallelBytes: 'never' });
  });

  it('has the channels and the loop that are fastest', () => {
    const { engine, machine } = assemble(size(0, 2 * MiB, 2 * MiB, { dcbm: 2, typedArray: 1.2 }));
    expect(machine).toMatchObject({ migrator: 'dcbm', channels: 2, minBytes: 2 * MiB });
    expect(engine.method).toBe('typed-array');
  });

  it('says by which stores what the fastest loop does, so that an engine takes it wherever it can', () => {
    const loop = (speeds: Speeds) => {
      const { engine, sizes } = assemble(size(0, 2 * MiB, 2 * MiB, speeds));
      expect(sizes[0].engine).toMatchObject({ method: engine.method, stores: engine.stores });
      return [engine.method, engine.stores];
    };
    expect(loop({})).toEqual(['auto', 'auto']);
    expect(loop({ streaming: 1.2 })).toEqual(['auto', 'streaming']);
    expect(loop({ cached: 1.2 })).toEqual(['auto', 'cached']);
    expect(loop({ typedArray: 1.2 })).toEqual(['typed-array', 'auto']);
    // Not more than within the noise.
    expect(loop({ streaming: 1.01, cached: 1.005 })).toEqual(['auto', 'streaming']);
  });

  it('has the stores of a machine that are fastest, over all sizes, and auto where they are all alike', () => {
    const { machine, sizes } = assemble(
      size(0, 4 * KiB, 2 * MiB, { ...GAINS, streamingMigration: 1.5 }),
      size(0, 4 * KiB, 32 * MiB, { ...LOSES, streamingMigration: 0.9 }),
    );
    expect([machine.stores, ...sizes.map((one) => one.machine.stores)]).toEqual(['streaming', 'streaming', 'auto']);
    expect(assemble(size(0, 4 * KiB, 2 * MiB)).machine.stores).toBe('auto');
    expect(assemble({ ...size(0, 4 * KiB, 2 * MiB), stores: [] }).machine.stores).toBe('auto');
  });
});
