import { channel } from 'node:diagnostics_channel';

/**
 * Nanoseconds of what the work on a folio is made of, beside the copy of its bytes: finer than phases, of which they are
 * parts. What is in none of them, such as the loop over the folios, a phase has beyond their sum.
 */
export interface Steps {
  /** Locking folios, and unlocking their targets. */
  lock: number;
  /** Allocating targets. */
  allocate: number;
  /** Replacing page-table entries by migration entries, found through the reverse map (try_to_migrate). */
  tryToMigrate: number;
  /** Giving targets their place in the page cache, flags and references (folio_migrate_mapping, folio_migrate_flags). */
  metadata: number;
  /** Replacing migration entries by entries of the target, through the reverse map (remove_migration_ptes). */
  removeMigrationPtes: number;
  /** Freeing the old frames. */
  free: number;
}

/** What subscribers of the channel `mtcopy:migrate-steps` get of every batched call: of 8,192 pages of move_pages at most. */
export interface MigrateSteps {
  /** Estimates: of small folios one in 13 is timed, and what a look at the clock takes is left out. */
  readonly stepsNs: Steps;
}

const steps = channel('mtcopy:migrate-steps');
/**
 * One in so many small folios is timed. A prime: of every 8th all entries would be at the start of a cache line, where the first
 * of its accesses waits for memory.
 */
const SAMPLED = 13;
/** Folios of this order and above are all timed. */
const TIMED_ORDER = 4;
/** Looks at the clock in a row whose mean is what one takes, and how often that is tried. */
const LOOKS = 50;
const TRIES = 5;

function createSteps(): Steps {
  return { lock: 0, allocate: 0, tryToMigrate: 0, metadata: 0, removeMigrationPtes: 0, free: 0 };
}

/** A clock for the steps of one call; `undefined` while nobody listens, and no step costs more than the look whether it is. */
export function createStepClock(): StepClock | undefined {
  return steps.hasSubscribers ? new StepClock() : undefined;
}

/** Tells the steps of folios apart. From {@link start} to the last lap nothing is awaited. */
export class StepClock {
  /** Of large folios, all of them; of small ones those that were timed, how many that were, and how many there were. */
  readonly #largeNs = createSteps();
  readonly #sampledNs = createSteps();
  readonly #sampled = createSteps();
  readonly #small = createSteps();
  readonly #lookNs = lookNs();
  #folios = 0;
  #before = 0;
  #isSmall = false;
  #isTimed = false;

  /** Before the first of some steps of a folio of that order. */
  start(order: number): void {
    this.#isSmall = order < TIMED_ORDER;
    this.#isTimed = !this.#isSmall || this.#folios++ % SAMPLED === 0;
    if (this.#isTimed) this.#before = performance.now();
  }

  /** After each of them. */
  lap(step: keyof Steps): void {
    if (this.#isSmall) this.#small[step]++;
    if (!this.#isTimed) return;
    const now = performance.now();
    const ns = (now - this.#before) * 1e6 - this.#lookNs;
    this.#before = now;
    if (this.#isSmall) {
      this.#sampledNs[step] += ns;
      this.#sampled[step]++;
    } else {
      this.#largeNs[step] += ns;
    }
  }

  /** Tells whoever listens. */
  publish(): void {
    const stepsNs = createSteps();
    for (const step of Object.keys(stepsNs) as (keyof Steps)[]) {
      const smallNs = (this.#sampledNs[step] / Math.max(1, this.#sampled[step])) * this.#small[step];
      stepsNs[step] = Math.max(0, Math.round(this.#largeNs[step] + smallNs));
    }
    steps.publish({ stepsNs } satisfies MigrateSteps);
  }
}

/** Nanoseconds that a look at the clock takes now, as far as it isn't disturbed. */
function lookNs(): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < TRIES; i++) {
    const before = performance.now();
    let now = before;
    for (let look = 0; look < LOOKS; look++) now = performance.now();
    least = Math.min(least, ((now - before) * 1e6) / LOOKS);
  }
  return least;
}
