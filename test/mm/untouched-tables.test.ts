import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Machine, MiB } from 'mtcopy';
import { expect, it } from 'vitest';

const ROUNDS = 60;
const SPACES = 8;

it('page tables take real memory only where they are touched, also after others were freed', async () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  await using machine = await Machine.boot({ nodes: ['16M'], cpus: 0 });
  const openAndClose = async () => {
    const spaces = Array.from({ length: SPACES }, () => machine.createAddressSpace());
    for (const mm of spaces) mm.mmap({ length: '4K', populate: true });
    const rss = process.memoryUsage.rss();
    for (const mm of spaces) await mm.close();
    return rss;
  };
  const first = await openAndClose();
  let most = first;
  for (let round = 1; round < ROUNDS; round++) {
    if (round % 10 === 0) gc();
    most = Math.max(most, await openAndClose());
  }
  // Laid out for 16 MiB each, of which a few pages are touched.
  expect(most - first).toBeLessThan(200 * MiB);
});
