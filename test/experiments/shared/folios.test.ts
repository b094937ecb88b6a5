import { PhysicalMemory } from 'mtcopy';
import { allocFolioBatch } from 'mtcopy/experiments';
import { expect, it } from 'vitest';
import { errno } from '../../support/errors.js';

const free = ({ nodes }: PhysicalMemory) => nodes.map(({ freePages }) => freePages);

it('a batch of folios takes them from node 0 and node 1, and gives them back', () => {
  const memory = PhysicalMemory.create({ nodes: ['8M', '8M'] });
  const before = free(memory);
  const batch = allocFolioBatch(memory, 4 * 2 ** 20, 65536, 'shuffled');
  expect([batch.to.length, batch.total, free(memory)]).toEqual([64, 4 * 2 ** 20, [1024, 1024]]);
  batch.free();
  expect(free(memory)).toEqual(before);
});

it('a batch that node 1 has no room for leaves nothing taken of node 0', () => {
  const memory = PhysicalMemory.create({ nodes: ['8M', '4M'] });
  const before = free(memory);
  expect(() => allocFolioBatch(memory, 8 * 2 ** 20, 65536, 'sequential')).toThrow(errno('ENOMEM'));
  expect(free(memory)).toEqual(before);
});
