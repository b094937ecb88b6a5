/** What came of the schedules of one scenario. */
export interface Outcome {
  readonly name: string;
  readonly schedules: number;
  readonly operations: number;
  /** Whether they were all that there are of at most two preemptions. */
  readonly exhaustive: boolean;
  /** What went wrong, the schedule that shows it, and the last operations of it. */
  readonly failure?: string;
  readonly schedule?: string;
  readonly log?: readonly string[];
}
