import type { CallerMode, Schedule } from 'mtcopy';

/** Every way of sharing work that an engine knows. */
export const MANNERS: readonly { schedule: Schedule; caller: CallerMode }[] = [
  { schedule: 'dynamic', caller: 'helps' },
  { schedule: 'dynamic', caller: 'waits' },
  { schedule: 'static', caller: 'helps' },
  { schedule: 'static', caller: 'waits' },
];
