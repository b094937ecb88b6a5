import { openSync, readSync } from 'node:fs';

const SPACE = 0x20;
const ZERO = 0x30;
const NINE = 0x39;

/**
 * A function that reads a number from a file of /proc, which it opens once and keeps open; 0 where there is no such file, as
 * everywhere but on Linux. It allocates nothing.
 *
 * @param field how many fields come before it, with a space after each
 */
export function createProcReader(path: string, field: number): () => number {
  const numbers = new Float64Array(field + 1);
  const read = createProcNumbers(path, numbers);
  return () => {
    read();
    return numbers[field];
  };
}

/**
 * A function that reads the first numbers of a file of /proc, one for each place of `numbers`, as they are at one time; leaves them
 * as they are where there is no such file. A field that isn't all digits is the number that it begins with, or 0.
 */
export function createProcNumbers(path: string, numbers: Float64Array): () => void {
  const text = new Uint8Array(64);
  let file: number | undefined;
  let isThere = true;
  return () => {
    if (!isThere) return;
    try {
      file ??= openSync(path, 'r');
    } catch {
      isThere = false;
      return;
    }
    const length = readSync(file, text, 0, text.length, 0);
    let i = 0;
    for (let field = 0; field < numbers.length; field++) {
      let number = 0;
      for (; i < length && text[i] >= ZERO && text[i] <= NINE; i++) number = number * 10 + text[i] - ZERO;
      numbers[field] = number;
      while (i < length && text[i++] !== SPACE);
    }
  };
}
