import { Machine } from 'mtcopy';
import { expect, it } from 'vitest';
import { errno, errorOf } from '../support/errors.js';
import { ROOT } from '../support/paths.js';

const FILE = `${ROOT}/package.json`;

it('a file of which a page is locked, as while it is being moved, is not populated: EAGAIN, and nothing is mapped', async () => {
  await using machine = await Machine.boot({ nodes: ['16M'], cpus: 0 });
  const mm = machine.createAddressSpace();
  const first = mm.mmap({ file: FILE, populate: true, shared: true });
  const folio = mm.folioAt(first.address);
  expect(folio?.tryLock()).toBe(true);
  const populate = () => mm.mmap({ file: FILE, populate: true, shared: true });
  expect(await errorOf(populate)).toEqual(errno('EAGAIN'));
  expect(folio?.mapcount).toBe(1);
  folio?.unlock();
  // The same addresses: the attempt has left none behind.
  expect(populate().address - first.address).toBe(2 ** 21);
  expect(folio?.mapcount).toBe(2);
});
