import { type Flow, Machine } from 'mtcopy';
import { expect, it } from 'vitest';
import { isSame } from '../support/bytes.js';

const PAGES = 16;

/** Runs a function some microtasks later. */
async function after<T>(turns: number, run: () => Promise<T>): Promise<T> {
  for (let i = 0; i < turns; i++) await undefined;
  return run();
}

it.each<Flow>(['serial', 'vanilla', 'batch-move', 'pre-copy'])('mm.write loses nothing: %s', async (flow) => {
  await using machine = await Machine.boot({ nodes: ['16M', '16M'], flow, pcpHigh: 0 });
  const mm = machine.createAddressSpace();
  const area = mm.mmap({ length: PAGES * 4096, populate: true });
  let written = 0;
  for (let turns = 0; turns < 24; turns++) {
    for (let node = 0; node < 2; node++) {
      const bytes = new Uint8Array(area.length).fill(1 + turns * 2 + node);
      const move = machine.movePages(mm, area.pages(), { node: 1 - node });
      await Promise.all([move, after(turns, () => mm.write(area.address, bytes))]);
      expect(isSame(await mm.read(area.address, area.length), bytes)).toBe(true);
      written += PAGES;
    }
  }
  console.log(`${flow}: ${written} pages written while they moved`);
});

it.each<Flow>(['serial', 'vanilla', 'batch-move', 'pre-copy'])('mm.read sees every byte: %s', async (flow) => {
  await using machine = await Machine.boot({ nodes: ['16M', '16M'], flow, pcpHigh: 0 });
  const mm = machine.createAddressSpace();
  const area = mm.mmap({ length: PAGES * 4096, populate: true });
  const bytes = new Uint8Array(area.length).map((_, i) => i * 7 + (i >> 12));
  await mm.write(area.address, bytes);
  // What is freed is written over, so that a frame that was left behind would show.
  const scribbler = machine.createAddressSpace();
  for (let turns = 0; turns < 24; turns++) {
    for (let node = 0; node < 2; node++) {
      const move = machine.movePages(mm, area.pages(), { node: 1 - node }).then(async () => {
        const scribble = scribbler.mmap({ length: area.length, node, populate: true });
        await scribbler.munmap(scribble.address, scribble.length);
      });
      const [, read] = await Promise.all([move, after(turns, () => mm.read(area.address, area.length))]);
      expect(isSame(read, bytes)).toBe(true);
    }
  }
});
