import { createContext, runInContext } from 'node:vm';
import { MessageChannel } from 'node:worker_threads';
import { CopyEngine, type CopyPair, MiB, PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { fillRandom, isSame } from '../support/bytes.js';
import { errorOf } from '../support/errors.js';

describe('shared memory of another realm', () => {
  const realm = createContext();
  const view = (bytes: number): Uint8Array => runInContext(`new Uint8Array(new SharedArrayBuffer(${bytes}))`, realm);

  it.each([100, 3 * MiB])('is shared: %i bytes', async (bytes) => {
    await using engine = await CopyEngine.create({ threads: 1, memory: '16M' });
    const [to, from] = [view(bytes), view(bytes)];
    expect(to.buffer instanceof SharedArrayBuffer).toBe(false);
    fillRandom(from, 1);
    const calls = [
      () => engine.copy(to, from),
      () => engine.copySync(to, from),
      () => engine.copyBatch([{ to, from }]),
      () => engine.copyBatchSync([{ to, from }]),
    ];
    for (const call of calls) {
      to.fill(0);
      expect(await call()).toMatchObject({ bytes, failed: [] });
      expect(isSame(to, from)).toBe(true);
    }
  });

  it('gives arrays of items too', async () => {
    await using engine = await CopyEngine.create({ threads: 1, memory: '16M' });
    const [to, from] = [engine.allocate(64), engine.allocate(64)];
    fillRandom(from, 1);
    const array = (value: number): Uint32Array => runInContext(`Uint32Array.of(${value})`, realm);
    const items = { to: array(to.byteOffset), from: array(from.byteOffset), bytes: array(64) };
    expect(await engine.copyBatch(items)).toMatchObject({ bytes: 64 });
    expect(isSame(to, from)).toBe(true);
  });
});

it.each([
  ['DataView', (buffer: ArrayBuffer) => new DataView(buffer)],
  ['Uint8Array', (buffer: ArrayBuffer) => new Uint8Array(buffer)],
] as const)('a detached %s is EINVAL, on either side of every call', async (_, open) => {
  await using engine = await CopyEngine.create({ threads: 1, memory: '16M' });
  const view = open(new ArrayBuffer(64));
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(view.buffer, [view.buffer]);
  port1.close();
  port2.close();
  const own = engine.allocate(64);
  for (const pair of [
    { to: view, from: own },
    { to: own, from: view },
    { to: view, from: view },
  ]) {
    for (const call of [
      () => engine.copy(pair.to, pair.from),
      () => engine.copySync(pair.to, pair.from),
      () => engine.copyBatch([pair]),
      () => engine.copyBatchSync([pair]),
    ]) {
      expect(await errorOf(call)).toMatchObject({ name: 'ErrnoError', code: 'EINVAL' });
    }
  }
});

describe('what is given is read once', () => {
  /** An object whose properties are others at the second look. */
  const fickle = <T extends object>(good: T, bad: object): T => {
    const looks = new Map<PropertyKey, number>();
    return new Proxy(good, {
      get(target, name) {
        const look = looks.get(name) ?? 0;
        looks.set(name, look + 1);
        return look === 0 ? Reflect.get(target, name) : Reflect.get(bad, name);
      },
    });
  };

  it.each(['copyBatch', 'copyBatchSync'] as const)('by %s', async (call) => {
    await using engine = await CopyEngine.create({ threads: 1, memory: '16M' });
    const [to, from] = [engine.allocate(64), engine.allocate(64)];
    fillRandom(from, 1);
    const items = {
      to: Uint32Array.of(to.byteOffset),
      from: Uint32Array.of(from.byteOffset),
      bytes: Uint32Array.of(64),
    };
    const reserved = { to: Uint32Array.of(8192), from: Uint32Array.of(8192), bytes: Uint32Array.of(2 ** 31) };
    expect(await engine[call](fickle(items, reserved))).toMatchObject({ bytes: 64, failed: [] });
    expect(isSame(to, from)).toBe(true);
    to.fill(0);
    const wrong = { to: new Uint8Array(engine.memory.buffer, 8192, 64), from: 'nothing' };
    expect(await engine[call]([fickle({ to, from }, wrong)])).toMatchObject({ bytes: 64, failed: [] });
    expect(isSame(to, from)).toBe(true);
  });
});

describe('memory between two nodes', () => {
  it('is EFAULT for items and for views, also in the middle of a range', async () => {
    // Nodes start at multiples of 4 MiB: 2 MiB lie between these, and belong to none.
    const memory = PhysicalMemory.create({ nodes: ['6M', '4M'] });
    await using engine = await CopyEngine.create({ memory, threads: 1 });
    const [low, high] = memory.nodes;
    const gap = low.endPfn * PAGE_SIZE;
    expect(high.startPfn * PAGE_SIZE - gap).toBe(2 * MiB);
    const good = low.startPfn * PAGE_SIZE;
    const before = memory.bytes.slice(gap, gap + 2 * MiB);
    for (const [to, from, bytes] of [
      [gap, good, 10],
      [good, gap, 10],
      [gap - 5, good, 10],
      [high.startPfn * PAGE_SIZE - 1, good, 2],
      [gap - MiB, good, 4 * MiB],
    ]) {
      const items = {
        to: Uint32Array.of(good + MiB, to),
        from: Uint32Array.of(good, from),
        bytes: Uint32Array.of(1, bytes),
      };
      const views = { to: new Uint8Array(memory.buffer, to, bytes), from: new Uint8Array(memory.buffer, from, bytes) };
      for (const call of [
        () => engine.copyBatch(items),
        () => engine.copyBatchSync(items),
        () => engine.copy(views.to, views.from),
        () => engine.copySync(views.to, views.from),
        () => engine.copyBatchSync([views]),
      ]) {
        expect(await errorOf(call)).toMatchObject({ code: 'EFAULT', message: expect.stringContaining('not inside') });
      }
    }
    expect(isSame(memory.bytes.subarray(gap, gap + 2 * MiB), before)).toBe(true);
  });

  it('is none of nodes that touch: a range may span them', async () => {
    const memory = PhysicalMemory.create({ nodes: ['4M', '4M', '4M'] });
    await using engine = await CopyEngine.create({ memory, threads: 1 });
    const start = memory.nodes[0].startPfn * PAGE_SIZE;
    const items = { to: Uint32Array.of(start), from: Uint32Array.of(start + 6 * MiB), bytes: Uint32Array.of(5 * MiB) };
    memory.bytes.fill(3, start + 6 * MiB, start + 11 * MiB);
    expect(await engine.copyBatch(items)).toMatchObject({ bytes: 5 * MiB, failed: [] });
    expect(memory.bytes.subarray(start, start + 5 * MiB).every((byte) => byte === 3)).toBe(true);
  });
});

describe('allocate', () => {
  it('takes from the node that it is told, and touches pages if asked', async () => {
    const memory = PhysicalMemory.create({ nodes: ['8M', '8M'] });
    await using engine = await CopyEngine.create({ memory, threads: 1 });
    const used = engine.allocate(PAGE_SIZE);
    used.fill(7);
    engine.free(used);
    const view = engine.allocate(3 * PAGE_SIZE, { node: 1, populate: true });
    expect(memory.page.nid[view.byteOffset / PAGE_SIZE]).toBe(1);
    // Its bytes are what they were.
    expect(engine.allocate(PAGE_SIZE, { populate: true }).every((byte) => byte === 7)).toBe(true);
    engine.free(view);
  });

  it.each([
    [{ node: 2 }, 'node: must be a whole number from 0 to 0, got 2'],
    [{ populate: 'yes' }, "populate: must be true or false, got 'yes'"],
    [{ nodes: 1 }, "options: must be node, populate, got 'nodes'"],
  ])('refuses %j, and takes nothing', async (options, message) => {
    await using engine = await CopyEngine.create({ memory: '16M', threads: 1 });
    const { freePages } = engine.memory.nodes[0];
    expect(await errorOf(() => engine.allocate(4096, options as object))).toMatchObject({
      message: `EINVAL: ${message}`,
    });
    expect(engine.memory.nodes[0].freePages).toBe(freePages);
  });
});

describe('what a subclass says', () => {
  const calls = (engine: CopyEngine, to: Uint8Array, from: Uint8Array) => [
    () => engine.copy(to, from),
    () => engine.copySync(to, from),
    () => engine.copyBatch([{ to, from }]),
    () => engine.copyBatchSync([{ to, from }]),
  ];

  it.each([
    ['byteOffset', Number.NaN],
    ['byteOffset', -8],
    ['byteOffset', 0.5],
    ['byteOffset', 2 ** 53],
    ['byteOffset', '8'],
    ['byteOffset', 8n],
    ['byteLength', -1],
    ['byteLength', 0.5],
    ['byteLength', 1e9],
    ['buffer', new SharedArrayBuffer(4)],
  ])('of its %s, as %s, is EINVAL unless its buffer has it, and changes nothing', async (name, value) => {
    for (const minParallelBytes of [0, 'auto']) {
      await using engine = await CopyEngine.create({ threads: 1, memory: '16M', minParallelBytes });
      const before = engine.memory.bytes.slice(0, 8 * PAGE_SIZE);
      for (const area of [engine.allocate(PAGE_SIZE), new Uint8Array(new SharedArrayBuffer(PAGE_SIZE))]) {
        const [to, from] = [area.subarray(1024, 2048), area.subarray(2048, 3072)];
        from.fill(9);
        for (const view of name === 'byteLength' ? [to, from] : [to]) Object.defineProperty(view, name, { value });
        const held = area.slice();
        for (const call of calls(engine, to, from)) {
          expect(await errorOf(call)).toMatchObject({ name: 'ErrnoError', code: 'EINVAL' });
        }
        expect(isSame(area, held)).toBe(true);
      }
      expect(isSame(engine.memory.bytes.subarray(0, before.length), before)).toBe(true);
    }
  });

  it('to set is not asked', async () => {
    class Deaf extends Uint8Array<SharedArrayBuffer> {
      override set(): void {}
    }
    await using engine = await CopyEngine.create({ threads: 1, memory: '16M' });
    const from = new Uint8Array(new SharedArrayBuffer(64)).fill(7);
    const to = new Deaf(new SharedArrayBuffer(64));
    for (const call of calls(engine, to, from)) {
      to.fill(0);
      expect(await call()).toMatchObject({ bytes: 64 });
      expect(isSame(to, from)).toBe(true);
    }
  });

  it('to cut it up is not asked: what differs is found', async () => {
    class Short extends Uint8Array<SharedArrayBuffer> {
      override subarray(): Uint8Array<SharedArrayBuffer> {
        return new Uint8Array(new SharedArrayBuffer(1));
      }
    }
    class Matrix extends Uint8Array<SharedArrayBuffer> {
      constructor(buffer: SharedArrayBuffer, rows: number, columns: number) {
        super(buffer, 0, rows * columns);
      }
    }
    await using engine = await CopyEngine.create({ threads: 1, memory: '16M' });
    const [a, b] = [new SharedArrayBuffer(PAGE_SIZE), new SharedArrayBuffer(PAGE_SIZE)];
    new Uint8Array(b)[1000] = 1;
    for (const make of [(of: SharedArrayBuffer) => new Short(of), (of: SharedArrayBuffer) => new Matrix(of, 64, 64)]) {
      for (const options of [undefined, {}]) {
        expect(engine.compareSync(make(a), make(b), options)).toBe(1000);
        expect(await engine.compare(make(a), make(b), options)).toBe(1000);
      }
    }
  });

  it.each([
    ['byteOffset', { byteOffset: 512 }, 512, 64],
    ['length', { byteLength: 128, length: 128 }, 0, 128],
  ])(
    'of its %s is what is copied to, filled and compared, where its buffer has it',
    async (_name, said, first, bytes) => {
      await using engine = await CopyEngine.create({ threads: 1, memory: '16M' });
      const other = new SharedArrayBuffer(bytes);
      const from = new Uint8Array(other).fill(7);
      for (const options of [undefined, {}]) {
        const all = new Uint8Array(new SharedArrayBuffer(PAGE_SIZE));
        const expected = new Uint8Array(PAGE_SIZE);
        const view = all.subarray(0, 64);
        for (const [name, value] of Object.entries(said)) Object.defineProperty(view, name, { value });
        expect(engine.copySync(view, from, options).bytes).toBe(bytes);
        expect(isSame(all, expected.fill(7, first, first + bytes))).toBe(true);
        expect(engine.compareSync(view, from, options)).toBe(-1);
        expect(engine.fillSync(view, 9, options).bytes).toBe(bytes);
        expect(isSame(all, expected.fill(9, first, first + bytes))).toBe(true);
        expect(engine.compareSync(view, from, options)).toBe(0);
      }
    },
  );

  it.each([Symbol('length'), { valueOf: () => Symbol('length') }, 64n])(
    'of its length is EINVAL if it is no number: %s',
    async (value) => {
      await using engine = await CopyEngine.create({ threads: 1, memory: '16M' });
      const views = [0, 1].map(() => new Uint8Array(new SharedArrayBuffer(64)));
      for (const view of views) Object.defineProperty(view, 'byteLength', { value });
      const [a = new Uint8Array(), b = new Uint8Array()] = views;
      const plain = new Uint8Array(new SharedArrayBuffer(64));
      const rest = [() => engine.fillSync(a, 1), () => engine.compareSync(a, b), () => engine.compareSync(a, plain)];
      for (const call of [...rest, ...calls(engine, a, b), ...calls(engine, a, plain)]) {
        expect(await errorOf(call as () => never)).toMatchObject({ name: 'ErrnoError', code: 'EINVAL' });
      }
      expect(Array.from(plain)).toEqual(Array(64).fill(0));
    },
  );

  it.each(['copyBatch', 'copyBatchSync'] as const)('to slice is not asked: %s', async (call) => {
    class List extends Array<CopyPair> {
      constructor(pairs: readonly CopyPair[]) {
        super();
        this.push(...pairs);
      }
    }
    class Column extends Uint32Array {
      constructor(_name: string, values: readonly number[] = []) {
        super(values);
      }
    }
    await using engine = await CopyEngine.create({ threads: 1, memory: '16M' });
    const [to, from] = [engine.allocate(64), engine.allocate(64).fill(7)];
    const columns = {
      to: new Column('to', [to.byteOffset]),
      from: new Column('from', [from.byteOffset]),
      bytes: new Column('bytes', [64]),
    };
    for (const items of [new List([{ to, from }]), columns, Object.assign([{ to, from }], { to: 1 })]) {
      to.fill(0);
      expect(await engine[call](items)).toMatchObject({ items: 1, bytes: 64 });
      expect(isSame(to, from)).toBe(true);
    }
  });
});

it.each(['copyBatch', 'copyBatchSync'] as const)('%s: columns that were transferred are EINVAL', async (call) => {
  await using engine = await CopyEngine.create({ threads: 1, memory: '16M' });
  const items = { to: new Uint32Array(1), from: new Uint32Array(1), bytes: new Uint32Array(1) };
  structuredClone(0, { transfer: [items.to.buffer, items.from.buffer, items.bytes.buffer] });
  expect(await errorOf(() => engine[call](items))).toMatchObject({ code: 'EINVAL' });
  const none = { to: new Uint32Array(0), from: new Uint32Array(0), bytes: new Uint32Array(0) };
  expect(await engine[call](none)).toMatchObject({ items: 0, bytes: 0 });
});
