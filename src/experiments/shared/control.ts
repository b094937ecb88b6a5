/** How far an experiment is. */
export interface Progress {
  /** Runs that have ended. */
  readonly done: number;
  /** Runs that there will be, as far as is known. */
  readonly runs: number;
  /** What runs next. */
  readonly what: string;
}

/** How who started an experiment hears of it, and ends it. */
export interface Control {
  /** Called before each run, warm-ups among them. Default: nobody is. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Once aborted, the experiment ends after the run at hand, with what it has measured by then. Default: none. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Counts the runs of an experiment.
 *
 * @returns to be called before each run, with what runs: whether it may begin, or the experiment is to end
 */
export function countRuns(runs: number, { onProgress, signal }: Control): (what: string) => boolean {
  let done = 0;
  return (what) => {
    if (signal?.aborted) return false;
    onProgress?.({ done: done++, runs, what });
    return true;
  };
}
