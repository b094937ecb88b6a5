import { MAX_U32, parseUint, parseWord } from './parse.js';

/** A file of the tree. */
export interface Attribute {
  /** Its meaning, with its values or its unit: a phrase. */
  readonly doc: string;
  /** Its value, without a newline. */
  show(): string;
  /**
   * Takes what is written; a file without this can't be written to. Bad input changes nothing.
   *
   * @param name what an error calls the file
   * @throws ErrnoError if it can't be taken
   */
  store?(text: string, name: string): void | Promise<void>;
}

/** The files of a directory, by name. */
export type Attributes = Readonly<Record<string, Attribute>>;

/** A file for a number that is a property of `owner`. Default: any of 32 bits. */
export function numberFile<Key extends string>(
  owner: { [K in Key]: number },
  key: Key,
  doc: string,
  [from, to]: readonly [from: number, to: number] = [0, MAX_U32],
): Attribute {
  return {
    doc,
    show: () => String(owner[key]),
    store(text, name) {
      owner[key] = parseUint(name, text, from, to);
    },
  };
}

/** A file for 0 or 1: whether a property of `owner` is true. */
export function switchFile<Key extends string>(owner: { [K in Key]: boolean }, key: Key, doc: string): Attribute {
  return {
    doc,
    show: () => (owner[key] ? '1' : '0'),
    store(text, name) {
      owner[key] = parseUint(name, text, 0, 1) === 1;
    },
  };
}

/** A file for a word, one of a few, that is a property of `owner`. */
export function wordFile<Key extends string, Word extends string>(
  owner: { [K in Key]: Word },
  key: Key,
  doc: string,
  words: readonly Word[],
): Attribute {
  return {
    doc,
    show: () => owner[key],
    store(text, name) {
      owner[key] = parseWord(name, text, words);
    },
  };
}
