import { type AddressSpace, type Area, Machine } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { program, sharedWord, untilCounted } from '../support/programs.js';

const byteAt = async (mm: AddressSpace, address: number) => (await mm.read(address, 1))[0];

/** Expects all of an area that somebody has since mapped to be as it was. */
async function expectUntouched({ mm, address, length }: Area): Promise<void> {
  expect((await mm.read(address, length)).findIndex((byte) => byte !== 0)).toBe(-1);
}

describe('a value whose conversion answers interrupts', () => {
  it.each(['store8', 'store16', 'store32', 'idle'])('is stored where its page is by then: %s', async (operation) => {
    await using machine = await Machine.boot({ nodes: ['4M', '4M'], pcpHigh: 0 });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '4K', populate: true });
    const [ready, flag] = [sharedWord(), sharedWord()];
    const args = { operation, address: area.address, ready, flag };
    const running = machine.cpus.run(mm, program('converts'), { args });
    await untilCounted(ready, 1);
    await machine.movePages(mm, area.pages(), { node: 1 });
    // Somebody else has the frame that it was in, as every other one of that node.
    const other = machine.createAddressSpace().mmap({ length: '4M', populate: true });
    Atomics.store(flag, 0, 1);
    await running;
    await expectUntouched(other);
    expect(await byteAt(mm, area.address)).toBe(7);
  });
});
