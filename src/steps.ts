/** Work in steps of some 0.1 ms at most, and what it comes to: between two steps the event loop may have its turn. */
export type Steps<T> = Generator<void, T, void>;

/** Takes all steps at once. */
export function takeAll<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
