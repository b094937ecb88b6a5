import { Machine } from 'mtcopy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errno, errorOf } from '../support/errors.js';
import { program, sharedWord, untilCounted } from '../support/programs.js';

describe('a program', () => {
  // For programs that are refused, and that fail: each leaves its CPU idle, and ready for the next.
  let machine: Machine;
  beforeAll(async () => {
    machine = await Machine.boot({ nodes: ['16M'] });
  });
  afterAll(() => machine.close());

  it('ends with what it returns, and its CPU is idle then', async () => {
    await using machine = await Machine.boot({ nodes: ['16M'], cpus: 2 });
    const mm = machine.createAddressSpace();
    const { address } = mm.mmap({ length: '4K' });
    const running = machine.cpus.run(mm, program('access'), { cpu: 1, args: [['store8', address, 1]] });
    expect(machine.cpus.busy).toEqual([1]);
    expect(await running).toEqual([undefined]);
    expect(machine.cpus.busy).toEqual([]);
    expect(await machine.cpus.run(mm, String(program('access')), { args: [['load8', address]] })).toEqual([1]);
  });

  it.each([
    [
      'with the kernel’s code',
      'ErrnoError',
      { name: 'ErrnoError', code: 'ENODEV', message: 'ENODEV: no such thing: really' },
    ],
    ['of another class', 'RangeError', { name: 'RangeError', message: 'out of range' }],
  ])('that throws an error %s gives it to the caller', async (_, kind, expected) => {
    await using machine = await Machine.boot({ nodes: ['16M'] });
    const mm = machine.createAddressSpace();
    const error = await errorOf(() => machine.cpus.run(mm, program('throw'), { args: { kind } }));
    expect(error).toEqual(expect.objectContaining(expected));
    expect(machine.cpus.busy).toEqual([]);
    expect(await machine.cpus.run(mm, program('access'), { args: [] })).toEqual([]);
  });

  it.each([
    ['that does not exist', program('nowhere'), 'ENOENT'],
    ['of a package that does not exist', 'no-such-package-here', 'ENOENT'],
    ['by a path relative to nobody knows what', './count.mjs', 'EINVAL'],
    ['without a default export', program('no-default'), 'EINVAL'],
    ['that is async', program('async'), 'EINVAL'],
  ])('%s is refused', async (_, url, code) => {
    const mm = machine.createAddressSpace();
    expect(await errorOf(() => machine.cpus.run(mm, url))).toEqual(errno(code));
    expect(machine.cpus.busy).toEqual([]);
    expect(await machine.cpus.run(mm, program('access'), { args: [] })).toEqual([]);
  });

  it('that cannot be sent its arguments leaves its CPU idle', async () => {
    await using machine = await Machine.boot({ nodes: ['16M'] });
    const mm = machine.createAddressSpace();
    expect((await errorOf(() => machine.cpus.run(mm, program('access'), { args: () => 1 }))).name).toBe(
      'DataCloneError',
    );
    expect(await machine.cpus.run(mm, program('access'), { args: [] })).toEqual([]);
  });

  it.each([
    ['that returns what cannot be sent', '() => () => 1', 'EINVAL'],
    ['that throws what cannot be sent', '() => { throw () => 1 }', 'EINVAL'],
    ['that throws no error', '() => { throw 5 }', 'EINVAL'],
    ['that throws nothing', '() => { throw undefined }', 'EINVAL'],
    ['whose thread ends as its result is sent', '() => ({ get value() { process.exit(3) } })', 'EIO'],
    ['whose result throws as it is sent', "() => ({ get value() { throw new TypeError('no') } })", 'EINVAL'],
    ['whose result throws nothing as it is sent', '() => ({ get value() { throw null } })', 'EINVAL'],
  ])('%s fails with a code', async (_, text, code) => {
    const mm = machine.createAddressSpace();
    const url = `data:text/javascript,${encodeURIComponent(`export default ${text}`)}`;
    expect(await errorOf(() => machine.cpus.run(mm, url))).toEqual(errno(code));
    expect(await machine.cpus.run(mm, program('access'), { args: [] })).toEqual([]);
  });

  it('ends when it is asked to, the one or all', async () => {
    await using machine = await Machine.boot({ nodes: ['16M'], cpus: 3 });
    const mm = machine.createAddressSpace();
    const { address } = mm.mmap({ length: '4K' });
    await mm.write(address, Uint8Array.of(7));
    const ready = sharedWord();
    const runs = [0, 1, 2].map((cpu) =>
      machine.cpus.run(mm, program('run-until-stopped'), { cpu, args: { address, ready } }),
    );
    await untilCounted(ready, 3);
    machine.cpus.stop(1);
    expect(await runs[1]).toBe(7);
    expect(machine.cpus.busy).toEqual([0, 2]);
    machine.cpus.stop();
    expect(await Promise.all(runs)).toEqual([7, 7, 7]);
    // An old request is not the next program's.
    const again = machine.cpus.run(mm, program('run-until-stopped'), { cpu: 1, args: { address, ready } });
    await untilCounted(ready, 4);
    expect(machine.cpus.busy).toEqual([1]);
    machine.cpus.stop();
    await again;
  });

  it('loses its pages when its address space is closed', async () => {
    await using machine = await Machine.boot({ nodes: ['16M'], cpus: 1 });
    const mm = machine.createAddressSpace();
    const { address } = mm.mmap({ length: '4K' });
    const ready = sharedWord();
    const outcome = errorOf(() => machine.cpus.run(mm, program('run-until-stopped'), { args: { address, ready } }));
    await untilCounted(ready, 1);
    await mm.close();
    expect(await outcome).toEqual(errno('EFAULT'));
  });
});

