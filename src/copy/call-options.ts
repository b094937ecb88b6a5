import { type Checks, oneOf } from '../check.js';
import { invalid } from '../errno.js';
import { CALLER_MODES, type CallerMode, STORES, type Stores } from '../words.js';

/** Options of one compare that blocks. */
export interface CompareSyncOptions {
  /** Whether the calling thread takes part in this call; see {@link CreateOptions.caller}. Default: the engine's. */
  caller?: CallerMode | undefined;
}

/** Options of one copy, or fill, that blocks. */
export interface CopySyncOptions extends CompareSyncOptions {
  /** Whether what this call writes is kept in the caches; see {@link CreateOptions.stores}. Default: the engine's. */
  stores?: Stores | undefined;
}

/** What an asynchronous call can be ended with. */
interface Abortable {
  /**
   * Ends the call between items, and in a large one between pieces of 256 KiB: it then rejects with a {@link CopyAbortError}. For
   * a small call, which is done at once, it may come too late. Default: none.
   */
  signal?: AbortSignal | undefined;
}

/** Options of one asynchronous compare. */
export interface CompareOptions extends CompareSyncOptions, Abortable {}

/** Options of one asynchronous copy, or fill. */
export interface CopyOptions extends CopySyncOptions, Abortable {}

export const COMPARE_SYNC_OPTIONS: Checks<CompareSyncOptions> = { caller: oneOf(CALLER_MODES) };
export const COMPARE_OPTIONS: Checks<CompareOptions> = { ...COMPARE_SYNC_OPTIONS, signal: checkSignal };
export const COPY_SYNC_OPTIONS: Checks<CopySyncOptions> = { ...COMPARE_SYNC_OPTIONS, stores: oneOf(STORES) };
export const COPY_OPTIONS: Checks<CopyOptions> = { ...COPY_SYNC_OPTIONS, signal: checkSignal };

function checkSignal(name: string, signal: unknown): void {
  if (!isSignal(signal)) throw invalid(name, 'must be an AbortSignal', signal);
}

/** Whether something is a signal, and no object that only looks like one: that throws when it is asked. */
function isSignal(value: unknown): boolean {
  try {
    return value instanceof AbortSignal && typeof value.aborted === 'boolean';
  } catch {
    return false;
  }
}
