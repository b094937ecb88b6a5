import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** The project's folder. */
export const ROOT = resolve(import.meta.dirname, '../..');
/** URL of the built library, for programs in other threads and processes. */
export const INDEX = pathToFileURL(join(ROOT, 'dist/index.js')).href;
