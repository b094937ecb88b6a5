import fs, { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AddressSpace, type Area, Machine } from 'mtcopy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PG } from '#src/memory/page-metadata.js';
import { PhysicalMemory } from '#src/memory/physical-memory.js';
import { emptyFlushBatch, TlbFlusher, UnresponsiveCpuError } from '#src/mm/tlb-flush.js';
import { failEach, methodStep, type Step } from '../support/faults.js';
import { expectAtRest, expectBytes, freePages } from '../support/machines.js';

const PAGE = 4096;
const PAGES = 8;

let machine: Machine;
beforeAll(async () => {
  machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0 });
});
afterAll(() => machine.close());

const STEPS: Record<string, Step> = {
  allocation: methodStep(PhysicalMemory.prototype, 'takeFolio', () => 0 as never),
  flush: methodStep(TlbFlusher.prototype, 'flush', (batch) => {
    emptyFlushBatch(batch);
    return Promise.reject(new UnresponsiveCpuError([0], 1, Promise.resolve()));
  }),
  lock(n) {
    const { flags } = machine.memory.page;
    const or = Atomics as { or(array: Int32Array, index: number, value: number): number };
    const isLock = (array: unknown, _: number, value: number) => array === flags && value === PG.locked;
    return methodStep(or, 'or', (array, index) => array[index] | PG.locked, isLock)(n);
  },
};

/** The code that something fails with; `undefined` if it doesn't. */
async function codeOf(run: () => unknown): Promise<string | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === undefined) throw error;
    return code;
  }
}

/** Stores a byte to all of a page, if that can be done now, and notes in `bytes` that it was. */
async function storePage({ mm, address }: Area, bytes: Uint8Array, page: number, value: number): Promise<void> {
  const code = await codeOf(() => mm.write(address + page * PAGE, new Uint8Array(PAGE).fill(value)));
  expect([undefined, 'ENOMEM', 'ETIMEDOUT']).toContain(code);
  if (code === undefined) bytes.fill(value, page * PAGE, (page + 1) * PAGE);
}

describe.each(['4K', '16K'])(
  'folios of %s: a fork, and stores to both sides, whichever time it is that fails of',
  (folioSize) => {
    it.each(Object.keys(STEPS))('%s', async (name) => {
      const free = freePages(machine);
      const failures = await failEach(STEPS[name], async (fault, n) => {
        const parent = machine.createAddressSpace();
        const child = machine.createAddressSpace();
        const area = parent.mmap({ length: PAGES * PAGE, folioSize });
        // Of what can't be faulted in nothing is stored.
        const bytes = new Uint8Array(area.length);
        for (let page = 0; page < PAGES; page++) await storePage(area, bytes, page, 1 + page);
        const forked = await codeOf(() => parent.fork(area, child));
        // After a CPU that doesn't answer, the child has the area all the same.
        expect([undefined, 'ETIMEDOUT']).toContain(forked);
        const copy = { ...area, mm: child, pages: () => area.pages() } as Area;
        const theirs = bytes.slice();
        for (let page = 0; page < 5; page++) await storePage(copy, theirs, page, 100 + page);
        for (let page = 3; page < PAGES; page++) await storePage(area, bytes, page, 200 + page);
        fault[Symbol.dispose]();
        await expectBytes(area, bytes);
        await expectBytes(copy, theirs);
        expectAtRest(area);
        expectAtRest(copy);
        // And what failed goes now.
        await parent.write(area.address, new Uint8Array(area.length).fill(n));
        expect(new Set(await parent.read(area.address, area.length))).toEqual(new Set([n & 255]));
        await expectBytes(copy, theirs);
        await parent.close();
        await child.close();
        expect(freePages(machine)).toEqual(free);
      });
      expect(failures).toBeGreaterThan(1);
    });
  },
);

