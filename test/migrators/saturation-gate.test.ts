import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import { Machine } from 'mtcopy';
import { afterEach, describe, expect, it, vi } from 'vitest';

/** What the host says of itself; the migrator reads it from a file that it keeps open. */
const host = { cores: 4, runnable: 1 };
const FILE = 4242;

/** Has the host be one of `host.cores` cores, with `host.runnable` tasks. */
function fakeHost(): void {
  const { openSync, readSync } = fs;
  vi.spyOn(os, 'availableParallelism').mockImplementation(() => host.cores);
  vi.spyOn(fs, 'openSync').mockImplementation((path, ...rest) =>
    path === '/proc/loadavg' ? FILE : openSync(path, ...rest),
  );
  vi.spyOn(fs, 'readSync').mockImplementation(((
    file: number,
    buffer: Uint8Array,
    ...rest: [number, number, number]
  ) => {
    if (file !== FILE) return readSync(file, buffer, ...rest);
    return Buffer.from(`12.50 9.01 7.77 ${host.runnable}/812 4711\n`).copy(buffer);
  }) as typeof fs.readSync);
  syncBuiltinESMExports();
}

afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
});

describe('a host whose cores are all busy', () => {
  it('has its batches copied by the calling thread, but only if the gate says so', async () => {
    fakeHost();
    await using machine = await Machine.boot({
      nodes: ['16M', '16M'],
      cpus: 0,
      flow: 'pre-copy',
      migrator: 'mtcopy',
      threads: 1,
    });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '2M', populate: true });
    const gate = '/sys/kernel/cpu_mt/saturation_gate';
    expect(machine.sysfs.read(gate)).toBe('0');
    let node = 0;
    /** Who copies while so many tasks beside this thread run, and how many batches are declined. */
    const copies = async (others: number): Promise<[string | undefined, number]> => {
      host.runnable = others + 1;
      node = 1 - node;
      const { stats } = await machine.movePages(mm, area.pages(), { node });
      expect(stats.succeeded).toBe(512);
      return [stats.movedBy[0]?.migrator, stats.declined];
    };
    expect(await copies(40)).toEqual(['mtcopy', 0]);
    await machine.sysfs.write(gate, '1');
    expect(machine.sysfs.read(gate)).toBe('1');
    expect(await copies(3)).toEqual(['mtcopy', 0]);
    expect(await copies(4)).toEqual(['kernel', 1]);
    expect(await copies(400)).toEqual(['kernel', 1]);
    host.cores = 401;
    expect(await copies(400)).toEqual(['mtcopy', 0]);
    await machine.sysfs.write(gate, '0');
    expect(await copies(1000)).toEqual(['mtcopy', 0]);
  });

  it('has its folios cleared by the calling thread, but only if the gate says so', async () => {
    fakeHost();
    host.cores = 4;
    await using machine = await Machine.boot({ nodes: ['16M'], cpus: 0, migrator: 'mtcopy', threads: 1 });
    const mm = machine.createAddressSpace();
    /** Who clears so far, while so many tasks beside this thread run. */
    const clears = async (others: number): Promise<string[]> => {
      host.runnable = others + 1;
      await mm.read(mm.mmap({ length: '2M', folioSize: '2M' }).address, 1);
      return machine.offload.clearedBy.map(({ migrator, folios }) => `${migrator} ${folios}`);
    };
    expect(await clears(40)).toEqual(['mtcopy 1']);
    await machine.sysfs.write('/sys/kernel/cpu_mt/saturation_gate', '1');
    expect(await clears(4)).toEqual(['mtcopy 1', 'kernel 1']);
    expect(await clears(3)).toEqual(['mtcopy 2', 'kernel 1']);
  });
});
