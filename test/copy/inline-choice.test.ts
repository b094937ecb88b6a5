import { MiB } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { fixedChoice, type InlineChoice, measuredChoice } from '#src/copy/inline-choice.js';

/** Makes calls of `bytes` that take so many nanoseconds each way; returns which were inline. */
function call(choice: InlineChoice, bytes: number, calls: number, inlineNs: number, parallelNs: number): boolean[] {
  return Array.from({ length: calls }, () => {
    const isInline = choice.isInline(bytes);
    choice.record(bytes, isInline, isInline ? inlineNs : parallelNs);
    return isInline;
  });
}

const share = (answers: boolean[]) => answers.filter(Boolean).length / answers.length;

describe('the choice between inline and parallel', () => {
  it('is fixed by a size that was given', () => {
    const choice = fixedChoice(MiB);
    expect([0, MiB - 1, MiB, 64 * MiB].map((bytes) => choice.isInline(bytes))).toEqual([true, true, false, false]);
    expect(fixedChoice(Number.POSITIVE_INFINITY).isInline(2 ** 40)).toBe(true);
  });

  it('is not measured where the answer is known', () => {
    const choice = measuredChoice();
    expect(call(choice, 2 * MiB - 1, 50, 1000, 1)).not.toContain(false);
    expect(call(choice, 32 * MiB + 1, 50, 1, 1000)).not.toContain(true);
  });

  it.each([2, 4, 8, 16, 32])('takes the faster way for %d MiB, and now and then tries the other', (size) => {
    const parallelGains = call(measuredChoice(), size * MiB, 600, 1000, 600);
    const inlineGains = call(measuredChoice(), size * MiB, 600, 600, 1000);
    expect(share(parallelGains)).toBeLessThan(0.03);
    expect(share(inlineGains)).toBeGreaterThan(0.97);
    expect(parallelGains.slice(10)).toContain(true);
    expect(inlineGains.slice(10)).toContain(false);
  });

  it('follows the machine when it changes', () => {
    const choice = measuredChoice();
    call(choice, 8 * MiB, 100, 1000, 950);
    expect(share(call(choice, 8 * MiB, 100, 1000, 900))).toBeLessThan(0.1);
    call(choice, 8 * MiB, 600, 800, 1600);
    expect(share(call(choice, 8 * MiB, 100, 800, 1600))).toBeGreaterThan(0.9);
  });

  it('is not misled by one slow call', () => {
    const choice = measuredChoice();
    choice.record(8 * MiB, false, 1e9);
    expect(share(call(choice, 8 * MiB, 300, 1000, 600).slice(6))).toBeLessThan(0.05);
  });

  it('learns for each power of two by itself, and nothing from calls that shared the engine', () => {
    const choice = measuredChoice();
    call(choice, 4 * MiB, 100, 600, 1000);
    call(choice, 8 * MiB, 100, 1000, 600);
    expect([choice.isInline(4.1 * MiB), choice.isInline(15 * MiB)]).toEqual([true, false]);
    for (let i = 0; i < 10; i++) choice.record(4 * MiB, true, undefined);
    expect(share(call(choice, 4 * MiB, 100, 600, 1000))).toBeGreaterThan(0.9);
  });
});
