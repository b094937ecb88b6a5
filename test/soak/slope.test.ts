import { expect, it } from 'vitest';

type Sample = { readonly seconds: number; readonly bytes: number };
const { slopeOf } = (await import(new URL('./slope.mjs', import.meta.url).href)) as {
  slopeOf(samples: readonly Sample[]): number;
};

const samplesOf = (bytes: readonly number[]) => bytes.map((one, i) => ({ seconds: 2 * i, bytes: one }));

it('memory that grows is found to, by its bytes a second, whatever a few samples say', () => {
  expect(slopeOf(samplesOf([10, 30, 50, 70, 90]))).toBe(10);
  expect(slopeOf(samplesOf([10, 30, 900, 70, 90, 110, 3]))).toBe(10);
});

it('memory that only breathes is flat', () => {
  expect(slopeOf(samplesOf([50, 52, 50, 52, 50, 52, 50]))).toBe(0);
  expect(slopeOf(samplesOf([7]))).toBe(0);
});
