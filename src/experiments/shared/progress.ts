/** Called before each run: how many are done, and of how many. */
export type OnProgress = (done: number, runs: number) => void;

/** For who doesn't want to know. */
export function ignoreProgress(): void {}
