import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll } from 'vitest';
import { ROOT } from './paths.js';

/** The library without its file in C, in a place of its own while this file's tests run: what to import it by. */
export function libraryWithoutNative(name: string): string {
  const copy = join(ROOT, 'build', `without-native-${name}`);
  beforeAll(() => {
    rmSync(copy, { recursive: true, force: true });
    mkdirSync(copy, { recursive: true });
    const isKept = (path: string) => !path.endsWith('.node') && !path.endsWith('.map');
    cpSync(join(ROOT, 'dist'), join(copy, 'dist'), { recursive: true, filter: isKept });
  });
  afterAll(() => rmSync(copy, { recursive: true, force: true }));
  return pathToFileURL(join(copy, 'dist/index.js')).href;
}
