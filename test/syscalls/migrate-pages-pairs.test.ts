import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodePairs } from '#src/syscalls/migrate-pages.js';

describe('nodePairs', () => {
  // The manual's and the kernel's own examples among them.
  it.each<[string, number[], number[], [number, number][]]>([
    ['one to one', [0], [1], [[0, 1]]],
    ['a node to itself: nothing', [1], [1], []],
    ['the same set: nothing', [0, 1], [0, 1], []],
    ['no nodes', [], [0], []],
    [
      'several to one',
      [0, 1, 2],
      [3],
      [
        [0, 3],
        [1, 3],
        [2, 3],
      ],
    ],
    [
      'several to one of them: that one stays',
      [0, 1, 2],
      [1],
      [
        [0, 1],
        [2, 1],
      ],
    ],
    [
      'pairs in order of their numbers',
      [0, 1],
      [2, 3],
      [
        [0, 2],
        [1, 3],
      ],
    ],
    [
      'one up: from the top, so that nothing moves twice',
      [2, 3, 4],
      [3, 4, 5],
      [
        [4, 5],
        [3, 4],
        [2, 3],
      ],
    ],
    [
      'one down: from the bottom',
      [1, 2, 3],
      [0, 1, 2],
      [
        [1, 0],
        [2, 1],
        [3, 2],
      ],
    ],
    [
      'more to fewer: those on a target stay',
      [0, 1, 2, 3, 4, 5, 6, 7],
      [3, 4, 5],
      [
        [0, 3],
        [1, 4],
        [2, 5],
        [6, 3],
        [7, 4],
      ],
    ],
    ['fewer to more: the first of them only', [0], [2, 3], [[0, 2]]],
    ['fewer to more, one of them: that one stays', [0, 2], [1, 2, 3], [[0, 1]]],
  ])('%s', (_, from, to, pairs) => {
    expect(nodePairs(from, to)).toEqual(pairs);
  });

  const set = (minLength: number) =>
    fc.uniqueArray(fc.nat(20), { minLength, maxLength: 12 }).map((nodes) => nodes.sort((a, b) => a - b));

  it('takes every source once at most, and to the node in the same relative position', () => {
    const test = (from: number[], to: number[]) => {
      const pairs = nodePairs(from, to);
      expect(new Set(pairs.map(([source]) => source)).size).toBe(pairs.length);
      for (const [source, target] of pairs) {
        expect(target).toBe(to[from.indexOf(source) % to.length]);
        expect(target).not.toBe(source);
      }
    };
    fc.assert(fc.property(set(0), set(1), test), { numRuns: 2000 });
  });

  it('leaves out exactly the sources that are to stay', () => {
    const test = (from: number[], to: number[]) => {
      const left = from.filter((node) => !nodePairs(from, to).some(([source]) => source === node));
      const stays = from.filter((node, i) =>
        from.length === to.length ? to[i] === node : to.includes(node) || to[i % to.length] === node,
      );
      expect(left).toEqual(stays);
    };
    fc.assert(fc.property(set(0), set(1), test), { numRuns: 2000 });
  });

  it('empties no node into one that is still to be emptied: pages move once', () => {
    const test = (from: number[], to: number[]) => {
      const pairs = nodePairs(from, to);
      pairs.forEach(([, target], i) => {
        expect(pairs.slice(i + 1).map(([source]) => source)).not.toContain(target);
      });
    };
    fc.assert(fc.property(set(0), set(1), test), { numRuns: 2000 });
  });

  it('gets round a cycle, which sets in ascending order never have, by breaking it once', () => {
    const anyOrder = (length: number) =>
      fc.shuffledSubarray([...Array(10).keys()], { minLength: length, maxLength: length });
    const test = ([from, to]: [number[], number[]]) => {
      const pairs = nodePairs(from, to);
      expect(pairs).toHaveLength(from.filter((node, i) => to[i] !== node).length);
      const early = pairs.filter(([, target], i) => pairs.slice(i + 1).some(([source]) => source === target));
      expect(early.length).toBe(countCycles(new Map(pairs)));
    };
    const sets = fc.integer({ min: 1, max: 10 }).chain((length) => fc.tuple(anyOrder(length), anyOrder(length)));
    fc.assert(fc.property(sets, test), { numRuns: 2000 });
  });
});

function countCycles(targetOf: Map<number, number>): number {
  const done = new Set<number>();
  let cycles = 0;
  for (const start of targetOf.keys()) {
    const path = new Set<number>();
    let node: number | undefined = start;
    while (node !== undefined && !done.has(node) && !path.has(node)) {
      path.add(node);
      node = targetOf.get(node);
    }
    if (node !== undefined && path.has(node)) cycles++;
    for (const passed of path) done.add(passed);
  }
  return cycles;
}
