import { type AddressSpace, type Area, Machine, UnresponsiveCpuError } from 'mtcopy';
import { describe, expect, it, vi } from 'vitest';
import { BELL, cpuWords, createCpuArea } from '#src/cpu/cpu-area.js';
import { errorOf } from '../support/errors.js';
import { type Hold, holdThreads } from '../support/holds.js';
import { until } from '../support/machines.js';
import { program, sharedWord, untilCounted } from '../support/programs.js';
import { watchWorkers } from '../support/threads.js';

const CPUS = 2;
const byteAt = async (mm: AddressSpace, address: number) => (await mm.read(address, 1))[0];

/** A machine with an area of one page in an address space of its own, and the means to hold the CPUs' threads. */
async function boot(options: { ipiTimeoutMs?: number } = {}) {
  const holds = holdThreads();
  const workers = watchWorkers();
  const machine = await Machine.boot({ nodes: ['4M', '4M'], cpus: CPUS, pcpHigh: 0, ...options });
  const mm = machine.createAddressSpace();
  const area = mm.mmap({ length: '4K', populate: true });
  /** Runs a program on CPU 0 that stores 1 and then 2, and holds it between the poll and the second store. */
  async function holdInStore(): Promise<{ hold: Hold; run: Promise<unknown> }> {
    const [ready, flag] = [sharedWord(), sharedWord()];
    const run = machine.cpus.run(mm, program('store-twice'), { cpu: 0, args: { address: area.address, ready, flag } });
    await untilCounted(ready, 1);
    const thread = Array.from(workers.alive).at(-1)?.threadId as number;
    const array = createCpuArea(CPUS);
    const hold = holds.at({ operation: 'load', array, index: cpuWords(0) + BELL, thread, when: 'after' });
    Atomics.store(flag, 0, 1);
    Atomics.notify(flag, 0);
    await hold.held();
    return { hold, run };
  }
  return {
    machine,
    mm,
    area,
    holdInStore,
    async [Symbol.asyncDispose]() {
      holds[Symbol.dispose]();
      workers[Symbol.dispose]();
      await machine.close();
    },
  };
}

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

describe('a program that goes on polling after its end', () => {
  it('answers no interrupt of the next one on its CPU', async () => {
    await using held = await boot();
    const { machine, mm, area } = held;
    const [polls, over] = [sharedWord(), sharedWord()];
    await machine.cpus.run(mm, program('polls-on'), { cpu: 0, args: { polls, over } });
    // On the same thread: its event loop turns, while CPU 0 has another thread.
    const late = machine.cpus.run(mm, program('starts-late'), { cpu: 1 });
    await untilCounted(polls, 1);
    const { hold, run } = await held.holdInStore();
    const moving = machine.movePages(mm, area.pages(), { node: 1 });
    // It has been asked by now, and polled since.
    await untilCounted(polls, Atomics.load(polls, 0) + 20);
    hold.go();
    await Promise.all([moving, run]);
    Atomics.store(over, 0, 1);
    await late;
    expect(await byteAt(mm, area.address)).toBe(2);
  });
});

describe('a fork that a CPU of the parent does not answer', () => {
  it('has no page copied that this CPU may still store to', async () => {
    await using held = await boot({ ipiTimeoutMs: 50 });
    const { machine, mm, area } = held;
    const { address } = area;
    const { hold, run } = await held.holdInStore();
    expect(await errorOf(() => mm.fork(area, machine.createAddressSpace()))).toBeInstanceOf(UnresponsiveCpuError);
    const fault = vi.spyOn(mm, 'fault');
    const other = machine.cpus.run(mm, program('access'), { cpu: 1, args: [['store8', address + 1, 5]] });
    await until(() => fault.mock.calls.length > 0);
    hold.go();
    const [, outcome] = await Promise.allSettled([run, other]);
    expect(await mm.read(address, 2)).toEqual(Uint8Array.of(2, 5));
    expect(outcome).toEqual({ status: 'fulfilled', value: [undefined] });
  });

  it('fails stores on the thread of the owner, but those alone that would have to wait for that', async () => {
    await using held = await boot({ ipiTimeoutMs: 50 });
    const { machine, mm, area } = held;
    const { hold, run } = await held.holdInStore();
    const silent = { code: 'ETIMEDOUT', cpus: [0] };
    expect(await errorOf(() => mm.fork(area, machine.createAddressSpace()))).toMatchObject(silent);
    expect(await errorOf(() => mm.write(area.address, Uint8Array.of(6)))).toMatchObject(silent);
    const fresh = mm.mmap({ length: '4K' });
    await mm.write(fresh.address, Uint8Array.of(3));
    hold.go();
    await run;
    await until(() => Atomics.load(mm.table.cpuMask, 0) === 0);
    expect(await byteAt(mm, area.address)).toBe(2);
  });
});
