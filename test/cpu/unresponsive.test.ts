import { FLOWS, Machine, UnresponsiveCpuError } from 'mtcopy';
import { describe, expect, it, vi } from 'vitest';
import { errorOf } from '../support/errors.js';
import {
  expectAtRest,
  expectBytes,
  FLOWS_AND_MIGRATORS,
  filled,
  freePages,
  nodesOf,
  started,
} from '../support/machines.js';
import { countedIn, program } from '../support/programs.js';

/** Long enough for a CPU that does answer, on a busy machine. */
const IPI_TIMEOUT_MS = 400;
const newFlag = () => new Int32Array(new SharedArrayBuffer(4));

// What copies is never reached here.
describe.each(FLOWS.map((flow) => ({ flow })))('$flow: a CPU that stops answering', (settings) => {
  it('fails the migration with its number, leaves all where it was, and holds nobody else up', async () => {
    const ipiTimeoutMs = IPI_TIMEOUT_MS;
    await using machine = await Machine.boot({
      nodes: ['16M', '16M'],
      cpus: 2,
      ipiTimeoutMs,
      ...settings,
    });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '128K', populate: true });
    const counted = mm.mmap({ length: '64K', populate: true });
    const bytes = await filled(area);
    const args = { address: counted.address, length: counted.length, stride: 4096 };
    const counting = machine.cpus.run(mm, program('count'), { cpu: 0, args });
    await started(counted, [0]);
    const flag = newFlag();
    const spinning = machine.cpus.run(mm, program('spin'), {
      cpu: 1,
      args: { address: counted.address + 8, flag },
    });
    await started(counted, [0, 1]);
    const free = freePages(machine);
    const error = await errorOf(() => machine.movePages(mm, area.pages(), { node: 1 }));
    expect(error).toBeInstanceOf(UnresponsiveCpuError);
    expect(error).toMatchObject({ code: 'ETIMEDOUT', cpus: [1], message: expect.stringContaining('CPU 1 did not') });
    expect(await nodesOf(machine, area)).toEqual(new Array(32).fill(0));
    expect(freePages(machine)).toEqual(free);
    expectAtRest(area);
    await expectBytes(area, bytes);
    expect(machine.vmstat).toMatchObject({ pgmigrate_success: 0, pgmigrate_fail: 32 });
    // The other CPU went on, and goes on.
    const count = async () => (await mm.read(counted.address, 8)).join();
    for (const before = await count(); (await count()) === before; ) await new Promise((done) => setTimeout(done, 1));
    // A second time, while the first interrupt is still owed.
    expect(await errorOf(() => machine.movePages(mm, area.pages(), { node: 1 }))).toMatchObject({ cpus: [1] });
    expectAtRest(area);
    // It answers in the end, and its program has seen nothing of all this.
    Atomics.store(flag, 0, 1);
    expect(await spinning).toBe(2);
    for (const node of [1, 0, 1]) {
      const { status } = await machine.movePages(mm, [...area.pages(), ...counted.pages()], { node });
      expect(Array.from(status)).toEqual(new Array(48).fill(node));
    }
    await expectBytes(area, bytes);
    machine.cpus.stop();
    const stores = (await counting) as number;
    expect(await countedIn(counted, 1)).toEqual([stores]);
    await mm.close();
    expect(freePages(machine)).toEqual([4096, 4096]);
  });
});

describe('a CPU that stops answering', () => {
  it('does not keep munmap from unmapping, nor a machine from closing', async () => {
    const machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 1, ipiTimeoutMs: IPI_TIMEOUT_MS });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '64K', populate: true });
    const other = mm.mmap({ length: '64K', populate: true });
    const spinning = machine.cpus.run(mm, program('spin'), { args: { address: area.address, flag: newFlag() } });
    const end = errorOf(() => spinning);
    await started(area, [0]);
    expect(await errorOf(() => mm.munmap(other.address, other.length))).toMatchObject({ code: 'ETIMEDOUT', cpus: [0] });
    expect(mm.folioAt(other.address)).toBeUndefined();
    // Unmapped, but not free before the CPU has answered: it may be in the middle of a store.
    expect(freePages(machine)).toEqual([4096 - 32, 4096]);
    await machine.close();
    await vi.waitFor(() => expect(freePages(machine)).toEqual([4096, 4096]));
    expect(await end).toBeInstanceOf(Error);
  });
});

describe('an idle CPU', () => {
  it.each(FLOWS_AND_MIGRATORS)(
    'gets no interrupts, and sees what is there when it wakes: $flow, $migrator',
    async (settings) => {
      await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 2, threads: 2, ...settings });
      const mm = machine.createAddressSpace();
      const area = mm.mmap({ length: '256K', populate: true });
      const { address, length } = area;
      for (const [i, at] of area.pages().entries()) await mm.write(at, Uint8Array.of(i));
      const napping = machine.cpus.run(mm, program('nap'), { cpu: 1, args: { address, length } });
      const isNapping = async () => (await mm.read(address + length - 4096, 1))[0] === 64;
      while (!(await isNapping())) await new Promise((resolve) => setTimeout(resolve, 1));
      // Until it has left the address space, which it does right after its last store.
      while (Atomics.load(mm.table.cpuMask, 0) !== 0) await new Promise((resolve) => setTimeout(resolve, 1));
      const { nr_tlb_remote_flush, nr_tlb_remote_flush_received } = machine.vmstat;
      for (const node of [1, 0, 1]) {
        const { stats } = await machine.movePages(mm, area.pages(), { node });
        expect(stats).toMatchObject({ succeeded: 64, interrupts: 0 });
      }
      for (const [i, at] of area.pages().entries()) await mm.write(at, Uint8Array.of(i + 100));
      expect(machine.vmstat).toMatchObject({ nr_tlb_remote_flush, nr_tlb_remote_flush_received });
      machine.cpus.stop();
      expect(await napping).toEqual(Array.from({ length: 64 }, (_, i) => i + 100));
      for (const at of area.pages()) expect((await mm.read(at + 8, 1))[0]).toBe(7);
    },
  );
});