describe('an idle CPU', () => {
  it('comes back after its time', async () => {
    await using machine = await Machine.boot({ nodes: ['16M'] });
    const mm = machine.createAddressSpace();
    const args = { ms: 5, flag: sharedWord() };
    expect(await machine.cpus.run(mm, program('idle'), { args })).toBe(false);
    expect(await machine.cpus.run(mm, program('idle'), { args: { ...args, ms: 0 } })).toBe(false);
    expect(await machine.cpus.run(mm, program('idle'), { args: { ...args, ms: Number.NaN } })).toBe(false);
  });

  it('comes back as soon as it is asked to stop', async () => {
    await using machine = await Machine.boot({ nodes: ['16M'] });
    const mm = machine.createAddressSpace();
    const flag = sharedWord();
    const idling = machine.cpus.run(mm, program('idle'), { args: { ms: Number.POSITIVE_INFINITY, flag } });
    await untilCounted(flag, 1);
    machine.cpus.stop();
    expect(await idling).toBe(true);
  });

  it('is not interrupted for TLB flushes', async () => {
    await using machine = await Machine.boot({ nodes: ['16M', '16M'] });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '1M', populate: true });
    const flag = sharedWord();
    const idling = machine.cpus.run(mm, program('idle'), { args: { ms: 60_000, flag } });
    await untilCounted(flag, 1);
    // It says so just before it is.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { stats } = await machine.movePages(mm, area.pages(), { node: 1 });
    expect([stats.succeeded, stats.interrupts, machine.cpus.interruptsReceived]).toEqual([256, 0, 0]);
    machine.cpus.stop();
    await idling;
  });
});

describe('CPUs', () => {
  it('are taken one program each', async () => {
    await using machine = await Machine.boot({ nodes: ['16M'], cpus: 2 });
    const mm = machine.createAddressSpace();
    const ready = sharedWord();
    const run = (cpu?: number) =>
      machine.cpus.run(mm, program('run-until-stopped'), { args: { ready }, ...(cpu === undefined ? {} : { cpu }) });
    const first = run(1);
    expect(await errorOf(() => run(1))).toEqual(errno('EBUSY'));
    const second = run();
    expect(machine.cpus.busy).toEqual([0, 1]);
    expect(await errorOf(() => run())).toEqual(errno('EBUSY'));
    for (const cpu of [-1, 2, 0.5, Number.NaN, '0']) {
      expect(await errorOf(() => run(cpu as number))).toEqual(errno('EINVAL'));
    }
    await untilCounted(ready, 2);
    machine.cpus.stop();
    await Promise.all([first, second]);
  });

  it('may be 64, each of which has a number and a translation of its own', async () => {
    await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 64 });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: 64 * 4096, populate: true });
    const ready = sharedWord();
    const runs = Array.from(area.pages(), (address, cpu) =>
      machine.cpus.run(mm, program('run-until-stopped'), { cpu, args: { address, ready } }),
    );
    await untilCounted(ready, 64);
    await mm.write(
      area.address,
      new Uint8Array(area.length).map((_, i) => i >> 12),
    );
    const { stats } = await machine.movePages(mm, area.pages(), { node: 1 });
    expect([stats.succeeded, stats.interrupts]).toEqual([64, 64]);
    machine.cpus.stop();
    expect(await Promise.all(runs)).toEqual(Array.from({ length: 64 }, (_, i) => i));
  });

  it('may be none', async () => {
    await using machine = await Machine.boot({ nodes: ['16M'], cpus: 0 });
    const mm = machine.createAddressSpace();
    expect(await errorOf(() => machine.cpus.run(mm, program('access')))).toEqual(errno('EBUSY'));
  });

  it('run in address spaces of their machine', async () => {
    await using machine = await Machine.boot({ nodes: ['16M'] });
    await using foreign = await Machine.boot({ nodes: ['16M'] });
    const run = (mm: unknown) => machine.cpus.run(mm as never, program('access'), { args: [] });
    expect(await errorOf(() => run(foreign.createAddressSpace()))).toEqual(errno('ESRCH'));
    expect(await errorOf(() => run({}))).toEqual(errno('EINVAL'));
    const misspelt = { CPU: 0 } as never;
    expect(await errorOf(() => machine.cpus.run(machine.createAddressSpace(), program('access'), misspelt))).toEqual(
      errno('EINVAL'),
    );
    expect(await errorOf(() => run(undefined))).toEqual(errno('EINVAL'));
  });
});
