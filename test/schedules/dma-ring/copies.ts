import { DESCRIPTOR_WORDS } from '../../../src/copy/batch/plan.js';
import type { NativeWalker } from '../../../src/copy/worker/native-walker.js';
import type { Control } from '../control.js';
import type { Races } from '../races.js';
import { BLOCK_BYTES, blockWord } from './words.js';

/*
 * What a channel copies, as plain accesses to blocks of memory: it may be stopped before each that it writes to, and what nothing
 * orders is a race. The loops themselves are in WebAssembly or in C.
 */

type CopyOne = (to: number, from: number, bytes: number, poison: number) => number;
interface Wasm {
  Instance: new (...made: unknown[]) => { readonly exports: Record<string, unknown> };
}

/** Has this thread's loops tell of what they copy, those that are loaded from now on. */
export function watchCopies(control: Control, races: Races): void {
  const touch = (to: number, from: number, bytes: number) => {
    eachBlock(control, from, bytes, (word) => races.access(word, false));
    eachBlock(control, to, bytes, (word) => races.access(word, true));
  };
  const { WebAssembly: wasm } = globalThis as unknown as { WebAssembly: Wasm };
  const { Instance } = wasm;
  wasm.Instance = class {
    readonly exports: Record<string, unknown>;
    constructor(...made: unknown[]) {
      const { exports } = new Instance(...made);
      const real = exports.copyOne as CopyOne;
      const copyOne: CopyOne = (to, from, bytes, poison) => {
        touch(to, from, bytes);
        return real(to, from, bytes, poison);
      };
      this.exports = { ...exports, copyOne };
    }
  };
  const { dlopen } = process;
  process.dlopen = (module, ...rest) => {
    dlopen(module as object, ...(rest as [string]));
    const loaded = module as { exports: Partial<NativeWalker> };
    const { walk } = loaded.exports;
    if (!walk) return;
    loaded.exports = {
      ...loaded.exports,
      walk(memory, list, end, ...others) {
        const words = new Uint32Array(memory.buffer, list, (end - list) / 4);
        for (let at = 0; at < words.length; at += DESCRIPTOR_WORDS) touch(words[at], words[at + 1], words[at + 2]);
        return walk(memory, list, end, ...others);
      },
    };
  };
}

/** The words of the blocks that a range touches. */
export function eachBlock(control: Control, address: number, bytes: number, visit: (word: number) => void): void {
  const last = Math.floor((address + bytes - 1) / BLOCK_BYTES);
  for (let block = Math.floor(address / BLOCK_BYTES); block <= last; block++) {
    const word = blockWord(control, block * BLOCK_BYTES);
    if (word >= 0) visit(word);
  }
}
