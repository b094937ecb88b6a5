import { MiB } from 'mtcopy';
import { bytesThatFit, EXPERIMENTS, type Experiment, textOf } from 'mtcopy/experiments';
import { describe, expect, it } from 'vitest';

const ALL = 16 * 6;
const fits = (seconds: number, warmUpsOf: (bytes: number) => number = () => 0) =>
  bytesThatFit({ bytes: 16 * MiB, seconds, leastSeconds: 1, warmUpsOf }) / MiB;

describe('the bytes that fit', () => {
  it('are those that there is time for six rounds of, a sixteenth at least', () => {
    expect([1e9, ALL, ALL - 0.1, ALL / 2, ALL / 4, ALL / 8, ALL / 16, 1e-9].map((seconds) => fits(seconds))).toEqual([
      16, 16, 8, 8, 4, 2, 1, 1,
    ]);
  });

  it('are fewer where more rounds of them do not count', () => {
    expect(fits(ALL, () => 6)).toBe(8);
    expect(fits(ALL, () => 18)).toBe(4);
    // Of less memory there are more of them.
    expect(fits(ALL, (bytes) => (bytes > 8 * MiB ? 1 : 6))).toBe(8);
  });
});

/** Mebibytes that a table moves of 64, where there is time, and where there is none. */
const SCALE = { quick: false, bytes: 64 * MiB, bound: 1, warmUps: 0 };
const TABLES = [
  // Of single pages 4 MiB aren't published, nor two folios of 2 MiB.
  { name: 'cycles-per-page', bytes: 64, usual: 64, least: 2 },
  { name: 'overheads', bytes: 64, usual: 64, least: 4 },
  { name: 'folio-count', bytes: 64, usual: 64, least: 2 },
  { name: 'breakdown', bytes: 8, usual: 8, least: 0.5 },
  { name: 'dma-setup', bytes: 64, usual: 16, least: 1 },
  { name: 'flows', bytes: 64, usual: 16, least: 1 },
  { name: 'batch-limit', bytes: 64, usual: 16, least: 2 },
] as const;

describe.each(TABLES)('$name', ({ name, bytes, usual, least }) => {
  const { measure } = EXPERIMENTS[name] as Experiment<object, never>;

  it.each([
    ['all of it where there is time', 1e9, usual],
    ['less where six rounds of it would not fit', 1e-9, least],
  ])('moves %s, as it finds out', async (_, seconds, moved) => {
    const ending = new AbortController();
    const onProgress = ({ what }: { what: string }) => {
      if (!what.startsWith('how much')) ending.abort();
    };
    const measured = await measure({ ...SCALE, bytes: bytes * MiB, seconds }, { onProgress, signal: ending.signal });
    const { throughput = measured } = (measured as { amounts?: { throughput: object } }).amounts ?? {};
    expect(throughput).toMatchObject({ bytes: moved * MiB, usualBytes: usual * MiB });
  });
});

it('what is less is said below the table', async () => {
  for (const name of ['cycles-per-page', 'overheads', 'folio-count', 'flows', 'batch-limit'] as const) {
    const { parts, measure } = EXPERIMENTS[name] as Experiment<object, never>;
    const nothing = await measure({ ...SCALE, seconds: 1 }, { signal: AbortSignal.abort() });
    const textOfBytes = (bytes: number) => textOf(parts({ ...nothing, bytes, usualBytes: 64 * MiB }));
    const said = 'Not 64M: there was no time for six rounds of so much.';
    expect(
      [64 * MiB, 32 * MiB].map((bytes) => textOfBytes(bytes).includes(said)),
      name,
    ).toEqual([false, true]);
  }
});
