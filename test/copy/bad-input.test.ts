import { CopyEngine, type CreateOptions, MiB, PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillRandom, isSame, snapshot } from '../support/bytes.js';
import { errorOf } from '../support/errors.js';

const LENGTH = 8 * PAGE_SIZE;

describe('a copy refuses', () => {
  let engine: CopyEngine;
  let area: Uint8Array<SharedArrayBuffer>;
  beforeAll(async () => {
    engine = await CopyEngine.create({ threads: 2, memory: '32M' });
    area = engine.allocate(LENGTH);
    fillRandom(area, 1);
  });
  afterAll(() => engine.close());

  const at = (start: number, end: number) => area.subarray(start, end);
  const items = (to: number[], from: number[], bytes: number[]) => ({
    to: Uint32Array.from(to, (offset) => area.byteOffset + offset),
    from: Uint32Array.from(from, (offset) => area.byteOffset + offset),
    bytes: Uint32Array.from(bytes),
  });
  const reserved = (length: number) => new Uint8Array(engine.memory.buffer, 8192, length);
  const good = () => ({ to: at(0, 10), from: at(20, 30) });

  type Row = [name: string, code: string, says: string[], to: () => unknown, from: () => unknown];
  const pairRows: Row[] = [
    ['a number as destination', 'EINVAL', ['to of item 0', 'got 5'], () => 5, () => at(0, 5)],
    ['nothing as source', 'EINVAL', ['from of item 0', 'got undefined'], () => at(0, 5), () => undefined],
    ['null', 'EINVAL', ['to of item 0', 'got null'], () => null, () => at(0, 5)],
    ['a string', 'EINVAL', ["got 'bytes'"], () => at(0, 5), () => 'bytes'],
    ['an array', 'EINVAL', ['got an array of 3'], () => [1, 2, 3], () => at(0, 3)],
    ['a bare SharedArrayBuffer', 'EINVAL', ['SharedArrayBuffer'], () => new SharedArrayBuffer(9), () => at(0, 9)],
    ['a bare ArrayBuffer', 'EINVAL', ['ArrayBuffer'], () => at(0, 9), () => new ArrayBuffer(9)],
    [
      'a destination that is not shared',
      'EINVAL',
      ['Uint8Array of 77 bytes', 'engine.allocate', 'SharedArrayBuffer'],
      () => new Uint8Array(77),
      () => at(0, 77),
    ],
    [
      'a source that is not shared',
      'EINVAL',
      ['from of item 0', 'Buffer of 77 bytes', 'engine.allocate'],
      () => at(0, 77),
      () => Buffer.alloc(77),
    ],
    ['lengths that differ', 'EINVAL', ['10', '11 bytes'], () => at(0, 10), () => at(20, 31)],
    ['an item on itself', 'EINVAL', ['from of item 0', 'to of item 0'], () => at(0, 9), () => at(0, 9)],
    ['an item that overlaps by a byte', 'EINVAL', ['overlaps'], () => at(9, 19), () => at(0, 10)],
    ['an item that overlaps backwards', 'EINVAL', ['overlaps'], () => at(0, 5000), () => at(4999, 9999)],
    ['a reserved destination', 'EFAULT', ['to of item 0', '8192'], () => reserved(9), () => at(0, 9)],
    ['a reserved source', 'EFAULT', ['from of item 0', '8192'], () => at(0, 9), () => reserved(9)],
  ];

  it.each(pairRows)('%s', async (_, code, says, to, from) => {
    const before = snapshot(area);
    const lowest = snapshot(reserved(100));
    const pair = { to: to() as Uint8Array, from: from() as Uint8Array };
    for (const run of [
      () => engine.copy(pair.to, pair.from),
      () => engine.copySync(pair.to, pair.from),
      () => engine.copyBatch([pair]),
      () => engine.copyBatchSync([pair]),
      () => engine.copyBatchSync([{ to: at(30_000, 30_001), from: at(31_000, 31_001) }, pair]),
    ]) {
      const error = await errorOf(run);
      expect(error).toMatchObject({ name: 'ErrnoError', code, errno: code === 'EINVAL' ? -22 : -14 });
      const isSecond = error.message.includes('item 1');
      for (const text of says) expect(error.message).toContain(isSecond ? text.replace('item 0', 'item 1') : text);
    }
    expect(isSame(area, before) && isSame(reserved(100), lowest)).toBe(true);
  });

  type BatchRow = [name: string, code: string, says: string[], batch: () => unknown];
  const batchRows: BatchRow[] = [
    ['undefined', 'EINVAL', ['items', 'got undefined'], () => undefined],
    ['null', 'EINVAL', ['got null'], () => null],
    ['a number', 'EINVAL', ['got 12'], () => 12],
    ['one pair without an array', 'EINVAL', ['an object'], good],
    ['a missing pair', 'EINVAL', ['item 1', 'undefined'], () => [good(), undefined]],
    // biome-ignore lint/suspicious/noSparseArray: it is what is tested
    ['a hole in the list', 'EINVAL', ['item 0', 'undefined'], () => [, good()]],
    ['plain arrays of addresses', 'EINVAL', ['items'], () => ({ to: [1], from: [2], bytes: [3] })],
    ['columns of different lengths', 'EINVAL', ['2, 1 and 2'], () => items([0, 9], [100], [1, 1])],
    [
      'two destinations that overlap',
      'EINVAL',
      ['to of item 1', 'to of item 0'],
      () => items([0, 99], [9000, 9500], [100, 100]),
    ],
    ['twice the same destination', 'EINVAL', ['overlaps'], () => items([0, 0], [9000, 9500], [100, 100])],
    [
      'a source that another item writes',
      'EINVAL',
      ['from of item 1', 'to of item 0'],
      () => items([0, 9000], [500, 99], [100, 100]),
    ],
    [
      'overlapping pages in mixed order',
      'EINVAL',
      ['overlaps'],
      () => items([8192, 0, 4096], [20480, 12288, 9000], [4096, 4096, 4096]),
    ],
    [
      'pairs that overlap between items',
      'EINVAL',
      ['to of item 1', 'to of item 0'],
      () => [good(), { to: at(9, 19), from: at(100, 110) }],
    ],
    [
      'foreign pairs that overlap between items',
      'EINVAL',
      ['overlaps'],
      () => {
        const user = new Uint8Array(new SharedArrayBuffer(100));
        return [
          { to: at(0, 10), from: user.subarray(0, 10) },
          { to: user.subarray(9, 19), from: at(20, 30) },
        ];
      },
    ],
    ['an address in the reserved area', 'EFAULT', ['to of item 1', '4096', '33554432'], () => reservedItems('to')],
    ['a source in the reserved area', 'EFAULT', ['from of item 1', '4096'], () => reservedItems('from')],
    ['an address beyond the memory', 'EFAULT', ['from of item 0', '4294967295'], () => beyond()],
    ['a range that ends beyond the memory', 'EFAULT', ['100 bytes'], () => lastBytes()],
  ];
  function reservedItems(side: 'to' | 'from') {
    const batch = items([0, 100], [200, 300], [10, 10]);
    batch[side][1] = 4096;
    return batch;
  }
  function beyond() {
    const batch = items([0], [200], [10]);
    batch.from[0] = 2 ** 32 - 1;
    return batch;
  }
  function lastBytes() {
    const batch = items([0], [200], [100]);
    batch.from[0] = engine.memory.bytes.length - 99;
    return batch;
  }

  it.each(batchRows)('a batch: %s', async (_, code, says, make) => {
    const before = snapshot(area);
    const batch = make() as [];
    for (const run of [() => engine.copyBatch(batch), () => engine.copyBatchSync(batch)]) {
      const error = await errorOf(run);
      expect(error).toMatchObject({ name: 'ErrnoError', code });
      for (const text of says) expect(error.message).toContain(text);
    }
    expect(isSame(area, before)).toBe(true);
  });

  it.each([5, 'now', {}, null, true])('%j as signal', async (signal) => {
    const before = snapshot(area);
    const options = { signal: signal as unknown as AbortSignal };
    for (const run of [() => engine.copy(good().to, good().from, options), () => engine.copyBatch([good()], options)]) {
      const error = await errorOf(run);
      expect(error).toMatchObject({ code: 'EINVAL', message: expect.stringContaining('signal') });
      expect(error.message).toContain(typeof signal === 'object' && signal ? 'an object' : String(signal));
    }
    expect(isSame(area, before)).toBe(true);
  });

  it.each([0, 65, 1.5, Number.NaN, 'many', -1, null, '4'])('%j as number of threads', async (threads) => {
    const wrong = threads as unknown as number;
    const inMessage = typeof threads === 'string' ? `'${threads}'` : String(threads);
    expect(() => {
      engine.threads = wrong;
    }).toThrow(expect.objectContaining({ code: 'EINVAL', message: expect.stringContaining(`got ${inMessage}`) }));
    expect(engine.threads).toBe(2);
    if (threads === null) return; // as good as not given
    const error = await errorOf(() => CopyEngine.create({ threads: wrong }));
    expect(error).toMatchObject({ code: 'EINVAL', message: expect.stringContaining(`got ${inMessage}`) });
  });
});

