import type { PlacedBuffer } from '../batch/line.js';

/** A message to a thread's inbox: the buffers of job `sequence` in slot `slot`. */
export interface ForeignMessage {
  readonly slot: number;
  readonly sequence: number;
  readonly foreign: readonly PlacedBuffer[];
  /** Bytes of those that were never sent before. */
  readonly freshBytes: number;
  /** Views that a thread makes of them if it does the whole job. */
  readonly views: number;
}

/** The name of the BroadcastChannel that thread `id` hears alone. */
export function inboxName(channel: string, id: number): string {
  return `${channel}-${id}`;
}
