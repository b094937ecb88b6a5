import { Machine } from 'mtcopy';
import { expect, it } from 'vitest';
import { DOCUMENTS } from '../support/markdown.js';

const GUIDE = DOCUMENTS.find(({ path }) => path === 'docs/migration.md')?.text ?? '';
/** Files that Linux has, or the published drivers. */
const NOT_OUR_OWN = [
  'offloading',
  'threads',
  'reason_mask',
  'nr_dma_chan',
  'folios_migrated',
  'folios_failures',
  'online',
];

/** What stands in backticks from a line on, up to another. */
function namedBetween(from: string, to: string): string[] {
  const start = GUIDE.indexOf(from) + from.length;
  const part = GUIDE.slice(start, GUIDE.indexOf(to, start));
  return Array.from(part.matchAll(/`([\w/]+)`/g), ([, name]) => name);
}

const machine = await Machine.boot({ nodes: ['4M'], cpus: 0 });
const paths = machine.sysfs.files().map(({ path }) => path);
await machine.close();

it('the guide names every file of sysfs', () => {
  const named = namedBetween('\n## sysfs\n', '\n## ');
  const missing = paths.filter((path) => !named.some((name) => path.endsWith(`/${name}`)));
  expect(missing).toEqual([]);
});

it('the guide names every file as its own that neither Linux nor a published driver has, and no other', () => {
  const named = namedBetween('\nOf sysfs:\n', '\nOf migration:\n').filter(
    (name) => !['offloading', 'cpu_mt', 'dcbm'].includes(name),
  );
  const own = paths.filter((path) => !NOT_OUR_OWN.includes(path.slice(path.lastIndexOf('/') + 1)));
  const isNamed = (path: string) => named.some((name) => path.includes(`/${name}`));
  expect(own.filter((path) => !isNamed(path))).toEqual([]);
  expect(paths.filter((path) => !own.includes(path) && isNamed(path))).toEqual([]);
});
