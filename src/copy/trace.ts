import { tracingChannel } from 'node:diagnostics_channel';
import type { CopyResult } from './result.js';

/** What subscribers of the tracing channel `mtcopy:copy` get. `result` or `error` is there once the call is over. */
export interface CopyTrace {
  /** Which method was called. */
  readonly call: 'copy' | 'copyBatch' | 'copySync' | 'copyBatchSync' | 'fill' | 'fillSync' | 'compare' | 'compareSync';
  /** What was copied, or filled, of a call that went well. Of a compare its `bytes` are those before the first difference. */
  result?: CopyResult;
  /** What the call threw, or rejected with. */
  error?: unknown;
}

const channel = tracingChannel<CopyTrace>('mtcopy:copy');

/** Whether anybody listens; while nobody does, a copy costs no more than this look. */
function isTraced(): boolean {
  const { start, end, asyncStart, asyncEnd, error } = channel;
  return (
    start.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    error.hasSubscribers
  );
}

/** Runs an asynchronous call, traced if anybody listens. */
export function traced(call: CopyTrace['call'], run: () => Promise<CopyResult>): Promise<CopyResult> {
  return isTraced() ? channel.tracePromise(run, { call }) : run();
}

/** Runs a synchronous call, traced if anybody listens. */
export function tracedSync(call: CopyTrace['call'], run: () => CopyResult): CopyResult {
  return isTraced() ? channel.traceSync(run, { call }) : run();
}
