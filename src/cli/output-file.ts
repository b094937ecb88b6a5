import { accessSync, constants, existsSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ErrnoError } from 'mtcopy';

/**
 * Looks, before minutes of measuring, whether a file can be written.
 *
 * @param option that names it
 * @param otherwise what to do instead of naming a device
 * @param inputs files that are read: none of them is overwritten, by whatever name
 * @throws ErrnoError ENOENT, EISDIR, EINVAL or EACCES if it can't be
 */
export function checkWritable(
  option: string,
  path: string,
  otherwise: string,
  inputs: readonly (string | undefined)[] = [],
): void {
  const folder = dirname(resolve(path));
  if (!existsSync(folder)) throw new ErrnoError('ENOENT', `${option}: there is no folder ${folder}`);
  const there = statSync(path, { throwIfNoEntry: false });
  if (there?.isDirectory()) throw new ErrnoError('EISDIR', `${option}: must be a file, got the folder ${path}`);
  // It would be replaced, which ends a device for all who use it.
  if (there && !there.isFile()) {
    throw new ErrnoError('EINVAL', `${option}: must be a file, got ${path}, a device or a pipe: ${otherwise}`);
  }
  const input = there && inputs.find((one) => one && existsSync(one) && realpathSync(one) === realpathSync(path));
  if (input) throw new ErrnoError('EINVAL', `${option}: must be another file than ${input}, which is read`);
  try {
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw new ErrnoError('EACCES', `${option}: can't be written to ${folder}`, { cause });
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
