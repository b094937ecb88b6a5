import { Machine } from 'mtcopy';
import { expect, it } from 'vitest';
import { program } from '../support/programs.js';

it('whatever a program gives its CPU is an error with a code, and the CPU goes on', async () => {
  await using machine = await Machine.boot({ nodes: ['16M'], cpus: 1 });
  const { mm, address, length } = machine.createAddressSpace().mmap({ length: '4K', populate: true });
  await mm.write(address, new Uint8Array(length).fill(9));
  const seen = await machine.cpus.run(mm, program('hostile'), { args: { address } });
  expect(seen).toEqual({ wrong: [], failed: expect.any(Number), still: 9 });
  expect((seen as { failed: number }).failed).toBeGreaterThan(100);
});
