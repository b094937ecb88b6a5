import { Buffer } from 'node:buffer';
import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { ErrnoError, MiB, PAGE_SIZE, type PhysicalMemory, takeAll } from 'mtcopy';

/** Bytes that are filled between two turns of the event loop. */
const STEP_BYTES = 16 * MiB;

/**
 * Fills folios with a pattern in which no two pages are alike: each begins with its number in the list.
 *
 * @param pfns first frames of the folios
 * @param folioBytes bytes of each
 * @param seed of the pattern, a whole number. Default: 1
 */
export function fillWithPattern(memory: PhysicalMemory, pfns: Uint32Array, folioBytes: number, seed = 1): void {
  takeAll(patternSteps(memory, pfns, folioBytes, seed));
}

/** {@link fillWithPattern} in steps. */
export function* patternSteps(
  memory: PhysicalMemory,
  pfns: Uint32Array,
  folioBytes: number,
  seed = 1,
): Generator<void, void> {
  const page = Uint32Array.from({ length: PAGE_SIZE / 4 }, (_, word) => Math.imul(word + seed, 0x9e3779b1));
  let number = 0;
  for (const pfn of pfns) {
    for (let at = pfn * PAGE_SIZE; at < pfn * PAGE_SIZE + folioBytes; at += PAGE_SIZE) {
      page[0] = number++;
      new Uint32Array(memory.buffer, at, page.length).set(page);
    }
    if ((number * PAGE_SIZE) % STEP_BYTES < folioBytes) yield;
  }
}

/** A file smaller than this is read once, and repeated from memory. */
const SMALL_FILE = MiB;

/**
 * Bytes of a file that was given.
 *
 * @param name what an error calls it. Default: `'input'`
 * @throws ErrnoError ENOENT if there is none; EINVAL for what isn't a file with something in it
 */
export function inputSize(path: string, name = 'input'): number {
  const isPath = typeof path === 'string' && path !== '';
  const stats = isPath ? statSync(path, { throwIfNoEntry: false }) : undefined;
  if (isPath && !stats) throw new ErrnoError('ENOENT', `${name}: there is no ${path}`);
  if (stats?.isFile() && stats.size > 0) return stats.size;
  throw new ErrnoError('EINVAL', `${name}: must be a file with something in it, got '${path}'`);
}

/**
 * Fills folios with a file, from its start, and again once it ends.
 *
 * @throws as {@link inputSize}; what Node.js throws for a file that can't be read
 */
export function fillFromFile(memory: PhysicalMemory, pfns: Uint32Array, folioBytes: number, path: string): void {
  takeAll(fileSteps(memory, pfns, folioBytes, path));
}

/** {@link fillFromFile} in steps. */
export function* fileSteps(
  memory: PhysicalMemory,
  pfns: Uint32Array,
  folioBytes: number,
  path: string,
): Generator<void, void> {
  if (inputSize(path) < SMALL_FILE) {
    yield* readingSteps(memory, pfns, folioBytes, repeated(readFileSync(path)));
    return;
  }
  const file = openSync(path, 'r');
  try {
    yield* readingSteps(memory, pfns, folioBytes, (to, at, bytes, position) => readSync(file, to, at, bytes, position));
  } finally {
    closeSync(file);
  }
}

/** Puts up to `bytes` from `position` of something at `at` of `to`, and says how many; 0 where it has ended. */
type Read = (to: Uint8Array, at: number, bytes: number, position: number) => number;

/** Reads from as many repetitions of `content` as make it large. */
function repeated(content: Buffer): Read {
  const block = Buffer.alloc(Math.ceil(SMALL_FILE / content.length) * content.length, content);
  return (to, at, bytes, position) => {
    const part = block.subarray(position, position + bytes);
    to.set(part, at);
    return part.length;
  };
}

function* readingSteps(
  memory: PhysicalMemory,
  pfns: Uint32Array,
  folioBytes: number,
  read: Read,
): Generator<void, void> {
  let position = 0;
  for (const [i, pfn] of pfns.entries()) {
    for (let done = 0; done < folioBytes; ) {
      const count = read(memory.bytes, pfn * PAGE_SIZE + done, folioBytes - done, position);
      done += count;
      position = count === 0 ? 0 : position + count;
    }
    if (((i + 1) * folioBytes) % STEP_BYTES < folioBytes) yield;
  }
}

/** Overwrites folios, so that a copy which moved nothing cannot pass for one that did. */
export function scrub(memory: PhysicalMemory, pfns: Uint32Array, folioBytes: number): void {
  // By words: of shared bytes four times as fast.
  const words = new Uint32Array(memory.buffer);
  for (const pfn of pfns) words.fill(0xa5a5a5a5, (pfn * PAGE_SIZE) / 4, (pfn * PAGE_SIZE + folioBytes) / 4);
}
