import { createHash } from 'node:crypto';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AddressSpace, Machine } from 'mtcopy';
import { afterAll, describe, expect, it } from 'vitest';
import { fillRandom } from '../support/bytes.js';
import { errno, errorOf } from '../support/errors.js';
import { freePages } from '../support/machines.js';
import { program } from '../support/programs.js';

const folder = mkdtempSync(join(tmpdir(), 'mtcopy-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

const BYTES = 5 * 2 ** 20 + 4096 * 3 + 123;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

function makeFile(name: string, bytes = BYTES): { file: string; content: Buffer; sha: string } {
  const file = join(folder, name);
  const content = Buffer.alloc(bytes);
  fillRandom(content, bytes);
  writeFileSync(file, content);
  return { file, content, sha: sha256(content) };
}

describe.each(['4K', '64K', '2M', '4M'])('a file in folios of %s', (folioSize) => {
  it.each([true, false])('has all its bytes, and zeros after them; populate: %s', async (populate) => {
    const { file, sha } = makeFile('all');
    await using machine = await Machine.boot({ nodes: ['32M', '32M'] });
    const before = freePages(machine);
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ file, folioSize, populate, node: 1 });
    expect(area.length).toBe(Math.ceil(BYTES / area.folioSize) * area.folioSize);
    const read = await mm.read(area.address, area.length);
    expect(sha256(read.subarray(0, BYTES))).toBe(sha);
    expect(read.subarray(BYTES).every((byte) => byte === 0)).toBe(true);
    expect(freePages(machine)).toEqual([before[0], before[1] - area.length / 4096]);
    await mm.close();
    expect(freePages(machine)).toEqual(before);
  });

  it.each(['kernel', 'mtcopy'] as const)('keeps them on its way between nodes: %s', async (migrator) => {
    const { file, sha } = makeFile('moving');
    await using machine = await Machine.boot({ nodes: ['32M', '32M'], migrator, threads: 2 });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ file, folioSize, populate: true });
    for (const node of [1, 0, 1]) {
      const { status, notMigrated } = await machine.movePages(mm, area.pages(), { node });
      expect([new Set(status), notMigrated]).toEqual([new Set([node]), 0]);
      expect(sha256((await mm.read(area.address, area.length)).subarray(0, BYTES))).toBe(sha);
    }
  });

  it('is cached once for all who map it, and dropped with the last area', async () => {
    const { file, content } = makeFile('cached');
    await using machine = await Machine.boot({ nodes: ['32M'], cpus: 1 });
    const before = freePages(machine);
    const spaces = [machine.createAddressSpace(), machine.createAddressSpace()] as const;
    const areas = spaces.map((mm) => mm.mmap({ file, folioSize, populate: true }));
    const again = spaces[0].mmap({ file, folioSize: '4K', length: '1M', populate: true });
    const [a, b] = areas.map(({ mm, address }) => mm.folioAt(address + 2 ** 20 - 4096));
    expect(a?.pfn).toBe(b?.pfn);
    expect(spaces[0].folioAt(again.address + 2 ** 20 - 4096)?.pfn).toBe(a?.pfn);
    const cached = before[0] - areas[0]?.length / 4096;
    expect(freePages(machine)).toEqual([cached]);
    await spaces[0].close();
    expect(freePages(machine)).toEqual([cached]);
    const args = [['load8', areas[1]?.address + 4097]];
    expect(await machine.cpus.run(spaces[1], program('access'), { args })).toEqual([content[4097]]);
    await spaces[1].munmap(areas[1]?.address, areas[1]?.length);
    expect(freePages(machine)).toEqual(before);
  });

  it('is copied page by page by stores into a private area, and changed by those into a shared one', async () => {
    const { file, content, sha } = makeFile('stores');
    await using machine = await Machine.boot({ nodes: ['32M'], cpus: 1 });
    const before = freePages(machine);
    const spaces = Array.from({ length: 3 }, () => machine.createAddressSpace());
    const [priv, shared, other] = spaces as [AddressSpace, AddressSpace, AddressSpace];
    const own = priv.mmap({ file, folioSize, populate: true });
    const common = shared.mmap({ file, folioSize, shared: true });
    const seen = other.mmap({ file, folioSize, shared: true, populate: true });
    const used = () => before[0] - freePages(machine)[0] - own.length / 4096;
    expect(used()).toBe(0);
    const args = [
      ['load8', own.address + 5000],
      ['store8', own.address + 5000, 1],
      ['load8', own.address + 5000],
      ['load8', own.address + 5001],
    ];
    expect(await machine.cpus.run(priv, program('access'), { args })).toEqual([
      content[5000],
      undefined,
      1,
      content[5001],
    ]);
    expect(used()).toBe(1);
    expect(await shared.read(common.address + 5000, 1)).toEqual(Uint8Array.of(content[5000]));
    await priv.write(own.address + 9000, Uint8Array.of(2));
    expect(used()).toBe(2);
    await shared.write(common.address + 9000, Uint8Array.of(77));
    await shared.write(common.address + 13000, Uint8Array.of(78));
    expect(await other.read(seen.address + 9000, 1)).toEqual(Uint8Array.of(77));
    // Its own page, and one that it still reads from the cache.
    expect(await priv.read(own.address + 9000, 1)).toEqual(Uint8Array.of(2));
    expect(await priv.read(own.address + 13000, 1)).toEqual(Uint8Array.of(78));
    expect(used()).toBe(2);
    await machine.close();
    expect(freePages(machine)).toEqual(before);
    expect(sha256(readFileSync(file))).toBe(sha);
  });
});

