import { Machine, type Migrator } from 'mtcopy';
import { expect, it } from 'vitest';

it('the CPU time of a calling thread is not below 0, however long it took by the clock to submit', async () => {
  const migrator: Migrator = {
    name: 'claims',
    copyFolios({ copied, usage }) {
      copied.fill(1);
      usage.submit += 1e12;
      return 0;
    },
  };
  await using machine = await Machine.boot({ nodes: ['4M', '4M'], cpus: 0, flow: 'pre-copy' });
  const area = machine.createAddressSpace().mmap({ length: '64K', populate: true });
  const { stats } = await machine.movePages(area.mm, area.pages(), { node: 1, migrator });
  // No more than the stretch that it was in.
  expect(stats.cpuNs.dma).toBeLessThan(1e12);
  expect(stats.dmaNs.submit).toBe(stats.cpuNs.dma);
  expect(stats.cpuNs.caller).toBeGreaterThanOrEqual(0);
});
