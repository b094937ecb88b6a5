import { Machine } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import type { Attribute } from '#src/sysfs/attribute.js';
import { Sysfs } from '#src/sysfs/sysfs.js';
import { Lifetime } from '#src/threads/lifetime.js';
import { errno, errorOf } from '../support/errors.js';

/** A tree with a file that takes anything when it is told to, one that can't be written to, and one that refuses. */
function createTree() {
  const written: string[] = [];
  const waiting: (() => void)[] = [];
  const slow: Attribute = {
    doc: 'takes anything',
    show: () => written.at(-1) ?? '',
    async store(text) {
      await new Promise<void>((resolve) => waiting.push(resolve));
      if (text === 'wrong') throw new Error('wrong');
      written.push(text);
    },
  };
  const fixed: Attribute = { doc: 'is what it is', show: () => '7' };
  const lifetime = new Lifetime('closed');
  const sysfs = new Sysfs({ 'kernel/a': { slow, fixed }, 'kernel/b/c': { fixed, other: { ...slow } } }, lifetime);
  /** Lets what waits go on, one after the other, until nothing does. */
  const goOn = async () => {
    for (let turn = 0; turn < 10; turn++) {
      waiting.shift()?.();
      await new Promise(setImmediate);
    }
  };
  return { sysfs, lifetime, written, waiting, goOn };
}

