import { FLOWS, Machine, type Migrator } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { isAll } from '../support/bytes.js';
import { errorOf } from '../support/errors.js';
import { expectAtRest, expectBytes, filled, freePages } from '../support/machines.js';
import { program } from '../support/programs.js';

const SIZES = { nodes: ['16M', '16M'], cpus: 0 } as const;

/** A list that answers `later` once each of its elements was read. */
function changing(list: number[], later: number): number[] {
  let reads = 0;
  return new Proxy(list, {
    get: (target, key) => (/^\d+$/.test(String(key)) && ++reads > target.length ? later : Reflect.get(target, key)),
  });
}

describe('move_pages', () => {
  it.each([99, -1, Number.NaN])('goes by what it has checked, though nodes become %d', async (later) => {
    await using machine = await Machine.boot(SIZES);
    const area = machine.createAddressSpace().mmap({ length: '16K', populate: true });
    const { status } = await machine.movePages(area.mm, area.pages(), { nodes: changing([1, 0, 1, 1], later) });
    expect(Array.from(status)).toEqual([1, 0, 1, 1]);
    expectAtRest(area);
  });

  it.each([-4096, 0.5, Number.NaN])('goes by what it has checked, though pages become %d', async (later) => {
    await using machine = await Machine.boot(SIZES);
    const area = machine.createAddressSpace().mmap({ length: '16K', populate: true });
    const { status } = await machine.movePages(area.mm, changing(Array.from(area.pages()), later), { node: 1 });
    expect(Array.from(status)).toEqual([1, 1, 1, 1]);
    expectAtRest(area);
  });
});

describe.each(FLOWS)('%s: a migrator', (flow) => {
  it.each([-16, Number.NaN, 1.5, 2 ** 31, undefined, '0', {}])(
    'that answers %s and marks nothing has the calling thread copy',
    async (is) => {
      for (const answer of [is, Promise.resolve(is)]) {
        await using machine = await Machine.boot({ ...SIZES, flow });
        const area = machine.createAddressSpace().mmap({ length: '8K', populate: true });
        const bytes = await filled(area);
        const migrator: Migrator = { name: 'wrong', copyFolios: () => answer as number };
        const { status, stats } = await machine.movePages(area.mm, area.pages(), { node: 1, migrator });
        expect(Array.from(status)).toEqual([1, 1]);
        expect(stats.movedBy).toEqual([{ migrator: 'kernel', folios: 2, bytes: 8192 }]);
        await expectBytes(area, bytes);
        expectAtRest(area);
      }
    },
  );
});

it.each(FLOWS.flatMap((flow) => [undefined, null, 0, ''].map((thrown) => [flow, thrown])))(
  '%s: a migrator that throws %s makes the call fail, too',
  async (flow, thrown) => {
    await using machine = await Machine.boot(SIZES);
    const area = machine.createAddressSpace().mmap({ length: '16K', populate: true });
    const migrator = {
      name: 'wrong',
      copyFolios: () => Promise.reject(thrown),
    };
    const moving = machine.movePages(area.mm, area.pages(), { node: 1, flow: flow as 'serial', migrator });
    const failed = await moving.then(
      () => 'nothing was thrown',
      (error) => error,
    );
    if (thrown === undefined || thrown === null) expect(failed).toMatchObject({ name: 'ErrnoError', code: 'EIO' });
    else expect(failed).toBe(thrown);
    expectAtRest(area);
  },
);

describe('a program', () => {
  it('that goes on after its end reaches no memory, whoever has it by then', async () => {
    await using machine = await Machine.boot({ nodes: ['16M'], cpus: 1 });
    const free = freePages(machine);
    const mm = machine.createAddressSpace();
    const { address, length } = mm.mmap({ length: '4K', populate: true });
    const outcome = new Int32Array(new SharedArrayBuffer(8));
    await machine.cpus.run(mm, program('goes-on'), { args: { address, outcome } });
    await mm.munmap(address, length);
    expect(freePages(machine)).toEqual(free);
    const other = machine.createAddressSpace();
    const area = other.mmap({ length: '16M', populate: true });
    // The thread's event loop turns, and with it the timers of the first program, while it loads the next.
    const next = `data:text/javascript,await new Promise((resolve) => setTimeout(resolve, 50)); export default () => 1`;
    expect(await machine.cpus.run(other, next)).toBe(1);
    expect(Array.from(outcome)).toEqual([0, 1]);
    expect(isAll(await other.read(area.address, area.length), 0)).toBe(true);
  });

  it('that is async makes no access after its end', async () => {
    await using machine = await Machine.boot({ nodes: ['16M'], cpus: 1 });
    const mm = machine.createAddressSpace();
    const { address } = mm.mmap({ length: '4K', populate: true });
    const outcome = new Int32Array(new SharedArrayBuffer(8));
    const args = { address, outcome, isAsync: true };
    expect(await errorOf(() => machine.cpus.run(mm, program('goes-on'), { args }))).toMatchObject({ code: 'EINVAL' });
    expect(Array.from(outcome)).toEqual([0, 1]);
  });
});
