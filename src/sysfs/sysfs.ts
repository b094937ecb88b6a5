import { ErrnoError, invalid } from '../errno.js';
import { createQueue, type Queue } from '../queue.js';
import type { Lifetime } from '../threads/lifetime.js';
import type { Attribute, Attributes } from './attribute.js';

/** One file of the tree, as {@link Sysfs.files} lists it. */
export interface SysfsFile {
  /** From the root: `'/sys/kernel/cpu_mt/threads'`. */
  readonly path: string;
  /** As `read` gives it. */
  readonly value: string;
  /** Whether `write` takes it; else that is EACCES. */
  readonly writable: boolean;
  /** What the value means. */
  readonly doc: string;
}

interface File {
  readonly path: string;
  readonly attribute: Attribute;
  /** What is written to it at once is taken in order. */
  readonly inOrder: Queue;
}
type Directory = Map<string, File | Directory>;

const ROOT = '/sys';

/**
 * The name from the root, with single slashes, of a path that may leave out `/sys/`. Whether it exists is another question.
 *
 * @throws ErrnoError EINVAL for what is no string
 */
function sysfsPath(path: string): string {
  return [ROOT, ...stepsOf(path)].join('/');
}

/**
 * A machine's tree of settings, `/sys`: what is written to a file is what the machine's own setters take, and reading gives
 * what holds now. Paths begin with `/sys/`, or leave that out: `'kernel/cpu_mt/threads'`.
 */
export class Sysfs {
  readonly #root: Directory = new Map();
  readonly #lifetime: Lifetime;

  /**
   * @param directories the files of each, by its path
   * @param lifetime the machine's
   * @internal
   */
  constructor(directories: Readonly<Record<string, Attributes>>, lifetime: Lifetime) {
    this.#lifetime = lifetime;
    for (const [path, attributes] of Object.entries(directories)) {
      const directory = makeDirectory(this.#root, stepsOf(path));
      for (const [name, attribute] of Object.entries(attributes)) {
        directory.set(name, { path: `${sysfsPath(path)}/${name}`, attribute, inOrder: createQueue() });
      }
    }
  }

  /**
   * The value of a file, as `cat` prints it but for the newline at its end.
   *
   * @throws ErrnoError ENOENT for a path that doesn't exist; ENOTDIR for one that leads through a file; EISDIR for a
   * directory; EINVAL for what is no string
   */
  read(path: string): string {
    return this.#file(path).attribute.show();
  }

  /**
   * Writes to a file, as `echo` does: one newline may stand at the end. What is written to one file at once is taken in
   * order. Once this has resolved the value holds, for calls and batches that begin from then on.
   *
   * @throws ErrnoError EINVAL for what the file can't be, or what is no string; ERANGE for a number of more than 32 bits;
   * ENOENT, ENOTDIR and EISDIR as {@link read}; EACCES for a file that can't be written to; EBUSY to turn on what can't be
   * while another is on; EAGAIN if threads can't be started; ESHUTDOWN if the machine is closed. The value is what it was
   * then.
   */
  async write(path: string, value: string): Promise<void> {
    this.#lifetime.checkOpen();
    const { attribute, inOrder, path: name } = this.#file(path);
    if (!attribute.store) throw new ErrnoError('EACCES', `${name}: can't be written to`);
    if (typeof value !== 'string') throw invalid(name, 'must be written to with a string', value);
    return this.#lifetime.during(() => inOrder(() => attribute.store?.(value, name)));
  }

  /**
   * The names in a directory.
   *
   * @throws ErrnoError ENOENT for a path that doesn't exist; ENOTDIR for a file; EINVAL for what is no string
   */
  list(path: string): string[] {
    const found = this.#find(path);
    if (!(found instanceof Map)) throw new ErrnoError('ENOTDIR', `${found.path}: is a file, read it`);
    return Array.from(found.keys());
  }

  /** Every file, with its value as it is now and what that means. */
  files(): SysfsFile[] {
    return Array.from(filesOf(this.#root), ({ path, attribute }) => ({
      path,
      value: attribute.show(),
      writable: attribute.store !== undefined,
      doc: attribute.doc,
    }));
  }

  #file(path: string): File {
    const found = this.#find(path);
    if (found instanceof Map) throw new ErrnoError('EISDIR', `${sysfsPath(path)}: is a directory, list it`);
    return found;
  }

  #find(path: string): File | Directory {
    let found: File | Directory = this.#root;
    for (const step of stepsOf(path)) {
      if (!(found instanceof Map)) throw new ErrnoError('ENOTDIR', `${found.path}: is a file, nothing is in it`);
      const next: File | Directory | undefined = found.get(step);
      if (!next) throw new ErrnoError('ENOENT', `${sysfsPath(path)}: doesn't exist, list what does`);
      found = next;
    }
    return found;
  }
}

/** The names on the way from the root. A path that begins with a slash begins with `/sys`, or leads nowhere. */
function stepsOf(path: string): string[] {
  if (typeof path !== 'string') throw invalid('path', 'must be a string', path);
  if (path === '') throw new ErrnoError('ENOENT', "path: must be one such as 'kernel/cpu_mt/threads', got ''");
  const steps = path.split('/').filter((step) => step !== '');
  if (!path.startsWith('/')) return steps;
  if (`/${steps[0]}` !== ROOT) throw new ErrnoError('ENOENT', `${path}: must begin with /sys, or with no slash`);
  return steps.slice(1);
}

function makeDirectory(root: Directory, steps: readonly string[]): Directory {
  let directory = root;
  for (const step of steps) {
    const next = directory.get(step) ?? new Map();
    if (!(next instanceof Map)) throw new Error(`${step} is a file`);
    directory.set(step, next);
    directory = next;
  }
  return directory;
}

function* filesOf(directory: Directory): Generator<File> {
  for (const entry of directory.values()) {
    if (entry instanceof Map) yield* filesOf(entry);
    else yield entry;
  }
}
