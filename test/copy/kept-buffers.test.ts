import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { CopyEngine, MiB } from 'mtcopy';
import { beforeAll, describe, expect, it } from 'vitest';
import { DETACHED, DOORBELL, MESSAGES, openRing, workerInbox, workerState } from '#src/copy/worker/job-ring.js';
import { holdThreads } from '../support/holds.js';
import { until } from '../support/machines.js';
import { INDEX } from '../support/paths.js';
import { runScript } from '../support/process.js';
import { stayAwake } from '../support/threads.js';

/** Of 16 MiB each: four that stay are too many. */
const COPIES = 120;

/**
 * Bytes that copies between fresh buffers of 8 MiB take, with a collection every fifth: the median of what there is after each.
 * A thread that doesn't get a core keeps the buffers of the copy that it was in, and what it has been sent, for as long: it gets
 * some time for that, but isn't let go, for a thread that leaves forgets all.
 */
async function taken(open: string, copy: string): Promise<number> {
  const code = `
    import { setTimeout as sleep } from 'node:timers/promises';
    import { CopyEngine } from ${JSON.stringify(INDEX)};
    ${open}
    const fresh = () => new Uint8Array(new SharedArrayBuffer(8 * ${MiB}));
    const first = process.memoryUsage.rss();
    const samples = [];
    for (let i = 1; i <= ${COPIES}; i++) {
      const [to, from] = [fresh(), fresh()];
      from[i] = i;
      await ${copy};
      if (to[i] !== i % 256) throw new Error('not copied');
      if (i % 5 === 0) {
        const used = () => (gc(), process.memoryUsage.rss() - first);
        let least = used();
        for (let look = 0; look < 8 && least > 128 * ${MiB}; look++) {
          if (globalThis.engine) globalThis.engine.threads = 2;
          await sleep(10);
          least = Math.min(least, used());
        }
        samples.push(least);
      }
    }
    console.log(samples.sort((a, b) => a - b)[samples.length >> 1]);
    await globalThis.engine?.close();`;
  const { status, output, errors } = await runScript(code, ['--expose-gc']);
  expect({ status, errors }).toEqual({ status: 0, errors: '' });
  return Number(output);
}

describe("buffers of the user don't stay alive in workers", () => {
  let alone: number;
  beforeAll(async () => {
    alone = await taken('', 'to.set(from)');
  });

  it.each(
    ['auto', 'helps', 'waits'].flatMap((caller) => ['auto', 'typed-array'].map((method) => ({ caller, method }))),
  )('caller $caller, method $method', async (options) => {
    const open = `globalThis.engine = await CopyEngine.create({ ...${JSON.stringify(options)}, threads: 2, memory: '16M' });`;
    const median = await taken(open, 'engine.copy(to, from)');
    console.info(
      `${COPIES} copies: ${Math.round(median / MiB)} MiB, with a loop of set ${Math.round(alone / MiB)} MiB`,
    );
    expect(median - alone).toBeLessThan(64 * MiB);
  });
});

it('also few buffers, which are not worth a collection by themselves, are let go when threads leave', async () => {
  const code = `
    import { CopyEngine } from ${JSON.stringify(INDEX)};
    import { setTimeout as sleep } from 'node:timers/promises';
    const engine = await CopyEngine.create({ method: 'typed-array', threads: 2, memory: '16M', caller: 'waits' });
    const used = () => (gc(), process.memoryUsage.rss());
    const fresh = () => new Uint8Array(new SharedArrayBuffer(12 * ${MiB})).fill(1);
    await engine.copy(new Uint8Array(new SharedArrayBuffer(2e6)), new Uint8Array(new SharedArrayBuffer(2e6)));
    await sleep(300);
    const before = used();
    // In a function of its own, whose registers are gone with it.
    await (async () => void (await engine.copy(fresh(), fresh())))();
    // Soon after the engine has rested for a while; a loaded computer takes longer.
    for (let look = 0; look < 200 && used() - before > ${18 * MiB}; look++) await sleep(50);
    console.log(used() - before);
    await engine.close();`;
  const { status, output, errors } = await runScript(code, ['--expose-gc']);
  expect({ status, errors }).toEqual({ status: 0, errors: '' });
  // Of 24 MiB.
  expect(Number(output)).toBeLessThan(18 * MiB);
});

it('nor are buffers kept of a job that a worker only heard of, once another is in its slot', async () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc');
  const used = () => {
    gc();
    return process.memoryUsage.rss();
  };
  using holds = holdThreads();
  const options = { method: 'typed-array', threads: 2, memory: '16M', caller: 'waits', minParallelBytes: 0 } as const;
  await using engine = await CopyEngine.create(options);
  const { words } = openRing(engine.memory.buffer, 4 * MiB);
  const thread = words[workerInbox(1)];
  const fresh = () => new Uint8Array(new SharedArrayBuffer(64 * MiB)).fill(1);
  const before = used();
  // It has looked at the slots. Then there is a job, which another copies, and it takes the message.
  using message = holds.at({ operation: 'load', array: words, index: MESSAGES, thread });
  using sleeps = holds.at({ operation: 'wait', array: words, index: DOORBELL, thread });
  const awake = stayAwake(engine);
  engine.threads = 2;
  await message.held();
  await (async () => void (await engine.copy(fresh(), fresh())))();
  message.go();
  await sleeps.held();
  // Before it looks again there is another job, in the same slot.
  await engine.copy(engine.allocate(MiB), engine.allocate(MiB));
  sleeps.go();
  awake[Symbol.dispose]();
  // Threads that leave let go of what they keep.
  await until(() => Atomics.load(words, workerState(1)) === DETACHED);
  for (let look = 0; look < 40 && used() - before > 64 * MiB; look++) await sleep(50);
  // Of 128 MiB.
  expect(used() - before).toBeLessThan(64 * MiB);
});
