import { setTimeout as sleep } from 'node:timers/promises';
import type { Pfn } from '../units.js';
import { type PageMetadata, PG } from './page-metadata.js';

/** How often a waiter looks without having been woken, in milliseconds. */
const POLL_MS = 5;

/** Locks a folio if nobody has; says whether it did (folio_trylock). */
export function tryLockFolio({ flags }: PageMetadata, pfn: Pfn): boolean {
  // Acquire: what the last holder wrote before its unlock is seen after this.
  return (Atomics.or(flags, pfn, PG.locked) & PG.locked) === 0;
}

/** Clears a flag that others wait for, and wakes them. */
export function clearAndWake({ flags }: PageMetadata, pfn: Pfn, flag: number): void {
  // Release: what was done under the flag comes before it is cleared. A waiter sets its bit before it sleeps on the word, so
  // either the bit is seen here, or the word has changed and the waiter doesn't sleep.
  const old = Atomics.and(flags, pfn, ~(flag | PG.waiters));
  if (old & PG.waiters) Atomics.notify(flags, pfn);
}

/** Resolves once a flag of a folio is clear, to true, or after `ms` milliseconds, to false. */
export async function waitForClear({ flags }: PageMetadata, pfn: Pfn, flag: number, ms: number): Promise<boolean> {
  for (const until = performance.now() + ms; performance.now() < until; ) {
    // Before the wait, which compares the whole word: a holder that clears its flag in between has changed it.
    const seen = Atomics.or(flags, pfn, PG.waiters) | PG.waiters;
    if (!(seen & flag)) return true;
    const wait = Atomics.waitAsync(flags, pfn, seen, POLL_MS);
    // A timer as well: a wait alone doesn't keep the process alive.
    await Promise.race([wait.value, sleep(POLL_MS)]);
  }
  return false;
}
