import { tracingChannel } from 'node:diagnostics_channel';
import type { MigrateTrace } from 'mtcopy';

/** When the steps of a batch were, in milliseconds, and how many folios it has. */
export interface BatchTimes {
  readonly unmapBegan: number;
  readonly moveBegan: number;
  readonly moveEnded: number;
  readonly folios: number;
}

/**
 * Nanoseconds from the begin of a batch's first step until its first folio is mapped again. Folios are moved one after the
 * other: the first of them takes its share of that step.
 */
export function firstFolioNs({ unmapBegan, moveBegan, moveEnded, folios }: BatchTimes): number {
  return (moveBegan - unmapBegan + (moveEnded - moveBegan) / folios) * 1e6;
}

/** Listens to migrations. */
export interface FirstFolioWatch {
  /** {@link firstFolioNs} of the first batch of the last call, or of its last 8,192 pages. */
  readonly ns: number;
  stop(): void;
}

export function watchFirstFolio(): FirstFolioWatch {
  const channel = tracingChannel<MigrateTrace>('mtcopy:migrate');
  let unmapBegan = 0;
  let moveBegan = 0;
  let ns = 0;
  const start = (trace: unknown) => {
    const { batch, phase } = trace as MigrateTrace;
    if (batch !== 0) return;
    if (phase === 'unmap') unmapBegan = performance.now();
    if (phase === 'move') moveBegan = performance.now();
  };
  const end = (trace: unknown) => {
    const { batch, phase, folios } = trace as MigrateTrace;
    if (batch === 0 && phase === 'move') {
      ns = firstFolioNs({ unmapBegan, moveBegan, moveEnded: performance.now(), folios });
    }
  };
  channel.start.subscribe(start);
  channel.end.subscribe(end);
  return {
    get ns() {
      return ns;
    },
    stop() {
      channel.start.unsubscribe(start);
      channel.end.unsubscribe(end);
    },
  };
}
