/**
 * Shares time out to the parts of an experiment, one after the other. It runs from now on, whatever passes between two parts:
 * what one leaves of its share the next ones have, and what one takes beyond it they have less.
 *
 * @param seconds for all of them
 * @returns to be called before each part: the seconds that it has
 */
export function shareTime(seconds: number, parts: number): () => number {
  const until = performance.now() + seconds * 1000;
  let left = parts;
  return () => {
    const share = Math.max(0, until - performance.now()) / 1000 / left;
    left = Math.max(1, left - 1);
    return share;
  };
}
