/** Runs what it is given one after the other, whatever came of what was before; resolves to what that returned. */
export type Queue = <T>(run: () => T | Promise<T>) => Promise<T>;

/** An empty {@link Queue}. */
export function createQueue(): Queue {
  let last: Promise<unknown> = Promise.resolve();
  return (run) => {
    const mine = last.then(
      () => run(),
      () => run(),
    );
    last = mine;
    return mine;
  };
}
