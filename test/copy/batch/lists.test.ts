import { KiB, MiB } from 'mtcopy';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Lists, openLists } from '#src/copy/batch/lists.js';

const SMALL = 16 * KiB - 1;
const LONG = 16 * KiB;

const buffersOf = (lists: Lists, counts: readonly number[]) => counts.map((count) => lists.words(count).buffer);

describe('the arrays of a call', () => {
  // Whatever is kept already is larger than what a test asks for, and lost.
  beforeEach(() => {
    const lists = openLists();
    lists.words(4 * MiB);
    lists.release();
    openLists().words(4 * MiB);
  });

  it('have as many words or doubles as were asked for', () => {
    const lists = openLists();
    expect([0, SMALL, LONG, LONG + 5].map((count) => lists.words(count).length)).toEqual([0, SMALL, LONG, LONG + 5]);
    expect([0, SMALL, LONG, LONG + 5].map((count) => lists.doubles(count).length)).toEqual([0, SMALL, LONG, LONG + 5]);
    lists.release();
    expect(openLists().words(LONG - 100).length).toBe(LONG - 100);
    expect(openLists().doubles(LONG / 2 + 1).length).toBe(LONG / 2 + 1);
  });

  it('are given again once they are released, the smallest that have room, and not before', () => {
    const first = openLists();
    const [one, other] = buffersOf(first, [LONG, 3 * LONG]);
    const meanwhile = buffersOf(openLists(), [LONG, LONG]);
    expect(new Set([one, other, ...meanwhile]).size).toBe(4);
    first.release();
    const second = openLists();
    expect(second.words(2 * LONG).buffer).toBe(other);
    expect(second.words(LONG).buffer).toBe(one);
    expect([one, other]).not.toContain(second.words(LONG).buffer);
  });

  it('are given once each, however often they are released', () => {
    const first = openLists();
    const [one] = buffersOf(first, [LONG]);
    first.release();
    first.release();
    expect(openLists().words(LONG).buffer).toBe(one);
    expect(openLists().words(LONG).buffer).not.toBe(one);
  });

  it('are not kept if they are short', () => {
    const lists = openLists();
    const [short] = buffersOf(lists, [SMALL]);
    lists.release();
    expect(openLists().words(SMALL).buffer).not.toBe(short);
  });

  it('are not kept if they are longer than all that is kept, which stays', () => {
    const first = openLists();
    const [one] = buffersOf(first, [LONG]);
    first.release();
    const second = openLists();
    const [huge] = buffersOf(second, [4 * MiB + 1]);
    second.release();
    expect(openLists().words(LONG).buffer).toBe(one);
    expect(openLists().words(4 * MiB + 1).buffer).not.toBe(huge);
  });

  it('are kept up to 16 MiB, those released last', () => {
    const lists = openLists();
    const released = buffersOf(lists, [MiB, MiB, MiB, MiB, MiB]);
    lists.release();
    const again = buffersOf(openLists(), [MiB, MiB, MiB, MiB, MiB]);
    expect(released.map((buffer) => again.includes(buffer))).toEqual([false, true, true, true, true]);
  });
});
