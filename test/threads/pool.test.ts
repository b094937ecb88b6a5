import { expect, it } from 'vitest';
import { prepareThreads, ThreadPool } from '#src/threads/pool.js';
import { errorOf } from '../support/errors.js';
import { until } from '../support/machines.js';
import { watchWorkers } from '../support/threads.js';

it('a task whose thread cannot start fails at once, while another thread still starts, and no more are started for it', async () => {
  await prepareThreads();
  using workers = watchWorkers();
  const words = new Int32Array(new SharedArrayBuffer(16));
  const set = (word: number) => {
    Atomics.store(words, word, 1);
    Atomics.notify(words, word);
  };
  const pool = new ThreadPool<{ name: string; until?: number }, string>({
    url: new URL('../support/programs/task.mjs', import.meta.url),
    setup: { words },
    maxThreads: 8,
    idleTimeout: 10_000,
  });
  const first = pool.run({ name: 'first', until: 2 });
  await until(() => Atomics.load(words, 0) === 1);
  // For the second thread, which is held while it loads its module. It has this task from when the first thread is free.
  const second = pool.run({ name: 'second' });
  await until(() => Atomics.load(words, 0) === 2);
  set(2);
  expect(await first).toBe('first');
  const third = pool.run({ name: 'third', until: 3 });
  const lost = await errorOf(() => pool.run({ name: 'fourth' }));
  expect(lost).toMatchObject({ name: 'RangeError', message: 'not the third' });
  set(1);
  expect(await second).toBe('second');
  set(3);
  expect(await third).toBe('third');
  await until(() => workers.alive.size === 2);
  await pool.close();
  expect(workers.alive.size).toBe(0);
});