describe('an engine refuses', () => {
  const rows: [name: string, options: unknown, code: string, says: string[]][] = [
    ['an option that there is not', { thread: 2 }, 'EINVAL', ["'thread'", 'threads, memory']],
    ['options that are none', 7, 'EINVAL', ['options', 'got 7']],
    ['null as options', null, 'EINVAL', ['options', 'null']],
    ['more than 4 GiB', { memory: '5G' }, 'ENOMEM', ['5G', '4G']],
    ['4 GiB, a part of which is reserved', { memory: 4 * 2 ** 30 }, 'ENOMEM', ['4G', '32M']],
    ['no memory', { memory: 0 }, 'EINVAL', ['0']],
    ['negative memory', { memory: -1 }, 'EINVAL', ['memory', '-1']],
    ['a size it cannot read', { memory: 'lots' }, 'EINVAL', ['memory', "'lots'"]],
    ['a strange memory', { memory: {} }, 'EINVAL', ['memory', 'an object']],
    ['an unknown schedule', { schedule: 'fair' }, 'EINVAL', ['schedule', "'fair'", "'static'", "'dynamic'"]],
    ['an unknown caller', { caller: 'sleeps' }, 'EINVAL', ['caller', "'sleeps'", "'helps'"]],
    ['an unknown method', { method: 'dma' }, 'EINVAL', ['method', "'dma'", "'memory.copy'"]],
    ['nice 20', { niceIncrement: 20 }, 'EINVAL', ['niceIncrement', '20']],
    ['nice -1', { niceIncrement: -1 }, 'EINVAL', ['niceIncrement', '-1']],
    ['nice 1.5', { niceIncrement: 1.5 }, 'EINVAL', ['niceIncrement', '1.5']],
    ["nice '5'", { niceIncrement: '5' }, 'EINVAL', ['niceIncrement', "'5'"]],
    ['negative minParallelBytes', { minParallelBytes: -5 }, 'EINVAL', ['minParallelBytes', '-5']],
    ['minParallelBytes NaN', { minParallelBytes: Number.NaN }, 'EINVAL', ['minParallelBytes', 'NaN']],
    ["minParallelBytes 'some'", { minParallelBytes: 'some' }, 'EINVAL', ['minParallelBytes', "'some'"]],
    ['minParallelBytes true', { minParallelBytes: true }, 'EINVAL', ['minParallelBytes', 'true']],
  ];
  it.each(rows)('%s', async (_, options, code, says) => {
    const error = await errorOf(() => CopyEngine.create(options as CreateOptions));
    expect(error).toMatchObject({ name: 'ErrnoError', code });
    for (const text of says) expect(error.message).toContain(text);
  });

  it('to share a memory with too many others, and leaves nothing behind', async () => {
    const memory = PhysicalMemory.create({ nodes: ['4M'] });
    const engines: CopyEngine[] = [];
    const error = await errorOf(async () => {
      for (;;) engines.push(await CopyEngine.create({ memory, threads: 1 }));
    });
    // The documents say so.
    expect(engines).toHaveLength(12);
    expect(error).toMatchObject({ code: 'ENOMEM', message: expect.stringContaining('close an engine first') });
    // Longer than it takes an idle engine to let its workers go: a timer of the one that wasn't made would fire.
    await new Promise((resolve) => setTimeout(resolve, 200));
    await engines.pop()?.close();
    engines.push(await CopyEngine.create({ memory, threads: 1 }));
    for (const engine of engines) await engine.close();
  });
});

