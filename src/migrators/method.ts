import { cachedBytes, openNative, type UsedMethod } from '../copy/streaming.js';
import type { Flow, MigratorName, Stores } from '../words.js';

/** What a migration's loop goes by. */
interface Manner {
  readonly migrator: MigratorName;
  readonly flow: Flow;
  readonly stores: Stores;
}

const CACHED = 'memory.copy';

/** What copies a migration of so many bytes, all folios together. */
export function migrationMethod(bytes: number, { migrator, flow, stores }: Manner): UsedMethod {
  const native = openNative();
  if (native.path === undefined) return { method: CACHED, noStreaming: native.reason };
  // A device is none of the CPU's, and leaves nothing in its caches.
  if (migrator === 'dcbm') return { method: 'streaming', noStreaming: undefined };
  if (stores === 'cached') return { method: CACHED, noStreaming: "stores: 'cached' was asked for" };
  if (bytes <= cachedBytes(stores)) return { method: CACHED, noStreaming: 'sources and targets fit into the L3 cache' };
  if (migrator === 'kernel' && flow !== 'pre-copy' && flow !== 'batch-move')
    return { method: CACHED, noStreaming: `the calling thread copies folio by folio in ${flow}` };
  return { method: 'streaming', noStreaming: undefined };
}
