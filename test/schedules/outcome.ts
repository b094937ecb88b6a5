/** What came of the schedules of one scenario. */
export interface Outcome {
  readonly name: string;
  readonly schedules: number;
  readonly operations: number;
  /** Whether they were all that there are of at most two preemptions. */
  readonly exhaustive: boolean;
  /** Accesses that nothing orders, and that the protocol knows. */
  readonly excused: readonly string[];
  /** What went wrong, the schedule that shows it, and the last operations of it. */
  readonly failure?: string;
  readonly schedule?: string;
  readonly log?: readonly string[];
}

/** What a failure begins with that is a race: accesses that nothing orders. */
export const RACE = 'race: ';
