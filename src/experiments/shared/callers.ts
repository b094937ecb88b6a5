import type { CallerMode } from 'mtcopy';

/** What sweeps measure; `'auto'` is one of them, whichever the call asks for. */
export const SWEEP_CALLERS = ['waits', 'helps'] as const satisfies readonly CallerMode[];
/** Whether the calling thread copies too. */
export type SweepCaller = (typeof SWEEP_CALLERS)[number];
