import { PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { DmaEngine } from '#src/dma/engine.js';
import { createSgTable } from '#src/dma/sg-table.js';
import { ACTIVE, SILENCE } from '#src/dma/worker/ring.js';
import { at } from '../support/dma.js';
import { errno } from '../support/errors.js';
import { until } from '../support/machines.js';

const READ_FAILED = 1;
const WRITE_FAILED = 2;

async function open(iommu: 'none' | 'passthrough' | 'translated') {
  const memory = PhysicalMemory.create({ nodes: ['8M', '8M'] });
  const engine = await DmaEngine.create({ memory, iommu });
  const channel = engine.request();
  /** Results of one descriptor. */
  const copy = async (to: number, from: number, bytes: number) => {
    let outcome = -1;
    channel.submit(
      channel.prepMemcpy(to, from, bytes, true, (_, result) => {
        outcome = result;
      }),
    );
    channel.issuePending();
    await channel.completions(10_000);
    return outcome;
  };
  const [to, from] = memory.allocFolios(2, 2).map((pfn) => pfn * PAGE_SIZE);
  return { memory, engine, channel, copy, to, from, [Symbol.asyncDispose]: () => engine.close() };
}

it('without an IOMMU a device reaches every frame of a node, and nothing else', async () => {
  await using made = await open('none');
  const { memory, copy, to, from } = made;
  at(memory, from).fill(3);
  expect(await copy(to, from, PAGE_SIZE)).toBe(0);
  expect(at(memory, to)[0]).toBe(3);
  const reserved = snapshotOf(memory, 0, 8192);
  expect(await copy(4096, from, PAGE_SIZE)).toBe(WRITE_FAILED);
  expect(await copy(to, memory.startAddress - 64, 128)).toBe(READ_FAILED);
  expect(await copy(to, memory.bytes.length - 64, 128)).toBe(READ_FAILED);
  expect(snapshotOf(memory, 0, 8192)).toEqual(reserved);
});

describe.each(['passthrough', 'translated'] as const)('%s:', (iommu) => {
  it('a device touches only what is mapped, that way, and while it is', async () => {
    await using made = await open(iommu);
    const { memory, engine, copy, to, from } = made;
    expect(await copy(to, from, PAGE_SIZE)).not.toBe(0);
    const source = engine.mapSingle(from, PAGE_SIZE, 'to-device');
    const target = engine.mapSingle(to, PAGE_SIZE, 'from-device');
    at(memory, from).fill(1);
    expect(await copy(target, source, PAGE_SIZE)).toBe(0);
    expect(at(memory, to)[PAGE_SIZE - 1]).toBe(1);
    at(memory, from).fill(2);
    // The other way round, and one byte too far.
    expect(await copy(source, target, PAGE_SIZE)).not.toBe(0);
    expect(await copy(target, source, PAGE_SIZE + 1)).not.toBe(0);
    expect(await copy(target + 1, source, PAGE_SIZE)).toBe(WRITE_FAILED);
    await engine.unmapSingle(source, from, PAGE_SIZE, 'to-device');
    expect(await copy(target, source, PAGE_SIZE)).toBe(READ_FAILED);
    const again = engine.mapSingle(from, PAGE_SIZE, 'to-device');
    await engine.unmapSingle(target, to, PAGE_SIZE, 'from-device');
    expect(await copy(target, again, PAGE_SIZE)).toBe(WRITE_FAILED);
    expect(at(memory, to, 2 * PAGE_SIZE)).toEqual(new Uint8Array(2 * PAGE_SIZE).fill(1, 0, PAGE_SIZE));
    expect(at(memory, from)[0]).toBe(2);
  });

  it('a descriptor of which a page in the middle isn’t mapped writes no byte', async () => {
    await using made = await open(iommu);
    const { memory, engine, copy, to, from } = made;
    const page = new Uint32Array(4).fill(PAGE_SIZE);
    const pages = (start: number) => Uint32Array.from(page, (_, i) => start + i * PAGE_SIZE);
    const [target, source] = [createSgTable(pages(to), page), createSgTable(pages(from), page)];
    engine.mapSg(target, 'from-device');
    engine.mapSg(source, 'to-device');
    at(memory, from, 4 * PAGE_SIZE).fill(9);
    // One more range of I/O addresses behind, so that only one page is missing.
    const other = engine.mapSingle(from, PAGE_SIZE, 'to-device');
    const two = createSgTable(pages(to).subarray(0, 2), page.subarray(0, 2));
    engine.mapSg(two, 'from-device');
    const addresses = iommu === 'translated' ? target.dma[0] : to;
    await engine.unmapSg(target);
    expect(await copy(addresses, source.dma[0], 4 * PAGE_SIZE)).toBe(WRITE_FAILED);
    expect(await copy(two.dma[0], source.dma[0], 3 * PAGE_SIZE)).toBe(WRITE_FAILED);
    expect(at(memory, to, 4 * PAGE_SIZE)).toEqual(new Uint8Array(4 * PAGE_SIZE));
    expect(await copy(two.dma[0], source.dma[1], 2 * PAGE_SIZE)).toBe(0);
    await engine.unmapSingle(other, from, PAGE_SIZE, 'to-device');
    expect(await copy(two.dma[0], source.dma[1], 2 * PAGE_SIZE)).toBe(0);
  });

  it('an unmap waits for a channel in the middle of a descriptor, and so does the next use of the addresses', async () => {
    await using made = await open(iommu);
    const { memory, engine, channel, to, from } = made;
    const source = engine.mapSingle(from, PAGE_SIZE, 'to-device');
    const target = engine.mapSingle(to, PAGE_SIZE, 'from-device');
    at(memory, from).fill(5);
    engine.faults = { descriptor: () => 'silence' };
    channel.submit(channel.prepMemcpy(target, source, PAGE_SIZE, true));
    channel.issuePending();
    await until(() => (Atomics.load(channel.words, SILENCE) & 1) === 1);
    expect(Atomics.load(channel.words, ACTIVE) & 1).toBe(1);
    let isUnmapped = false;
    const unmapping = Promise.resolve(engine.unmapSingle(target, to, PAGE_SIZE, 'from-device')).then(() => {
      isUnmapped = true;
    });
    expect(engine.mapSingle(to + PAGE_SIZE, PAGE_SIZE, 'from-device')).not.toBe(target);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(isUnmapped).toBe(false);
    Atomics.add(channel.words, SILENCE, 1);
    Atomics.notify(channel.words, SILENCE);
    await unmapping;
    // What was translated before was written before.
    expect(at(memory, to)[0]).toBe(5);
  });

  it('what is unmapped twice, or wrongly, is refused and takes nothing away', async () => {
    await using made = await open(iommu);
    const { memory, engine, copy, to, from } = made;
    const target = engine.mapSingle(to, PAGE_SIZE, 'from-device');
    const source = engine.mapSingle(from, 2 * PAGE_SIZE, 'to-device');
    const again = engine.mapSingle(from, 2 * PAGE_SIZE, 'to-device');
    const table = createSgTable(Uint32Array.of(from), Uint32Array.of(PAGE_SIZE));
    engine.mapSg(table, 'to-device');
    for (const [dma, address, bytes, direction] of [
      [source, from, 2 * PAGE_SIZE, 'from-device'],
      [source, from, PAGE_SIZE, 'to-device'],
      [source, from + PAGE_SIZE, 2 * PAGE_SIZE, 'to-device'],
      [source + PAGE_SIZE, from + PAGE_SIZE, PAGE_SIZE, 'to-device'],
      [table.dma[0], from, PAGE_SIZE, 'to-device'],
      [source, from, 0, 'to-device'],
      [Number.NaN, from, 2 * PAGE_SIZE, 'to-device'],
    ] as const) {
      expect(() => engine.unmapSingle(dma, address, bytes, direction), `${dma} ${bytes}`).toThrow(errno('EINVAL'));
    }
    await engine.unmapSingle(source, from, 2 * PAGE_SIZE, 'to-device');
    // Passthrough, both were one address, mapped twice.
    if (again !== source) expect(() => engine.unmapSingle(source, from, 8192, 'to-device')).toThrow(errno('EINVAL'));
    at(memory, from).fill(4);
    expect(await copy(target, again, PAGE_SIZE)).toBe(0);
    await engine.unmapSingle(again, from, 2 * PAGE_SIZE, 'to-device');
    expect(() => engine.unmapSingle(again, from, 2 * PAGE_SIZE, 'to-device')).toThrow(errno('EINVAL'));
    expect(await copy(target, table.dma[0], PAGE_SIZE)).toBe(0);
    expect(at(memory, to)[0]).toBe(4);
  });

  it('ranges that begin in one page are unmapped each once, in any order', async () => {
    await using made = await open(iommu);
    const { memory, engine, copy, to, from } = made;
    const target = engine.mapSingle(to, PAGE_SIZE, 'from-device');
    const ranges = [
      { address: from, bytes: 2 * PAGE_SIZE },
      { address: from, bytes: PAGE_SIZE },
      { address: from + 8, bytes: PAGE_SIZE - 8 },
      { address: from, bytes: 2 * PAGE_SIZE },
      { address: from + 8, bytes: PAGE_SIZE },
    ];
    for (const order of [
      [0, 1, 2, 3, 4],
      [4, 3, 2, 1, 0],
      [2, 0, 4, 1, 3],
    ]) {
      const dma = ranges.map(({ address, bytes }) => engine.mapSingle(address, bytes, 'to-device'));
      const unmap = (i: number) => engine.unmapSingle(dma[i], ranges[i].address, ranges[i].bytes, 'to-device');
      for (const [at, i] of order.entries()) {
        expect(await copy(target, dma[i], 64)).toBe(0);
        expect(() => engine.unmapSingle(dma[i] + 4, ranges[i].address + 4, 64, 'to-device')).toThrow(errno('EINVAL'));
        await unmap(i);
        // Passthrough, the first and the fourth are one address, mapped twice.
        const isAlike = iommu === 'passthrough' && order.slice(at + 1).some((j) => i + j === 3 && i * j === 0);
        if (!isAlike) expect(() => unmap(i), `${order}, ${i}`).toThrow(errno('EINVAL'));
      }
      expect(await copy(target, dma[0], 64)).toBe(READ_FAILED);
    }
    at(memory, from).fill(6);
    const again = engine.mapSingle(from, PAGE_SIZE, 'to-device');
    expect(await copy(target, again, PAGE_SIZE)).toBe(0);
    expect(at(memory, to)[PAGE_SIZE - 1]).toBe(6);
  });

  it('a frame may be mapped more often than 16 bits count, and is so for nothing else', async () => {
    await using made = await open(iommu);
    const { memory, engine, copy, to, from } = made;
    const count = 2 ** 16;
    const all = (address: number) =>
      createSgTable(new Uint32Array(count).fill(address), new Uint32Array(count).fill(PAGE_SIZE));
    const [read, written] = [all(from), all(to)];
    engine.mapSg(read, 'to-device');
    engine.mapSg(written, 'from-device');
    at(memory, from).fill(8);
    expect(await copy(written.dma[0], read.dma[0], PAGE_SIZE)).toBe(0);
    expect(at(memory, to)[0]).toBe(8);
    expect(await copy(read.dma[0], read.dma[1], PAGE_SIZE)).toBe(WRITE_FAILED);
    expect(await copy(written.dma[0], written.dma[1], PAGE_SIZE)).toBe(READ_FAILED);
    await engine.unmapSg(read);
    expect(await copy(written.dma[0], read.dma[0], PAGE_SIZE)).toBe(READ_FAILED);
  });

  it('an unmap doesn’t wait for a channel whose thread is gone', async () => {
    await using made = await open(iommu);
    const { engine, channel, to, from } = made;
    const source = engine.mapSingle(from, PAGE_SIZE, 'to-device');
    engine.faults = { descriptor: () => 'silence' };
    channel.submit(channel.prepMemcpy(to, source, PAGE_SIZE, true));
    channel.issuePending();
    await until(() => (Atomics.load(channel.words, SILENCE) & 1) === 1);
    const unmapping = engine.unmapSingle(source, from, PAGE_SIZE, 'to-device');
    await channel.terminate();
    await unmapping;
  });
});

it('a table is mapped once, and in memory that is a node’s', async () => {
  await using made = await open('translated');
  const { memory, engine, from } = made;
  const table = (address: number, bytes: number) =>
    createSgTable(Uint32Array.of(from, address), Uint32Array.of(1, bytes));
  const good = table(from + 8192, 5000);
  engine.mapSg(good, 'to-device');
  expect(() => engine.mapSg(good, 'to-device')).toThrow(errno('EINVAL'));
  await engine.unmapSg(good);
  expect(() => engine.unmapSg(good)).toThrow(errno('EINVAL'));
  engine.mapSg(good, 'from-device');
  for (const [address, bytes] of [
    [4096, 1],
    [from, 0],
    [memory.bytes.length - 1, 2],
  ]) {
    expect(() => engine.mapSg(table(address, bytes), 'to-device')).toThrow(errno('EINVAL'));
    expect(() => engine.mapSingle(address, bytes, 'to-device')).toThrow(errno('EINVAL'));
  }
});

it('runs out of I/O addresses, and has them again', async () => {
  await using made = await open('translated');
  const { engine, from, copy, to } = made;
  const pages = 4;
  const tables = [];
  // A million ranges of a page would take long: some tables of many.
  const count = 60_000;
  const make = () => createSgTable(new Uint32Array(count).fill(from), new Uint32Array(count).fill(pages * PAGE_SIZE));
  for (;;) {
    const table = make();
    try {
      engine.mapSg(table, 'to-device');
    } catch (error) {
      expect(error).toEqual(errno('ENOMEM'));
      break;
    }
    tables.push(table);
  }
  expect(tables.length).toBe(4);
  const last = tables[3].dma[count - 1];
  const target = engine.mapSingle(to, PAGE_SIZE, 'from-device');
  expect(await copy(target, last, PAGE_SIZE)).toBe(0);
  for (const table of tables) await engine.unmapSg(table);
  const table = make();
  engine.mapSg(table, 'to-device');
  expect(await copy(target, table.dma[0], PAGE_SIZE)).toBe(0);
});

function snapshotOf({ bytes }: PhysicalMemory, start: number, length: number): Uint8Array {
  return bytes.slice(start, start + length);
}
