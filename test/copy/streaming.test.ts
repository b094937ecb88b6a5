import { CopyEngine, type CreateOptions, MiB, PAGE_SIZE, type Stores } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { chooseMethod } from '#src/copy/streaming.js';
import {
  METHOD,
  METHOD_LINE,
  METHOD_LINE_STREAMING,
  METHOD_MEMORY_COPY,
  METHOD_STREAMING,
  METHOD_TYPED_ARRAY,
  OPERATION,
  openRing,
} from '#src/copy/worker/job-ring.js';
import { fillRandom, isSame } from '../support/bytes.js';
import { errorOf } from '../support/errors.js';
import { HAS_NATIVE } from '../support/native.js';
import { INDEX } from '../support/paths.js';
import { runScript } from '../support/process.js';
import { libraryWithoutNative } from '../support/without-native.js';

/** Where the ring of the first engine on a memory is. */
const RING = 4 * MiB;
/** The largest call that the caches keep; half as much as the L3 cache has. */
const CACHED = HAS_NATIVE ? chooseMethod('auto', 'auto').cachedBytes() : 16 * MiB;

/** The methods of all jobs of an engine so far, one in each slot. */
function methodsOf({ memory }: CopyEngine): Set<number> {
  const { words, slots, own } = openRing(memory.buffer, RING);
  const used = [...slots, own].filter(({ narrow }) => narrow.descriptors[0] > 0);
  return new Set(used.map(({ base }) => words[base + METHOD]));
}

/** What copied a call of so many bytes, in items of 4 KiB. */
async function methodOf(options: CreateOptions, bytes: number, stores?: Stores): Promise<Set<number>> {
  await using engine = await CopyEngine.create({ threads: 1, memory: 2 * bytes + MiB, ...options });
  const [to, from] = [engine.allocate(bytes), engine.allocate(bytes)];
  fillRandom(from.subarray(0, MiB), 1);
  const count = bytes / PAGE_SIZE;
  // Every other page first: neighbours that don't touch.
  const address = (view: Uint8Array) =>
    Uint32Array.from(
      { length: count },
      (_, i) => view.byteOffset + ((i * 2) % count) * PAGE_SIZE + (i * 2 >= count ? PAGE_SIZE : 0),
    );
  const items = { to: address(to), from: address(from), bytes: new Uint32Array(count).fill(PAGE_SIZE) };
  expect(await engine.copyBatch(items, { stores })).toMatchObject({ bytes, failed: [] });
  expect(isSame(to, from)).toBe(true);
  return methodsOf(engine);
}

describe.runIf(HAS_NATIVE)('streaming stores', () => {
  it('are for calls whose source and destination are more than the L3 cache has, however small their items', async () => {
    expect(await methodOf({}, CACHED + 2 * PAGE_SIZE)).toEqual(new Set([METHOD_STREAMING]));
    expect(await methodOf({}, CACHED)).toEqual(new Set([METHOD_MEMORY_COPY]));
  });

  it('are for those that an engine or a call asks for them', async () => {
    expect(await methodOf({ stores: 'streaming' }, 2 * MiB)).toEqual(new Set([METHOD_STREAMING]));
    expect(await methodOf({ stores: 'cached' }, 2 * MiB, 'streaming')).toEqual(new Set([METHOD_STREAMING]));
    expect(await methodOf({}, 2 * MiB, 'streaming')).toEqual(new Set([METHOD_STREAMING]));
    expect(await methodOf({ stores: 'streaming' }, 2 * MiB, 'cached')).toEqual(new Set([METHOD_MEMORY_COPY]));
    expect(await methodOf({ stores: 'streaming' }, 2 * MiB, 'auto')).toEqual(new Set([METHOD_MEMORY_COPY]));
    expect(await methodOf({ method: 'streaming' }, 2 * MiB)).toEqual(new Set([METHOD_STREAMING]));
    expect(await methodOf({ method: 'streaming' }, 2 * MiB, 'cached')).toEqual(new Set([METHOD_STREAMING]));
    expect(await methodOf({ method: 'memory.copy' }, 2 * MiB, 'streaming')).toEqual(new Set([METHOD_MEMORY_COPY]));
  });

  it('fill what is more than the L3 cache has, or where they are asked for; C compares whatever it may', async () => {
    const used = async (
      options: CreateOptions,
      run: (engine: CopyEngine, view: Uint8Array) => unknown,
      bytes = MiB,
    ) => {
      await using engine = await CopyEngine.create({ threads: 1, memory: bytes + MiB, ...options });
      await run(engine, engine.allocate(bytes));
      const { words, slots, own } = openRing(engine.memory.buffer, RING);
      const jobs = [...slots, own].filter(({ base }) => words[base + OPERATION] !== 0);
      return jobs.map(({ base }) => words[base + METHOD]);
    };
    const fill = (stores?: Stores) => (engine: CopyEngine, view: Uint8Array) => engine.fill(view, 1, { stores });
    const compare = (engine: CopyEngine, view: Uint8Array) => engine.compare(view, view);
    // A fill touches half of what a copy does.
    expect(await used({}, fill(), 2 * CACHED + PAGE_SIZE)).toEqual([METHOD_LINE_STREAMING]);
    expect(await used({}, fill(), 2 * CACHED)).toEqual([METHOD_MEMORY_COPY]);
    expect(await used({}, fill('streaming'))).toEqual([METHOD_LINE_STREAMING]);
    expect(await used({ method: 'streaming' }, fill('cached'))).toEqual([METHOD_LINE_STREAMING]);
    expect(await used({ method: 'memory.copy' }, fill('streaming'))).toEqual([METHOD_MEMORY_COPY]);
    expect(await used({ method: 'typed-array' }, fill('streaming'))).toEqual([METHOD_TYPED_ARRAY]);
    expect(await used({}, compare)).toEqual([METHOD_LINE]);
    expect(await used({ stores: 'cached' }, compare)).toEqual([METHOD_LINE]);
    expect(await used({ method: 'memory.copy' }, compare)).toEqual([METHOD_MEMORY_COPY]);
    expect(await used({ method: 'typed-array' }, compare)).toEqual([METHOD_TYPED_ARRAY]);
  });

  it('copy a small call too that is made at once, where they were asked for', async () => {
    await using engine = await CopyEngine.create({ threads: 1, memory: '8M', method: 'streaming' });
    const [to, from] = [engine.allocate(5000), engine.allocate(5000)];
    fillRandom(from, 1);
    for (const copy of [() => engine.copySync(to, from), () => engine.copy(to, from)]) {
      to.fill(0);
      expect(await copy()).toMatchObject({ bytes: 5000, failed: [] });
      expect(isSame(to, from)).toBe(true);
    }
    expect(methodsOf(engine)).toEqual(new Set([METHOD_STREAMING]));
  });

  it('are what an engine says that it has, or why it has not', async () => {
    const said = async (options: CreateOptions) => {
      await using engine = await CopyEngine.create({ threads: 1, memory: '1M', ...options });
      return [engine.method, engine.noStreaming];
    };
    expect(await said({})).toEqual(['streaming', undefined]);
    expect(await said({ method: 'streaming', stores: 'cached' })).toEqual(['streaming', undefined]);
    expect(await said({ stores: 'cached' })).toEqual(['memory.copy', "stores: 'cached' was asked for"]);
    expect(await said({ method: 'typed-array' })).toEqual(['typed-array', "method: 'typed-array' was asked for"]);
  });

  it('that are none are refused', async () => {
    await using engine = await CopyEngine.create({ threads: 1, memory: '1M' });
    const [to, from] = [engine.allocate(10), engine.allocate(10)];
    for (const refused of [
      () => CopyEngine.create({ stores: 'hot' as Stores }),
      () => engine.copy(to, from, { stores: 'hot' as Stores }),
      () => engine.copySync(to, from, { stores: 'hot' as Stores }),
    ]) {
      expect(await errorOf(refused)).toMatchObject({ code: 'EINVAL', message: expect.stringContaining("'hot'") });
    }
  });
});

