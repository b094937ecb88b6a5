import { setImmediate } from 'node:timers/promises';

/**
 * Takes steps with a turn of the event loop after each, in which signals arrive.
 *
 * @returns what they come to; nothing if the signal was aborted before that
 */
export async function finishInTurns<Result>(
  steps: Generator<void, Result>,
  signal: AbortSignal | undefined,
): Promise<Result | undefined> {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await setImmediate();
    if (!signal?.aborted) continue;
    // What it holds, such as an open file, is let go of.
    steps.return(undefined as Result);
    return undefined;
  }
}
