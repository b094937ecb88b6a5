import { cachedBytes, openNative, type UsedMethod } from '../copy/streaming.js';
import type { Flow, MigratorName, Stores } from '../words.js';

/** What a migration's loop goes by. */
interface Manner {
  readonly migrator: MigratorName;
  readonly flow: Flow;
  readonly stores: Stores;
  /** Bytes of a folio, and of the least that the migrator gets: what is smaller the calling thread copies. */
  readonly folioBytes: number;
  readonly minBytes: number;
}

const CACHED = 'memory.copy';

/** What copies a migration of so many bytes, all folios together. */
export function migrationMethod(bytes: number, manner: Manner): UsedMethod {
  const { migrator, flow, stores, folioBytes, minBytes } = manner;
  const native = openNative();
  if (native.path === undefined) return { method: CACHED, noStreaming: native.reason };
  const isEach = flow !== 'pre-copy' && flow !== 'batch-move';
  const byCaller = { method: CACHED, noStreaming: `the calling thread copies folio by folio in ${flow}` } as const;
  if (isEach && folioBytes < minBytes) return byCaller;
  // A device is none of the CPU's, and leaves nothing in its caches.
  if (migrator === 'dcbm') return { method: 'streaming', noStreaming: undefined };
  if (stores === 'cached') return { method: CACHED, noStreaming: "stores: 'cached' was asked for" };
  if (bytes <= cachedBytes(stores)) return { method: CACHED, noStreaming: 'sources and targets fit into the L3 cache' };
  if (isEach && migrator === 'kernel') return byCaller;
  return { method: 'streaming', noStreaming: undefined };
}
