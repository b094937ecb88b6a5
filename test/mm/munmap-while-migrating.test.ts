import { setImmediate } from 'node:timers/promises';
import { Machine } from 'mtcopy';
import { expect, it } from 'vitest';
import { program } from '../support/programs.js';
import { block } from '../support/threads.js';

it('munmap of a page that is on its way ends once no CPU reaches it, also before the migration has flushed', async () => {
  await using machine = await Machine.boot({ nodes: ['128M', '128M'], cpus: 1 });
  const mm = machine.createAddressSpace();
  const area = mm.mmap({ length: '64M', populate: true });
  const touched = new Int32Array(new SharedArrayBuffer(4));
  const running = machine.cpus.run(mm, program('count-touches'), { args: { address: area.address, touched } });
  const failed = expect(running).rejects.toMatchObject({ code: 'EFAULT' });
  while (Atomics.load(touched, 0) === 0) await setImmediate();
  // A batch of so many pages is unmapped in several turns, and flushed after the last.
  const moving = machine.movePages(mm, area.pages(), { node: 1, batchLimit: 2 ** 20 });
  while (mm.folioAt(area.address)) await setImmediate();
  const flushes = machine.vmstat.nr_tlb_remote_flush;
  await mm.munmap(area.address, 4096);
  // More than one if the CPU is slow to answer, and the migration goes on meanwhile.
  expect(machine.vmstat.nr_tlb_remote_flush).toBeGreaterThan(flushes);
  const before = Atomics.load(touched, 0);
  block(20);
  // One access may have been under way.
  expect(Atomics.load(touched, 0) - before).toBeLessThanOrEqual(1);
  await moving;
  await failed;
});