describe('memory refuses', () => {
  it('to allocate more than there is', async () => {
    await using engine = await CopyEngine.create({ threads: 1, memory: '1M' });
    const failing = () => engine.allocate(MiB + 1);
    expect(failing).toThrow(expect.objectContaining({ code: 'ENOMEM', message: expect.stringContaining('1M') }));
    expect(engine.allocate(MiB)).toHaveLength(MiB);
    expect(() => engine.allocate(1)).toThrow(expect.objectContaining({ code: 'ENOMEM' }));
  });

  it.each([-1, 1.5, Number.NaN, '5', undefined])('to allocate %j bytes', async (bytes) => {
    await using engine = await CopyEngine.create({ threads: 1, memory: '1M' });
    const error = await errorOf(() => engine.allocate(bytes as number));
    expect(error).toMatchObject({ code: 'EINVAL', message: expect.stringContaining(String(bytes)) });
  });

  it('a folio where a node has no block of its order', async () => {
    const memory = PhysicalMemory.create({ nodes: ['1M', '4M'] });
    const folios = memory.allocFolios(256, 0);
    memory.freeFolios(folios.filter((_, i) => i % 2 === 0));
    const error = await errorOf(() => memory.allocFolio(1));
    expect(error).toMatchObject({ code: 'ENOMEM', message: expect.stringContaining('node 0') });
    expect(error.message).toContain('order 1');
    expect(error.message).toContain('512K');
    expect(memory.allocFolio(1, { node: 1 }).nid).toBe(1);
  });

  it('to free twice, and what was never allocated', async () => {
    await using engine = await CopyEngine.create({ threads: 1, memory: '1M' });
    const view = engine.allocate(5000);
    engine.free(view);
    const wrong = [view, new Uint8Array(50), engine.allocate(9000).subarray(1), undefined, 5, engine.memory.bytes];
    for (const one of wrong) {
      const error = await errorOf(() => engine.free(one as Uint8Array));
      expect(error).toMatchObject({ code: 'EINVAL', message: expect.stringContaining('view') });
    }
    expect((await errorOf(() => engine.free(view))).message).toContain('5000 bytes');
  });
});

describe('a closed engine', () => {
  it('refuses everything but close and free', async () => {
    const engine = await CopyEngine.create({ threads: 2, memory: '32M' });
    const [to, from] = [engine.allocate(64), engine.allocate(64)];
    fillRandom(from, 1);
    await engine.close();
    for (const run of [
      () => engine.copy(to, from),
      () => engine.copySync(to, from),
      () => engine.copyBatch([{ to, from }]),
      () => engine.copyBatchSync([{ to, from }]),
      () => engine.copyBatch([]),
      () => engine.allocate(1),
      () => {
        engine.threads = 3;
      },
    ]) {
      expect(await errorOf(run)).toMatchObject({ code: 'ESHUTDOWN', message: expect.stringContaining('closed') });
    }
    expect(to.every((byte) => byte === 0)).toBe(true);
    engine.free(to);
    await engine.close();
  });
});
