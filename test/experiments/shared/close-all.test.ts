import { closeAll } from 'mtcopy/experiments';
import { expect, it } from 'vitest';
import { errorOf } from '../../support/errors.js';

it('closes all, also after one that fails, and throws what that has thrown once all have ended', async () => {
  const ended: string[] = [];
  const closer = (name: string, close: () => Promise<unknown>) => ({
    close: () =>
      close().finally(() => {
        ended.push(name);
      }),
  });
  const error = await errorOf(() =>
    closeAll([
      closer('first', () => Promise.reject(new Error('stuck'))),
      {
        close: () => {
          throw new Error('at once');
        },
      },
      closer('last', () => new Promise((resolve) => setTimeout(resolve, 5))),
    ]),
  );
  expect(error).toMatchObject({ message: 'stuck' });
  expect(ended).toEqual(['first', 'last']);
});

it('closes nothing without a word', async () => {
  expect(await closeAll([])).toBeUndefined();
});
