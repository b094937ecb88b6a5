import { Worker } from 'node:worker_threads';
import { CopyEngine, MiB, PhysicalMemory } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { expectCopied, fillRandom, isSame } from '../support/bytes.js';
import { MANNERS } from '../support/manners.js';
import { INDEX } from '../support/paths.js';
import { runScript } from '../support/process.js';
import { block } from '../support/threads.js';

/** Longer than an engine keeps its workers while it is idle. */
const IDLE_MS = 250;

const CREATE =
  `import { CopyEngine } from ${JSON.stringify(INDEX)};\n` +
  "const e = await CopyEngine.create({ threads: 3, memory: '32M', minParallelBytes: 0, caller: 'CALLER' });";
const COPY = 'const r = await e.copy(e.allocate(5e6), e.allocate(5e6)); console.log(r.bytes);';

describe.each(['helps', 'waits'])('a process, caller %s', (caller) => {
  const create = CREATE.replace('CALLER', caller);
  it.each([
    ['that forgets close() ends by itself', `${create} ${COPY}`, '5000000'],
    ['that only makes an engine ends by itself', create, ''],
    [
      'that copies once more after a rest ends by itself',
      `${create} ${COPY} await new Promise((r) => setTimeout(r, 300)); await e.copy(e.allocate(99), e.allocate(99)); console.log('again');`,
      '5000000\nagain',
    ],
    [
      'that copies with copySync ends by itself',
      `${create} console.log(e.copySync(e.allocate(5e6), e.allocate(5e6)).bytes);`,
      '5000000',
    ],
    [
      'that awaits close() comes to its end',
      `${create} ${COPY} await e.close(); console.log('closed');`,
      '5000000\nclosed',
    ],
  ])('%s', async (_, code, output) => {
    expect(await runScript(code)).toEqual({ status: 0, output, errors: '' });
  });
});

// Together, for each rests most of the time.
describe.concurrent.each(MANNERS)('an engine: $schedule, $caller', (manner) => {
  it('works again after it was idle', async () => {
    await using engine = await CopyEngine.create({ ...manner, threads: 3, memory: '16M', minParallelBytes: 0 });
    const [to, from] = [engine.allocate(MiB), engine.allocate(MiB)];
    for (let round = 0; round < 4; round++) {
      await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
      fillRandom(from, round);
      const result = round % 2 ? engine.copySync(to, from) : await engine.copy(to, from);
      expect(result).toMatchObject({ bytes: MiB, failed: [] });
      expect(isSame(to, from)).toBe(true);
    }
  });

  it('works after its workers came and went while this thread was blocked', async () => {
    await using engine = await CopyEngine.create({ ...manner, threads: 3, memory: '16M', minParallelBytes: 0 });
    const [to, from] = [engine.allocate(MiB), engine.allocate(MiB)];
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    for (const threads of [4, 1, 3]) {
      engine.threads = threads;
      block(60);
    }
    fillRandom(from, 1);
    await engine.copy(to, from);
    expectCopied([{ to, from }]);
  });
});

it('closes while its workers are just leaving', async () => {
  for (let round = 0; round < 10; round++) {
    await using engine = await CopyEngine.create({ threads: 4, memory: '1M', caller: 'waits' });
    engine.threads = 1;
    block(round % 5);
  }
});

it('two engines share a memory', async () => {
  const memory = PhysicalMemory.create({ nodes: ['32M'] });
  await using first = await CopyEngine.create({ memory, threads: 2, minParallelBytes: 0 });
  await using second = await CopyEngine.create({ memory, threads: 2, minParallelBytes: 0, schedule: 'static' });
  const from = first.allocate(4 * MiB);
  const targets = [first, second].map((engine) => engine.allocate(4 * MiB));
  for (let round = 0; round < 20; round++) {
    fillRandom(from.subarray(round * 1000, round * 1000 + 5000), round);
    const [a, b] = targets as [Uint8Array, Uint8Array];
    const calls = [first.copy(a, from), second.copy(b, from)];
    await Promise.all(calls);
    expect(isSame(a, from) && isSame(b, from)).toBe(true);
  }
  await first.close();
  expect((await second.copy(targets[0] as Uint8Array, from)).failed).toEqual([]);
});

it('works in a worker thread', async () => {
  const code = `
    const { parentPort } = require('node:worker_threads');
    import(${JSON.stringify(INDEX)}).then(async ({ CopyEngine }) => {
      const engine = await CopyEngine.create({ threads: 3, memory: '32M', minParallelBytes: 0 });
      const [to, from] = [engine.allocate(5e6), engine.allocate(5e6)];
      from.fill(42);
      const results = [await engine.copy(to, from), engine.copySync(to, from)];
      await engine.close();
      parentPort.postMessage({ bytes: results.map((r) => r.bytes), same: Buffer.compare(Buffer.from(to), Buffer.from(from)) });
    });`;
  const worker = new Worker(code, { eval: true });
  // Before the message is awaited: both may come in one turn.
  const exit = new Promise((resolve) => worker.once('exit', resolve));
  const message = await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  expect(message).toEqual({ bytes: [5e6, 5e6], same: 0 });
  expect(await exit).toBe(0);
});

it('works with workers of lower priority', async () => {
  await using engine = await CopyEngine.create({ threads: 3, memory: '32M', minParallelBytes: 0, niceIncrement: 5 });
  const [to, from] = [engine.allocate(5 * MiB), engine.allocate(5 * MiB)];
  fillRandom(from, 1);
  expect((await engine.copy(to, from)).failed).toEqual([]);
  expect(isSame(to, from)).toBe(true);
});