describe('mmap with populate, whichever allocation fails', () => {
  it.each([{ folioSize: '4K' }, { folioSize: '16K' }, { folioSize: '4K', shared: true }])('%j', async (options) => {
    const free = freePages(machine);
    const mm = machine.createAddressSpace();
    const failures = await failEach(STEPS.allocation, async (fault) => {
      let area: Area | undefined;
      const code = await codeOf(() => {
        area = mm.mmap({ length: '32K', populate: true, ...options });
      });
      fault[Symbol.dispose]();
      if (area) return mm.munmap(area.address, area.length);
      expect(code).toBe('ENOMEM');
      expect(freePages(machine)).toEqual(free);
      expect(mm.vmas).toEqual([]);
    });
    expect(failures).toBe(options.folioSize === '4K' ? 8 : 2);
    expect(freePages(machine)).toEqual(free);
    await mm.close();
  });
});

describe('munmap', () => {
  it('unmaps all the same, whichever flush a CPU does not answer', async () => {
    const free = freePages(machine);
    const mm = machine.createAddressSpace();
    const failures = await failEach(STEPS.flush, async (fault) => {
      const areas = Array.from({ length: 3 }, () => mm.mmap({ length: '16K', populate: true }));
      for (const { address, length } of areas) {
        expect([undefined, 'ETIMEDOUT']).toContain(await codeOf(() => mm.munmap(address, length)));
        expect(mm.folioAt(address)).toBeUndefined();
      }
      fault[Symbol.dispose]();
      // Once the CPU has answered.
      await new Promise((resolve) => setImmediate(resolve));
      expect(freePages(machine)).toEqual(free);
    });
    expect(failures).toBe(3);
    await mm.close();
  });
});

describe('a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mtcopy-faults-'));
  const path = join(folder, 'file');
  const content = Uint8Array.from({ length: 6 * PAGE - 100 }, (_, i) => i * 31);
  writeFileSync(path, content);
  afterAll(() => rmSync(folder, { recursive: true }));

  /** A read of a file that the disk fails. */
  const reading: Step = (n) => {
    const fault = methodStep(fs as { readSync(...args: never[]): number }, 'readSync', () => {
      throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
    })(n);
    syncBuiltinESMExports();
    return {
      get times() {
        return fault.times;
      },
      [Symbol.dispose]() {
        fault[Symbol.dispose]();
        syncBuiltinESMExports();
      },
    };
  };

  it.each(['reading', 'allocation'])('that is loaded page by page, whichever %s fails', async (name) => {
    const free = freePages(machine);
    const failures = await failEach(name === 'reading' ? reading : STEPS.allocation, async (fault) => {
      const mm = machine.createAddressSpace();
      const area = mm.mmap({ file: path });
      const codes = [];
      for (const address of area.pages()) codes.push(await codeOf(() => mm.read(address, PAGE)));
      fault[Symbol.dispose]();
      expect(codes.filter((code) => code !== undefined).length).toBeLessThan(2);
      const bytes = new Uint8Array(area.length);
      bytes.set(content);
      await expectBytes(area, bytes);
      await mm.close();
      expect(freePages(machine)).toEqual(free);
    });
    expect(failures).toBeGreaterThan(5);
  });

  it.each(['reading', 'allocation'])('that is populated, whichever %s fails', async (name) => {
    const free = freePages(machine);
    const mm: AddressSpace = machine.createAddressSpace();
    const failures = await failEach(name === 'reading' ? reading : STEPS.allocation, async (fault) => {
      const code = await codeOf(() => mm.mmap({ file: path, populate: true }));
      fault[Symbol.dispose]();
      if (code !== undefined) expect(freePages(machine)).toEqual(free);
      const area = mm.mmap({ file: path, populate: true });
      const bytes = new Uint8Array(area.length);
      bytes.set(content);
      await expectBytes(area, bytes);
      for (const { start, end } of [...mm.vmas]) await mm.munmap(start * PAGE, (end - start) * PAGE);
      expect(freePages(machine)).toEqual(free);
    });
    expect(failures).toBeGreaterThan(5);
    await mm.close();
  });
});
