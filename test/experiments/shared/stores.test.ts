import { Machine, MiB } from 'mtcopy';
import { addThroughputTasks, type TaskTime, WAY_NAMES } from 'mtcopy/experiments';
import { expect, it, vi } from 'vitest';

it('what was published keeps stores in the caches, and only what has the defaults decides', async () => {
  const moved = vi.spyOn(Machine.prototype, 'movePages');
  for (const way of WAY_NAMES) {
    moved.mockClear();
    const bench = {
      tasks: [] as (() => Promise<TaskTime>)[],
      options: [] as { beforeAll: () => Promise<void>; afterAll: () => Promise<void> }[],
      add(_: string, run: () => Promise<TaskTime>, options: (typeof this.options)[0]) {
        this.tasks.push(run);
        this.options.push(options);
      },
    };
    addThroughputTasks(bench, { total: 4 * MiB, folioBytes: [2 * MiB], ways: [way], counts: [1] });
    await bench.options[0]?.beforeAll();
    await bench.options[0]?.afterAll();
    const stores = new Set(moved.mock.calls.map(([, , options]) => options?.stores));
    expect(stores, way).toEqual(new Set([way === 'mtcopy-defaults' ? 'auto' : 'cached']));
  }
  moved.mockRestore();
});