describe('the tree', () => {
  it('has directories with what is in them, and files with their values and meanings', () => {
    const { sysfs } = createTree();
    for (const root of ['/sys', '/sys/', '//sys//', '/sys//']) expect(sysfs.list(root)).toEqual(['kernel']);
    for (const path of ['kernel', '/sys/kernel', 'kernel/', '/sys//kernel/'])
      expect(sysfs.list(path)).toEqual(['a', 'b']);
    expect(sysfs.list('kernel/a')).toEqual(['slow', 'fixed']);
    for (const path of ['kernel/a/fixed', '/sys/kernel/a/fixed', 'kernel//a//fixed'])
      expect(sysfs.read(path)).toBe('7');
    expect(sysfs.files()).toEqual([
      { path: '/sys/kernel/a/slow', value: '', writable: true, doc: 'takes anything' },
      { path: '/sys/kernel/a/fixed', value: '7', writable: false, doc: 'is what it is' },
      { path: '/sys/kernel/b/c/fixed', value: '7', writable: false, doc: 'is what it is' },
      { path: '/sys/kernel/b/c/other', value: '', writable: true, doc: 'takes anything' },
    ]);
  });

  it.each([
    ['ENOENT', ''],
    ['ENOENT', '/'],
    ['ENOENT', '/kernel/a/fixed'],
    ['ENOENT', 'sys/kernel/a/fixed'],
    ['ENOENT', '/sysfs'],
    ['ENOENT', 'kernel/a/none'],
    ['ENOENT', 'kernel/none/fixed'],
    ['ENOENT', 'kernel/a/../a/fixed'],
    ['ENOENT', 'kernel/a/ fixed'],
    ['ENOENT', 'kernel/a/Fixed'],
    ['ENOENT', '__proto__'],
    ['ENOENT', 'kernel/constructor'],
    ['ENOENT', 'kernel/a/toString'],
    ['ENOTDIR', 'kernel/a/fixed/more'],
    ['ENOTDIR', 'kernel/a/slow/more'],
    ['EINVAL', undefined],
    ['EINVAL', null],
    ['EINVAL', 7],
    ['EINVAL', ['kernel']],
  ])('answers %s to %j, however it is asked', async (code, path) => {
    const { sysfs, written } = createTree();
    expect(await errorOf(() => sysfs.read(path as string))).toEqual(errno(code));
    expect(await errorOf(() => sysfs.list(path as string))).toEqual(errno(code));
    expect(await errorOf(() => sysfs.write(path as string, '1'))).toEqual(errno(code));
    expect(written).toEqual([]);
  });

  it('answers EISDIR to whoever reads a directory or writes to one, and ENOTDIR to whoever lists a file', async () => {
    const { sysfs } = createTree();
    for (const path of ['/sys', 'kernel', '/sys/kernel/b', 'kernel/b/c/']) {
      expect(await errorOf(() => sysfs.read(path))).toEqual(errno('EISDIR'));
      expect(await errorOf(() => sysfs.write(path, '1'))).toEqual(errno('EISDIR'));
    }
    for (const path of ['kernel/a/fixed', 'kernel/a/slow']) {
      expect(await errorOf(() => sysfs.list(path))).toEqual(errno('ENOTDIR'));
    }
  });

  it('answers EACCES to whoever writes to a file that can only be read', async () => {
    const { sysfs } = createTree();
    for (const value of ['7', '8', '']) {
      expect(await errorOf(() => sysfs.write('kernel/a/fixed', value))).toEqual(errno('EACCES'));
    }
    expect(sysfs.read('kernel/a/fixed')).toBe('7');
  });

  it('takes what is written to one file at once in order, past what fails, and other files meanwhile', async () => {
    const { sysfs, written, waiting, goOn } = createTree();
    const texts = ['1', '2', 'wrong', '3'];
    const writes = texts.map((text) => sysfs.write('kernel/a/slow', text));
    const other = sysfs.write('kernel/b/c/other', 'b');
    const outcomes = Promise.allSettled([...writes, other]);
    await new Promise(setImmediate);
    // The first of each file, and no other.
    expect([waiting.length, written]).toEqual([2, []]);
    await goOn();
    expect((await outcomes).map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
    expect(written.filter((text) => text !== 'b')).toEqual(['1', '2', '3']);
    expect(sysfs.read('kernel/a/slow')).toBe(written.at(-1));
  });

  it('is not closed before what is written has been taken, and takes nothing from then on', async () => {
    const { sysfs, lifetime, written, goOn } = createTree();
    const writes = ['1', '2'].map((text) => sysfs.write('kernel/a/slow', text));
    let isClosed = false;
    const closing = lifetime.close(async () => {
      isClosed = true;
    });
    expect(await errorOf(() => sysfs.write('kernel/a/slow', '3'))).toEqual(errno('ESHUTDOWN'));
    await new Promise(setImmediate);
    expect(isClosed).toBe(false);
    await goOn();
    await Promise.all([...writes, closing]);
    expect(written).toEqual(['1', '2']);
    expect(sysfs.read('kernel/a/slow')).toBe('2');
  });
});

it('a machine has these files, which may be written to or not, with what it has at first', async () => {
  await using machine = await Machine.boot({ nodes: ['4M'], cpus: 0 });
  const { sysfs } = machine;
  expect(sysfs.files().map(({ path, value, writable }) => [path, value, writable])).toEqual([
    ['/sys/kernel/cpu_mt/offloading', '0', true],
    ['/sys/kernel/cpu_mt/reason_mask', 'compaction,syscall_or_cpuset,numa_misplaced,demotion', true],
    ['/sys/kernel/cpu_mt/threads', '4', true],
    ['/sys/kernel/cpu_mt/min_folios', '1', true],
    ['/sys/kernel/cpu_mt/min_bytes', '524288', true],
    ['/sys/kernel/cpu_mt/schedule', 'dynamic', true],
    ['/sys/kernel/cpu_mt/saturation_gate', '0', true],
    ['/sys/kernel/cpu_mt/caller', 'auto', true],
    ['/sys/kernel/dcbm/offloading', '0', true],
    ['/sys/kernel/dcbm/reason_mask', 'compaction,syscall_or_cpuset,numa_misplaced,demotion', true],
    ['/sys/kernel/dcbm/nr_dma_chan', '1', true],
    ['/sys/kernel/dcbm/min_folios', '1', true],
    ['/sys/kernel/dcbm/min_bytes', '0', true],
    ['/sys/kernel/dcbm/setup', 'batch', true],
    ['/sys/kernel/dcbm/wait', 'sleep', true],
    ['/sys/kernel/dcbm/cpu_share', '0', true],
    ['/sys/kernel/dcbm/timeout_ms', '10000', true],
    ['/sys/kernel/dcbm/queue_depth', '1024', true],
    ['/sys/kernel/dcbm/folios_migrated', '0', true],
    ['/sys/kernel/dcbm/folios_failures', '0', true],
    ['/sys/kernel/mm/migration/offload_migrator', 'kernel', true],
    ['/sys/kernel/mm/migration/flow', 'vanilla', true],
    ['/sys/kernel/mm/migration/max_batch', '512', true],
    ['/sys/kernel/mm/migration/demotion_stores', 'streaming', true],
    ['/sys/devices/system/node/online', '0', false],
    ['/sys/devices/system/cpu/online', '', false],
  ]);
  expect(sysfs.list('/sys')).toEqual(['kernel', 'devices']);
  expect(sysfs.list('/sys/kernel')).toEqual(['cpu_mt', 'dcbm', 'mm']);
  for (const { path, value, writable, doc } of sysfs.files()) {
    expect(sysfs.read(path)).toBe(value);
    // What is read may be written, where anything may.
    if (writable) await sysfs.write(path, `${value}\n`);
    else expect(await errorOf(() => sysfs.write(path, `${value}\n`))).toEqual(errno('EACCES'));
    expect(sysfs.read(path)).toBe(value);
    expect(doc).not.toBe('');
  }
  await machine.close();
  for (const { path, value } of sysfs.files()) {
    expect(await errorOf(() => sysfs.write(path, value))).toEqual(errno('ESHUTDOWN'));
    expect(sysfs.read(path)).toBe(value);
  }
});
