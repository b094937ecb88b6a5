import { Machine, MiB } from 'mtcopy';
import { addThroughputTasks } from 'mtcopy/experiments';
import { Bench } from 'tinybench';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { errorOf } from '../../support/errors.js';

const TOTAL = 4 * MiB;

afterEach(() => vi.restoreAllMocks());

/** Counts the calls that move everything, by what moves it; and the machines that are open. */
function watch() {
  const moved: Record<string, number> = {};
  let open = 0;
  const { movePages, close } = Machine.prototype;
  vi.spyOn(Machine.prototype, 'movePages').mockImplementation(async function (this: Machine, ...call) {
    const result = await movePages.apply(this, call);
    for (const { migrator, bytes } of result.stats.movedBy) if (bytes === TOTAL) count(migrator);
    return result;
  });
  const count = (migrator: string) => {
    moved[migrator] = (moved[migrator] ?? 0) + 1;
  };
  const boot = Machine.boot.bind(Machine);
  vi.spyOn(Machine, 'boot').mockImplementation(async (options) => {
    open++;
    return boot(options);
  });
  vi.spyOn(Machine.prototype, 'close').mockImplementation(function (this: Machine) {
    open--;
    return close.call(this);
  });
  return { moved, isOpen: () => open };
}

describe('addThroughputTasks', () => {
  it('has a bench run every task, and every task move its bytes', async () => {
    const { moved, isOpen } = watch();
    const bench = new Bench({ time: 0, iterations: 3, warmup: false });
    const names = addThroughputTasks(bench, { total: TOTAL, counts: [2] });
    const movers = ['baseline', 'mtcopy×2', 'mtcopy×2 defaults', 'dcbm×2', 'dcbm×2 pre-copy'];
    expect(names).toEqual(['4K', '2M'].flatMap((size) => movers.map((mover) => `${size} ${mover}`)));
    await bench.run();
    expect(bench.tasks.map(({ name }) => name)).toEqual(names);
    for (const { result, runs } of bench.tasks) {
      expect(result.state).toBe('completed');
      expect(runs).toBe(3);
    }
    expect(isOpen()).toBe(0);
    // Two of each to prepare, three that count; what goes there and back before is a part of it.
    expect(moved.kernel).toBe(2 * 5);
    expect(moved.mtcopy).toBe(2 * 2 * 5);
    expect(moved.dcbm).toBe(2 * 2 * 5);
  });

  it('tells the bench what the migration took, and what the rest did', async () => {
    const tasks: (() => Promise<void>)[] = [];
    const bench = {
      add(
        _name: string,
        run: () => Promise<{ overriddenDuration: number; overriddenIterationCost: number }>,
        on: object,
      ) {
        const { beforeAll, afterAll } = on as Record<string, () => Promise<void>>;
        tasks.push(async () => {
          await beforeAll();
          const { overriddenDuration, overriddenIterationCost } = await run();
          await afterAll();
          expect(overriddenDuration).toBeGreaterThan(0);
          // With its verification.
          expect(overriddenIterationCost).toBeGreaterThan(overriddenDuration);
        });
      },
    };
    addThroughputTasks(bench, { total: TOTAL, folioBytes: [4096], ways: ['baseline'] });
    expect(tasks).toHaveLength(1);
    await tasks[0]();
  });

  it('fails a task whose bytes came out wrong', async () => {
    const movePages = Machine.prototype.movePages;
    let moves = 0;
    vi.spyOn(Machine.prototype, 'movePages').mockImplementation(async function (this: Machine, ...call) {
      const result = await movePages.apply(this, call);
      const page = call[0].folioAt(call[1][1000] ?? 0)?.bytes;
      if (page && call[1].length === 1024 && ++moves === 4) page[0] ^= 1;
      return result;
    });
    const bench = new Bench({ time: 0, iterations: 3, warmup: false });
    addThroughputTasks(bench, { total: TOTAL, folioBytes: [4096], ways: ['baseline'] });
    await bench.run();
    expect(bench.tasks[0].result).toMatchObject({ state: 'errored', error: { code: 'EIO' } });
  });

  it.each([
    [{ total: 4096 }, 'total: must be a multiple of the folio size 2M'],
    [{ counts: [17] }, 'counts'],
    [{ ways: ['kernel'] }, 'ways'],
    [{ folios: [4096] }, 'folios'],
  ])('refuses %j', async (options, message) => {
    const error = await errorOf(async () => addThroughputTasks(new Bench(), options as object));
    expect(error).toMatchObject({ code: 'EINVAL', message: expect.stringContaining(message) });
  });
});
