import { Machine } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { expectAtRest, freePages, started } from '../support/machines.js';
import { countedIn, program } from '../support/programs.js';

const MS = 1500;
const CPUS = [0, 1, 2, 3];

describe('CPUs that count in private memory which is forked again and again', () => {
  // More CPUs than cores: one that the scheduler has put aside between its look at the bell and its store is what may lose.
  it.each([1, 8])('lose nothing, in %d pages, and children see none of what comes later', async (pages) => {
    await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 4, ipiTimeoutMs: 20_000 });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: pages * 4096, populate: true });
    const args = { address: area.address, length: area.length, stride: 4096 };
    const runs = CPUS.map((cpu) => machine.cpus.run(mm, program('count'), { cpu, args }));
    await started(area, CPUS);
    let forks = 0;
    for (const until = performance.now() + MS; performance.now() < until; forks++) {
      const child = await mm.fork(area, machine.createAddressSpace());
      const first = await child.mm.read(child.address, child.length);
      if (forks % 3 === 0) await machine.movePages(mm, area.pages(), { node: forks % 2, flags: 4 });
      const second = await child.mm.read(child.address, child.length);
      expect(Buffer.from(second).equals(first)).toBe(true);
      await child.mm.close();
    }
    machine.cpus.stop();
    const stores = (await Promise.all(runs)) as number[];
    console.info(`${forks} forks of ${pages} pages during ${stores.reduce((a, b) => a + b)} stores`);
    expect(await countedIn(area, CPUS.length)).toEqual(stores);
    expectAtRest(area);
    await mm.close();
    expect(freePages(machine)).toEqual([4096, 4096]);
  });
});
