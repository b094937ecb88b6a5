/** How far an experiment is. */
export interface Progress {
  /** Runs that have ended. */
  readonly done: number;
  /** Runs that there will be, as far as is known. */
  readonly runs: number;
  /** What runs next. */
  readonly what: string;
  /** Seconds that all of it will take yet, where that isn't told by these runs: others come after them. */
  readonly secondsLeft?: number;
}

/** What variants that were run in turns came to. */
export interface TurnsTaken {
  /** Rounds that count. */
  readonly rounds: number;
  /** Why there are no more of them: all ratios are known well enough; the time was over before; the signal was aborted. */
  readonly ended: 'narrow' | 'time' | 'signal';
  /** What samples are compared by. */
  readonly measure: string;
  /** Samples of each by that; those of the same position were measured side by side. */
  readonly variants: readonly {
    /** Which variant. */
    readonly name: string;
    /** One a run. */
    readonly samples: readonly number[];
  }[];
}

/** How who started an experiment hears of it, and ends it. */
export interface Control {
  /** Called before each run, warm-ups among them. Default: nobody is. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Once aborted, the experiment ends after the run at hand, with what it has measured by then. Default: none. */
  readonly signal?: AbortSignal | undefined;
  /** Called once runs that were still to be made are left out, for the signal was aborted; maybe several times. Default: nobody is. */
  readonly onCutShort?: (() => void) | undefined;
  /** Called with the samples of variants that were run in turns, once that has ended: a part of an experiment each. Default: nobody is. */
  readonly onTurns?: ((taken: TurnsTaken) => void) | undefined;
}

/** To be asked where runs are still to be made: whether they are to be left out. */
export function isCutShort({ signal, onCutShort }: Control): boolean {
  if (!signal?.aborted) return false;
  onCutShort?.();
  return true;
}

/**
 * Counts the runs of an experiment.
 *
 * @returns to be called before each run, with what runs: whether it may begin, or the experiment is to end
 */
export function countRuns(runs: number, control: Control): (what: string) => boolean {
  let done = 0;
  return (what) => {
    if (isCutShort(control)) return false;
    control.onProgress?.({ done: done++, runs, what });
    return true;
  };
}
