import { MIN_ROUNDS, runInTurns, type Variant } from 'mtcopy/experiments';
import { afterEach, expect, it, vi } from 'vitest';

afterEach(() => {
  vi.restoreAllMocks();
});

/** Variants whose runs give what `samples` has for each round, its last again and again; and the order of their runs. */
function createVariants(samples: Readonly<Record<string, readonly number[]>>) {
  const order: string[] = [];
  const variants: Variant<number>[] = Object.entries(samples).map(([name, list]) => {
    let runs = 0;
    return {
      name,
      run: async () => {
        order.push(name);
        return list[Math.min(runs++, list.length - 1)] as number;
      },
    };
  });
  return { order, variants };
}

/** Each run of a variant takes a second, of a clock that nothing else moves. */
function mockClock() {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  return (ms: number) => {
    now += ms;
  };
}

const itself = (sample: number) => sample;
const endless = { warmUps: 0, seconds: 1e9, bound: 0.01 };

it('goes A B B A, and begins so after any number of warm-ups', async () => {
  for (const warmUps of [0, 1, 2, 3]) {
    const { order, variants } = createVariants({ A: [1], B: [2] });
    await runInTurns(variants, itself, { ...endless, warmUps });
    expect(order.slice(2 * warmUps).join(' ')).toBe('A B B A A B B A A B B A');
  }
});

it('takes three and more backwards too', async () => {
  const { order, variants } = createVariants({ A: [1], B: [2], C: [3] });
  await runInTurns(variants, itself, endless);
  expect(order.slice(0, 12).join(' ')).toBe('A B C C B A A B C C B A');
});

it('counts no warm-up', async () => {
  const { variants } = createVariants({ A: [100, 100, 1], B: [900, 900, 2] });
  const samples = await runInTurns(variants, itself, { ...endless, warmUps: 2 });
  expect(samples).toEqual([new Array(MIN_ROUNDS).fill(1), new Array(MIN_ROUNDS).fill(2)]);
});

it('puts samples that were measured side by side at the same position', async () => {
  const rising = Array.from({ length: 1000 }, (_, i) => i + 1);
  const { variants } = createVariants({ A: rising, B: rising.map((value) => 3 * value) });
  const [a, b] = (await runInTurns(variants, itself, endless)) as [number[], number[]];
  expect(b.map((value, i) => value / (a[i] as number))).toEqual(new Array(MIN_ROUNDS).fill(3));
});

it('goes on until every interval is narrow, and ends with a whole block', async () => {
  // Alike from the seventh round on.
  const { order, variants } = createVariants({ A: [1], B: [1, 2, 1, 2, 1, 2, 1], C: [1] });
  const samples = await runInTurns(variants, itself, endless);
  const rounds = samples[0]?.length as number;
  expect(rounds).toBeGreaterThan(MIN_ROUNDS);
  expect(rounds % 2).toBe(0);
  expect(samples.map((list) => list.length)).toEqual([rounds, rounds, rounds]);
  expect(order).toHaveLength(3 * rounds);
});

it.each([
  [1, 6],
  [13, 8],
  [16, 8],
  [17, 10],
])('ends after %i seconds with %i rounds, of two runs that take a second each', async (seconds, rounds) => {
  const pass = mockClock();
  const { variants } = createVariants({ A: [1], B: Array.from({ length: 100 }, (_, i) => 1 + (i % 7)) });
  const slow = variants.map(({ name, run }) => ({
    name,
    run: async () => {
      pass(1000);
      return run();
    },
  }));
  const samples = await runInTurns(slow, itself, { warmUps: 0, seconds, bound: 0.0001 });
  expect(samples.map((list) => list.length)).toEqual([rounds, rounds]);
});

it.each([0, 1, 2, 3, 4, 5, 9])('aborted in run %i, it has whole rounds only', async (last) => {
  const abort = new AbortController();
  const { order, variants } = createVariants({ A: [1], B: [2] });
  const aborting = variants.map(({ name, run }) => ({
    name,
    run: async () => {
      if (order.length === last) abort.abort();
      return run();
    },
  }));
  const control = { signal: abort.signal };
  const samples = await runInTurns(aborting, itself, endless, control);
  // The run at hand is made to its end, and none after it.
  expect(order).toHaveLength(last + 1);
  const rounds = Math.floor((last + 1) / 2);
  expect(samples).toEqual([new Array(rounds).fill(1), new Array(rounds).fill(2)]);
});

it('aborted before it begins, it runs nothing', async () => {
  const { order, variants } = createVariants({ A: [1], B: [2] });
  const samples = await runInTurns(variants, itself, { ...endless, warmUps: 3 }, { signal: AbortSignal.abort() });
  expect([samples, order]).toEqual([[[], []], []]);
});

it('tells of each run before it begins, warm-ups too, and never of more than there are', async () => {
  const { order, variants } = createVariants({ A: [1], B: [1, 2, 1, 2, 1, 2, 1] });
  const seen: [number, number, string, number][] = [];
  const onProgress = (progress: { done: number; runs: number; what: string }) =>
    seen.push([progress.done, progress.runs, progress.what, order.length]);
  await runInTurns(variants, itself, { ...endless, warmUps: 1 }, { onProgress });
  expect(seen.map(([done]) => done)).toEqual(order.map((_, i) => i));
  expect(seen.map(([, , what]) => what)).toEqual(order);
  expect(seen.every(([done, runs, , begun]) => done < runs && begun === done)).toBe(true);
  expect(seen.at(-1)?.[1]).toBe(order.length);
});

it('hands on what a run throws', async () => {
  const failing = [{ name: 'A', run: () => Promise.reject(new Error('wrong byte')) }];
  await expect(runInTurns(failing, itself, endless)).rejects.toThrow('wrong byte');
});
