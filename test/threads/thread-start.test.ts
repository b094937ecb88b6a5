import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Worker } from 'node:worker_threads';
import { Machine } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { errno, errorOf } from '../support/errors.js';
import { INDEX } from '../support/paths.js';
import { runScript } from '../support/process.js';
import { program } from '../support/programs.js';

describe("a CPU's thread that ends while it starts", () => {
  it('fails its program with EAGAIN, and the CPU runs the next', async () => {
    await using machine = await Machine.boot({ nodes: ['16M'], cpus: 2 });
    const mm = machine.createAddressSpace();
    const { address } = mm.mmap({ length: '4K', populate: true });
    const onWorker = (message: unknown) => void (message as { worker: Worker }).worker.terminate();
    subscribe('worker_threads', onWorker);
    const runs = [0, 1].map((cpu) => errorOf(() => machine.cpus.run(mm, program('access'), { cpu, args: [] })));
    unsubscribe('worker_threads', onWorker);
    expect(await Promise.all(runs)).toEqual([errno('EAGAIN'), errno('EAGAIN')]);
    expect(machine.cpus.busy).toEqual([]);
    const args = [['load8', address]];
    expect(await machine.cpus.run(mm, program('access'), { cpu: 1, args })).toEqual([0]);
  });

  it('does not take the process with it', async () => {
    const script = `
      import { subscribe } from 'node:diagnostics_channel';
      import { CopyEngine, Machine } from ${JSON.stringify(INDEX)};
      subscribe('worker_threads', ({ worker }) => setTimeout(() => worker.terminate(), Math.random() * 150));
      for (let round = 0; round < 8; round++) {
        const machine = await Machine.boot({ nodes: ['16M'], cpus: 6 });
        const mm = machine.createAddressSpace();
        const program = ${JSON.stringify(program('idle').href)};
        const args = { ms: 60_000, flag: new Int32Array(new SharedArrayBuffer(4)) };
        const runs = [0, 1, 2, 3, 4, 5].map((cpu) => machine.cpus.run(mm, program, { cpu, args }).catch(() => {}));
        const engine = await CopyEngine.create({ memory: machine.memory, threads: 2 }).catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 150));
        await Promise.all([machine.close(), engine?.close(), ...runs]);
      }
      console.log('survived');`;
    expect(await runScript(script)).toEqual({ status: 0, output: 'survived', errors: '' });
  });
});
