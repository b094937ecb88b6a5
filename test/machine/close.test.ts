import { Machine } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { errno, errorOf } from '../support/errors.js';
import { freePages } from '../support/machines.js';
import { INDEX } from '../support/paths.js';
import { runScript } from '../support/process.js';
import { program, sharedWord, untilCounted } from '../support/programs.js';
import { watchWorkers } from '../support/threads.js';

const MIGRATE = (migrator: string) => `
  import { Machine } from ${JSON.stringify(INDEX)};
  const program = ${JSON.stringify(program('access').href)};
  const machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 2, migrator: '${migrator}', threads: 2, dcbm: { nrDmaChan: 2 } });
  const mm = machine.createAddressSpace();
  const area = mm.mmap({ length: '4M', populate: true });
  await machine.cpus.run(mm, program, { args: [['store8', area.address, 1]] });
  console.log((await machine.movePages(mm, area.pages(), { node: 1 })).stats.succeeded);`;

describe.each(['kernel', 'mtcopy', 'dcbm'])('a process that migrates with %s', (migrator) => {
  it.each([
    ['ends after close()', 'await machine.close(); console.log("closed");', '1024\nclosed'],
    ['ends by itself if it forgets close()', '', '1024'],
  ])('%s', async (_, end, output) => {
    expect(await runScript(MIGRATE(migrator) + end)).toEqual({ status: 0, output, errors: '' });
  });
});

describe('close', () => {
  it('lets threads be set afterwards, which changes nothing', async () => {
    const machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0, migrator: 'mtcopy', threads: 2 });
    const closing = machine.close();
    machine.threads = 4;
    await closing;
    machine.threads = 3;
    // A rejection that nobody handles would fail the run.
    await new Promise((resolve) => setImmediate(resolve));
    expect(machine.threads).toBe(3);
  });

  it('frees everything, ends all threads, and may be called again', async () => {
    using workers = watchWorkers();
    const machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 2, migrator: 'mtcopy', threads: 2 });
    const free = freePages(machine);
    const spaces = [machine.createAddressSpace(), machine.createAddressSpace()] as const;
    for (const mm of spaces) {
      const area = mm.mmap({ length: '4M', populate: true });
      await machine.cpus.run(mm, program('access'), { args: [['store8', area.address, 1]] });
      await machine.movePages(mm, area.pages(), { node: 1 });
    }
    expect(workers.alive.size).toBeGreaterThan(0);
    await Promise.all([machine.close(), machine.close()]);
    await machine.close();
    expect([workers.alive.size, freePages(machine)]).toEqual([0, free]);
    expect(spaces.map(({ closed }) => closed)).toEqual([true, true]);
  });

  it('waits for a migration under way', async () => {
    const machine = await Machine.boot({ nodes: ['64M', '64M'] });
    const free = freePages(machine);
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '32M', populate: true });
    const moving = machine.movePages(mm, area.pages(), { node: 1 });
    const closing = machine.close();
    const { status, stats } = await moving;
    expect([new Set(status), stats.succeeded]).toEqual([new Set([1]), 8192]);
    await closing;
    expect(freePages(machine)).toEqual(free);
  });

  it('has programs return that ask whether to stop', async () => {
    const machine = await Machine.boot({ nodes: ['16M'], cpus: 2 });
    const mm = machine.createAddressSpace();
    const { address } = mm.mmap({ length: '4K' });
    await mm.write(address, Uint8Array.of(5));
    const ready = sharedWord();
    const runs = [0, 1].map(() => machine.cpus.run(mm, program('run-until-stopped'), { args: { address, ready } }));
    await untilCounted(ready, 2);
    await machine.close();
    expect(await Promise.all(runs)).toEqual([5, 5]);
  });

  it('still handles the page faults of programs that are about to return', async () => {
    for (let round = 0; round < 5; round++) {
      const machine = await Machine.boot({ nodes: ['64M'], cpus: 2 });
      const mm = machine.createAddressSpace();
      const ready = sharedWord();
      const runs = [0, 1].map(() => {
        const { address } = mm.mmap({ length: '16M' });
        return machine.cpus.run(mm, program('touch-until-stopped'), { args: { address, pages: 4096, ready } });
      });
      await untilCounted(ready, 2);
      await machine.close();
      for (const touched of await Promise.all(runs)) expect(touched).toBeGreaterThan(0);
    }
  });

  it('ends programs that do not return, with EIO', async () => {
    using workers = watchWorkers();
    const machine = await Machine.boot({ nodes: ['16M'], cpus: 2 });
    const free = freePages(machine);
    const mm = machine.createAddressSpace();
    mm.mmap({ length: '4M', populate: true });
    const ready = sharedWord();
    const outcome = errorOf(() => machine.cpus.run(mm, program('holds-on'), { args: { ready } }));
    await untilCounted(ready, 1);
    await machine.close();
    expect(await outcome).toEqual(errno('EIO'));
    expect([workers.alive.size, machine.cpus.busy, freePages(machine)]).toEqual([0, [], free]);
  });

  it('fails programs whose result is on its way with ESHUTDOWN', async () => {
    using workers = watchWorkers();
    const machine = await Machine.boot({ nodes: ['16M'], cpus: 2 });
    const mm = machine.createAddressSpace();
    const ready = sharedWord();
    const outcome = errorOf(() => machine.cpus.run(mm, program('returns-slowly'), { cpu: 1, args: { ready } }));
    await untilCounted(ready, 1);
    await machine.close();
    expect(await outcome).toEqual(errno('ESHUTDOWN'));
    expect((await outcome).message).toContain('CPU 1');
    expect([workers.alive.size, machine.cpus.busy]).toEqual([0, []]);
  });

  it('makes every later call ESHUTDOWN, or ESRCH where it is about an address space alone', async () => {
    const machine = await Machine.boot({ nodes: ['16M', '16M'] });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '4K', populate: true });
    const closing = machine.close();
    const calls = [
      () => machine.createAddressSpace(),
      () => machine.movePages(mm, area.pages(), { node: 1 }),
      () => machine.migratePages(mm, { from: [0], to: [1] }),
    ];
    for (const call of calls) expect(await errorOf(call)).toEqual(errno('ESHUTDOWN'));
    await closing;
    for (const call of [...calls, () => machine.cpus.run(mm, program('access'))]) {
      expect(await errorOf(call)).toEqual(errno('ESHUTDOWN'));
    }
    expect(() => mm.mmap({ length: '4K' })).toThrow(errno('ESRCH'));
    expect(await errorOf(() => mm.read(area.address, 1))).toEqual(errno('ESRCH'));
  });
});

it('an address space that is closed takes no memory any more', async () => {
  await using machine = await Machine.boot({ nodes: ['16M'] });
  const spaces = Array.from({ length: 20 }, () => new WeakRef(machine.createAddressSpace()));
  for (const ref of spaces) await ref.deref()?.close();
  machine.createAddressSpace();
  const { setFlagsFromString } = await import('node:v8');
  const { runInNewContext } = await import('node:vm');
  setFlagsFromString('--expose-gc');
  await new Promise((resolve) => setTimeout(resolve, 10));
  runInNewContext('gc')();
  // The stack may still hold the one or other.
  expect(spaces.filter((ref) => ref.deref()).length).toBeLessThan(5);
});