it('may be mapped in part', async () => {
  const { file, content } = makeFile('part');
  await using machine = await Machine.boot({ nodes: ['32M'] });
  const before = freePages(machine);
  const mm = machine.createAddressSpace();
  const area = mm.mmap({ file, length: '64K', populate: true });
  expect(freePages(machine)).toEqual([before[0] - 16]);
  expect(Buffer.from(await mm.read(area.address, 65536)).equals(content.subarray(0, 65536))).toBe(true);
  expect(await errorOf(() => mm.read(area.address + 65536, 1))).toEqual(errno('EFAULT'));
});

it('is known by its inode, not by its name', async () => {
  const { file } = makeFile('named');
  symlinkSync(file, join(folder, 'alias'));
  await using machine = await Machine.boot({ nodes: ['32M'] });
  const mm = machine.createAddressSpace();
  const areas = [file, join(folder, 'alias')].map((path) => mm.mmap({ file: path, populate: true }));
  const [a, b] = areas.map(({ address }) => mm.folioAt(address)?.pfn);
  expect(a).toBe(b);
});

it('that grows is as long as it was while it is cached', async () => {
  const { file } = makeFile('growing', 8192);
  await using machine = await Machine.boot({ nodes: ['32M'] });
  const mm = machine.createAddressSpace();
  const first = mm.mmap({ file, populate: true });
  appendFileSync(file, new Uint8Array(6 * 2 ** 20).fill(1));
  expect(mm.mmap({ file }).length).toBe(8192);
  expect(() => mm.mmap({ file, length: '6M', populate: true })).toThrow(errno('EINVAL'));
  await mm.close();
  const again = machine.createAddressSpace();
  const area = again.mmap({ file, populate: true });
  expect(area.length).toBe(8192 + 6 * 2 ** 20);
  expect(await again.read(area.address + area.length - 1, 1)).toEqual(Uint8Array.of(1));
  expect(first.length).toBe(8192);
});

it.each([
  ['that does not exist', 'nowhere', 'ENOENT'],
  ['that is a folder', '.', 'EINVAL'],
  ['that is empty', 'empty', 'EINVAL'],
])('refuses a file %s', async (_, name, code) => {
  writeFileSync(join(folder, 'empty'), '');
  await using machine = await Machine.boot({ nodes: ['32M'] });
  const mm = machine.createAddressSpace();
  expect(() => mm.mmap({ file: join(folder, name), populate: true })).toThrow(errno(code));
  expect(mm.mmap({ length: '4K' }).address).toBe(2 ** 21);
});

it.each([
  ['more than the file', { length: '6M' }],
  ['no name', { file: '' }],
  ['a name that is none', { file: 7 }],
  ['a part of a folio', { length: '1M', folioSize: '2M' }],
])('refuses %s', async (_, options) => {
  const { file } = makeFile('refused');
  await using machine = await Machine.boot({ nodes: ['32M'] });
  const before = freePages(machine);
  const mm = machine.createAddressSpace();
  expect(() => mm.mmap({ file, populate: true, ...options } as never)).toThrow(errno('EINVAL'));
  expect(freePages(machine)).toEqual(before);
});

it('that does not fit leaves nothing behind', async () => {
  const { file, sha } = makeFile('large');
  await using machine = await Machine.boot({ nodes: ['4M', '32M'] });
  const before = freePages(machine);
  const mm = machine.createAddressSpace();
  expect(() => mm.mmap({ file, populate: true })).toThrow(errno('ENOMEM'));
  expect(freePages(machine)).toEqual(before);
  const area = mm.mmap({ file, populate: true, node: 1 });
  expect(sha256((await mm.read(area.address, area.length)).subarray(0, BYTES))).toBe(sha);
});
