import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { KiB, MiB } from '../units.js';
import type { CopyMethod, Stores } from '../words.js';
import { loadNativeWalker, type NativeWalker } from './worker/native-walker.js';

/** The walkers in C as this process has them, or why it has none. */
export type Native =
  | { readonly path: string; readonly walker: NativeWalker }
  | { readonly path?: undefined; readonly walker?: undefined; readonly reason: string };

/** Which loop copies an engine's calls in its own memory. */
export interface MethodChoice {
  /** What copies a call that is larger than the caches. */
  readonly method: Exclude<CopyMethod, 'auto'>;
  /** Why that isn't `'streaming'`. */
  readonly noStreaming: string | undefined;
  /** Bytes of the largest call whose stores go through the caches; `asked` is what the call itself says of them. */
  cachedBytes(asked?: Stores): number;
}

/** What copies a call of so many bytes. */
export interface UsedMethod {
  /** The loop. */
  readonly method: Exclude<CopyMethod, 'auto'>;
  /** Why it isn't `'streaming'`, as a sentence's part; `undefined` if it is. */
  readonly noStreaming: string | undefined;
}

const CACHES = '/sys/devices/system/cpu/cpu0/cache';
/** Taken for the L3 cache where the system doesn't tell. */
const UNKNOWN_CACHE_BYTES = 32 * MiB;

let native: Native | undefined;
let lastCache: number | undefined;

/** Loads the walkers in C, once a thread. */
export function openNative(): Native {
  native ??= load();
  return native;
}

function load(): Native {
  const target = `${process.platform}-${process.arch}`;
  const file = `./worker/native/${target}.node`;
  try {
    const path = fileURLToPath(new URL(file, import.meta.url));
    return { path, walker: loadNativeWalker(path) };
  } catch (error) {
    return { reason: `the native copy loop for ${target} can't be loaded: ${(error as Error).message}` };
  }
}

/** What follows from the method and the stores that an engine was asked for. */
export function chooseMethod(method: CopyMethod, stores: Stores): MethodChoice {
  if (method === 'streaming') return { method, noStreaming: undefined, cachedBytes: () => 0 };
  if (method !== 'auto') return cachedAlone(method, `method: '${method}' was asked for`);
  const native = openNative();
  if (native.path === undefined) return cachedAlone('memory.copy', native.reason);
  const isCached = stores === 'cached';
  return {
    method: isCached ? 'memory.copy' : 'streaming',
    noStreaming: isCached ? "stores: 'cached' was asked for" : undefined,
    cachedBytes: (asked = stores) => cachedBytes(asked),
  };
}

/** What an engine's choice comes to for a call in its memory. */
export function usedMethod({ method, noStreaming, cachedBytes }: MethodChoice, bytes: number): UsedMethod {
  if (noStreaming !== undefined || bytes > cachedBytes()) return { method, noStreaming };
  return { method: 'memory.copy', noStreaming: 'source and destination fit into the L3 cache' };
}

function cachedAlone(method: 'memory.copy' | 'typed-array', noStreaming: string): MethodChoice {
  return { method, noStreaming, cachedBytes: () => Number.POSITIVE_INFINITY };
}

/**
 * Bytes of the largest call whose stores go through the caches, by what is said of them.
 *
 * What a copy touches is its source and its destination: if both fit into the last cache, they may be there when they are
 * wanted next, and streaming stores would have put them out.
 */
export function cachedBytes(stores: Stores): number {
  if (stores === 'cached') return Number.POSITIVE_INFINITY;
  return stores === 'streaming' ? 0 : lastCacheBytes() / 2;
}

/** Bytes of this machine's L3 cache. */
function lastCacheBytes(): number {
  lastCache ??= readLastCache() ?? UNKNOWN_CACHE_BYTES;
  return lastCache;
}

function readLastCache(): number | undefined {
  const read = (index: string, name: string) => readFileSync(`${CACHES}/${index}/${name}`, 'utf8').trim();
  try {
    const index = readdirSync(CACHES).find((name) => name.startsWith('index') && read(name, 'level') === '3');
    // Such as 32768K.
    const kibibytes = index && /^(\d+)K$/.exec(read(index, 'size'))?.[1];
    return kibibytes ? Number(kibibytes) * KiB : undefined;
  } catch {
    return undefined;
  }
}
