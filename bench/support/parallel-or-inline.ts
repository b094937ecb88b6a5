import { setTimeout } from 'node:timers/promises';
import { type CopyEngine, type CopyItems, MiB } from 'mtcopy';
import type { Arena, Shape } from './arena.js';
import { inTurns, type Ratio, ratio } from './in-turns.js';
import { verifyEach } from './verify.js';

export interface Question {
  readonly shape: Shape;
  /** Bytes of a batch. */
  readonly bytes: number;
  /** `'hot'`: the same bytes again and again. `'cold'`: the next of the arena, which is larger than the caches. */
  readonly data: 'hot' | 'cold';
  /** Whether the calls block their thread. Default: false. */
  readonly blocking?: boolean;
  readonly rounds: number;
  /** Milliseconds of rest before every call. Default: 0, calls in a row. */
  readonly pauseMs?: number;
}

/**
 * Calls in a row a turn: a few milliseconds of them, for the threads that help are slow to wake at first. Short enough for
 * the turns to be side by side. Only one where every call comes after a rest.
 */
function callsATurn(bytes: number, pauseMs: number): number {
  return pauseMs > 0 ? 1 : Math.min(32, Math.max(1, Math.floor((64 * MiB) / bytes)));
}

/** How many times faster than `inline` `parallel` copies batches of one kind, in turns. */
export async function parallelOrInline(
  parallel: CopyEngine,
  inline: CopyEngine,
  arena: Arena,
  { shape, bytes, data, blocking = false, rounds, pauseMs = 0 }: Question,
): Promise<Ratio> {
  const { memory } = arena;
  const calls = callsATurn(bytes, pauseMs);
  const slices = data === 'hot' ? 1 : arena.slices(bytes);
  const view = (start: number) => memory.bytes.subarray(start, start + bytes);
  const copyWith = (engine: CopyEngine) => {
    const isPair = shape === 'one item';
    if (blocking && isPair) return ({ to, from }: CopyItems) => engine.copySync(view(to[0]), view(from[0]));
    if (blocking) return (items: CopyItems) => engine.copyBatchSync(items);
    if (isPair) return ({ to, from }: CopyItems) => engine.copy(view(to[0]), view(from[0]));
    return (items: CopyItems) => engine.copyBatch(items);
  };
  // One counter for both, so that neither finds in the caches what the other has just copied.
  let next = 0;
  const turn = (copy: (items: CopyItems) => unknown) => async () => {
    let ns = 0;
    for (let call = 0; call < calls; call++) {
      const items = arena.slice(shape, bytes, next++ % slices);
      if (pauseMs > 0) await setTimeout(pauseMs);
      const started = performance.now();
      const copied = copy(items);
      // To await what is done already would take as long as a small copy.
      if (!blocking) await copied;
      ns += (performance.now() - started) * 1e6;
    }
    return ns;
  };
  const [copyParallel, copyInline] = [copyWith(parallel), copyWith(inline)];
  const first = arena.slice(shape, bytes, 0);
  await verifyEach(memory, first, { parallel: () => copyParallel(first), inline: () => copyInline(first) });
  const times = await inTurns({ inline: turn(copyInline), parallel: turn(copyParallel) }, rounds);
  return ratio(times.inline, times.parallel);
}
