import {
  type CopyManner,
  copyManners,
  migrationManners,
  type TunedChoice,
  type TunedSize,
  textOf,
  tuneParts,
} from 'mtcopy/experiments';
import { expect, it } from 'vitest';

const ratio = (median: number) => ({ median, low: median - 0.1, high: median + 0.1, confidence: 0.95, pairs: 9 });
const SURE = { ...ratio(1), low: 1, high: 1 };
const [alone, threads] = copyManners([2]);
const typed = { ...threads, method: 'typed-array' } as const;

/** What was chosen of two, of which it is so many times as fast as the first. */
function choice(first: CopyManner, chosen: CopyManner, median: number): TunedChoice<CopyManner> {
  const tried = [first, chosen].map((settings) => ({ settings, samplesNs: [1], ofFirst: ratio(median) }));
  return { chosen, fastest: chosen, ofFastest: SURE, ofFirst: ratio(median), alternatives: [], tried };
}

it('says of each choice how fast it is against what it was compared with: of the loop against the other loop', () => {
  const size: TunedSize = {
    ...{ load: 0, folioBytes: 4096, batchBytes: 65536 },
    copies: choice(alone, threads, 1.5),
    methods: choice(threads, typed, 1.2),
  };
  const lines = textOf(tuneParts({ sizes: [size] })).split('\n');
  expect(lines.slice(1, 5)).toEqual([
    'Copying: 2 threads, caller auto, dynamic',
    '  1.50 [1.40, 1.60] times as fast as calling thread alone',
    'Loop: typed-array',
    '  1.20 [1.10, 1.30] times as fast as auto',
  ]);
});

it('says what was fastest where that was not taken, and of migrations which stores', () => {
  const taken = {
    ...choice(alone, threads, 1.5),
    fastest: typed,
    ofFastest: { ...ratio(0.99), low: 0.97, high: 1.01 },
  };
  const [kernel] = migrationManners([2]);
  const cached = { ...kernel, stores: 'cached' } as const;
  const both = [kernel, cached].map((settings) => ({ settings, samplesNs: [1], ofFirst: ratio(1.3) }));
  const stores = {
    chosen: cached,
    fastest: cached,
    ofFastest: SURE,
    ofFirst: ratio(1.3),
    alternatives: [],
    tried: both,
  };
  const size: TunedSize = { ...{ load: 0, folioBytes: 4096, batchBytes: 65536 }, copies: taken, stores };
  const text = textOf(tuneParts({ sizes: [size] })).replaceAll(/\s+/g, ' ');
  expect(text).toContain(
    'within the noise, 0.99 [0.97, 1.01] times as fast as what was fastest: 2 threads, caller auto, dynamic typed-array Stores',
  );
  expect(text).toContain('Stores: cached 1.30 [1.20, 1.40] times as fast as auto');
});

/** A size of which one alternative has that ratio to what was chosen. */
function sizeWith(low: number, high: number): TunedSize {
  const alternative = { setting: 'threads', chosen: '2', instead: 'none', ratio: { ...ratio(0.9), low, high } };
  const copies = { ...choice(alone, threads, 1.5), alternatives: [alternative] };
  return { load: 0, folioBytes: 4096, batchBytes: 65536, copies };
}

it.each([
  { low: 0.2, high: 7, noisy: true },
  { low: 0.2, high: 0.98, noisy: false },
  { low: 0.85, high: 1.1, noisy: false },
])('says that little is known where something else may be much faster: $low to $high', ({ low, high, noisy }) => {
  expect(textOf(tuneParts({ sizes: [sizeWith(low, high)] })).includes('Little is known')).toBe(noisy);
});

it('says the same of what JSON gives back', () => {
  const sizes = [sizeWith(0.2, 7), { ...sizeWith(0.9, 1.2), copies: choice(alone, alone, 1) }];
  const back = JSON.parse(JSON.stringify(sizes));
  expect(textOf(tuneParts({ sizes: back }))).toBe(textOf(tuneParts({ sizes })));
});
