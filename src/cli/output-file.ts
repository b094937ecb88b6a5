import { accessSync, constants, existsSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ErrnoError } from 'mtcopy';

/**
 * Before minutes of measuring.
 *
 * @param instead what prints it on standard output
 * @throws ErrnoError ENOENT, EISDIR, EINVAL or EACCES if the file can't be written
 */
export function checkWritable(path: string, instead: string): void {
  const folder = dirname(resolve(path));
  if (!existsSync(folder)) throw new ErrnoError('ENOENT', `output: there is no folder ${folder}`);
  const there = statSync(path, { throwIfNoEntry: false });
  if (there?.isDirectory()) throw new ErrnoError('EISDIR', `output: must be a file, got the folder ${path}`);
  // It would be replaced, which ends a device for all who use it.
  if (there && !there.isFile()) {
    throw new ErrnoError('EINVAL', `output: must be a file, got ${path}, a device or a pipe: ${instead}`);
  }
  try {
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw new ErrnoError('EACCES', `output: can't be written to ${folder}`, { cause });
  }
}

/** All of it or nothing: whoever reads it meanwhile finds the one before. */
export function writeWhole(path: string, text: string): void {
  // What a link leads to, not the link.
  const target = existsSync(path) ? realpathSync(path) : path;
  const fresh = `${target}.${process.pid}.tmp`;
  try {
    writeFileSync(fresh, text);
    renameSync(fresh, target);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}