describe('without the file of the loop in C', () => {
  const bare = libraryWithoutNative('streaming');

  it.each([
    ['it is gone', bare, []],
    [
      'addons are not allowed',
      INDEX,
      [
        process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission',
        '--allow-fs-read=*',
        '--allow-worker',
      ],
    ],
  ])(
    'because %s, an engine copies all the same, and says why; so does a machine, with channels too',
    async (_, library, flags) => {
      const program = `
      import { CopyEngine, Machine } from ${JSON.stringify(library)};
      const bytes = ${CACHED + PAGE_SIZE};
      const engine = await CopyEngine.create({ threads: 2, memory: 2 * bytes + 2 ** 20, minParallelBytes: 0 });
      const [to, from] = [engine.allocate(bytes), engine.allocate(bytes)];
      from.fill(7);
      for (const stores of ['auto', 'streaming']) {
        to.fill(0);
        await engine.copy(to, from, { stores });
        if (!to.every((byte) => byte === 7)) throw new Error('not copied');
      }
      console.log(engine.method, engine.noStreaming);
      await engine.close();
      await CopyEngine.create({ method: 'streaming' }).catch((error) => console.log(error.code, error.message));
      const machine = await Machine.boot({ nodes: ['8M', '8M'], cpus: 0, flow: 'pre-copy', stores: 'streaming' });
      const { mm, ...area } = machine.createAddressSpace().mmap({ length: '4M', folioSize: '2M', populate: true });
      await mm.write(area.address, new Uint8Array(area.length).fill(7));
      let node = 0;
      for (const migrator of ['kernel', 'mtcopy', 'dcbm']) {
        node = 1 - node;
        const pages = [area.address, area.address + 2 ** 21];
        const { stats } = await machine.movePages(mm, pages, { node, migrator });
        const isThere = (await mm.read(area.address, area.length)).every((byte) => byte === 7);
        const { method, noStreaming } = machine.methodFor(area.length, { migrator, stores: 'streaming' });
        console.log(stats.movedBy[0].migrator, stats.succeeded, isThere, method, noStreaming);
      }
      await machine.close();
    `;
      const { output, status } = await runScript(program, flags);
      expect(status).toBe(0);
      const [says, refuses, ...moves] = output.split('\n');
      const reason = `the native copy loop for ${process.platform}-${process.arch} can't be loaded: `;
      expect(says).toContain(`memory.copy ${reason}`);
      for (const [i, migrator] of ['kernel', 'mtcopy', 'dcbm'].entries())
        expect(moves[i]).toContain(`${migrator} 1024 true memory.copy ${reason}`);
      expect(refuses).toContain(`ENOTSUP ENOTSUP: method: 'streaming' can't be had, use 'auto': ${reason}`);
    },
  );
});
