import type { Progress } from '../shared/control.js';

/**
 * Estimates the time that tables take yet, by what each is given; begins with a table.
 *
 * @param seconds that each table has
 * @param tablesAfter this one
 * @returns to be called before each run of this table
 */
export function createTimeLeft(seconds: number, tablesAfter: number): (progress: Progress) => number {
  const started = performance.now();
  let partStarted = started;
  return ({ done, runs }) => {
    const now = performance.now();
    // Each part of a table counts from 0.
    if (done === 0) partStarted = now;
    const ofBudget = Math.max(0, seconds - (now - started) / 1000);
    // The rounds that are made in any case may take longer than that.
    const ofPart = done === 0 ? 0 : ((now - partStarted) / 1000 / done) * (runs - done);
    return Math.max(ofBudget, ofPart) + tablesAfter * seconds;
  };
}
