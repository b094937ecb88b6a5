import { ErrnoError, invalid } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { createFolioCopy, type FolioCopy } from './folio-copy.js';
import { createFolioStream, type FolioStream } from './folio-stream.js';
import { checkCopiesIn, checkMigrator, type Migrator } from './migrator.js';
import { isWorthwhile } from './offer.js';
import { type MigrateReason, parseReasonMask, type ReasonMask, reasonBit } from './reasons.js';
import { addMoved, type MovedBy } from './stats.js';

/** The reasons that a driver is for when it is switched on, as published. */
export const DEFAULT_REASON_MASK = 'compaction,syscall_or_cpuset,demotion,numa_misplaced';

/** A migrator while a batch uses it, or a call that names it. */
export interface MigratorUse {
  /** `undefined`: the calling thread alone. */
  readonly migrator: Migrator | undefined;
  /** Ends the use: nothing of the batch is copied by it any more. Once. */
  put(): void;
}

/** What a call's batches get their migrator from. */
export interface MigratorSource {
  /** Copies on the calling thread. */
  readonly folioCopy: FolioCopy;
  /** Copies a whole batch there, past the caches. */
  readonly folioStream: FolioStream;
  /** The migrator of a batch that is made for a reason. It can't be torn down until it is put. */
  get(reason: MigrateReason): MigratorUse;
  /** What copies folios that are private to a device, for whatever reason; `undefined` if nothing can. As {@link get}. */
  getForPrivate(): MigratorUse | undefined;
  /** Ends the call: it asks for no more. */
  put(): void;
}

const ON_CALLER: MigratorUse = { migrator: undefined, put() {} };

/** Batches that use a migrator, and calls that name it, and who waits for their end. */
interface Users {
  count: number;
  onIdle: (() => void) | undefined;
}

/** The migrator that is registered. */
interface Active {
  readonly migrator: Migrator;
  /** Its end, once it is being unregistered: new batches don't get it any more. */
  leaving: Promise<void> | undefined;
}

/**
 * The offload registry (migrate_offc): one migrator at a time copies what is migrated for the reasons that its mask names.
 * All else the calling thread copies, as without it.
 */
export class OffloadRegistry {
  /** @internal */
  readonly folioCopy: FolioCopy;
  /** Who made the registry closes it. @internal */
  readonly folioStream: FolioStream;
  readonly #memory: PhysicalMemory;
  readonly #clearedBy: MovedBy[] = [];
  readonly #users = new Map<Migrator, Users>();
  /** The reasons that a migrator is registered for, was last, or is to be next. */
  readonly #masks = new WeakMap<Migrator, ReasonMask>();
  #active: Active | undefined;

  /** @internal */
  constructor(memory: PhysicalMemory) {
    this.#memory = memory;
    this.folioCopy = createFolioCopy(memory);
    this.folioStream = createFolioStream(memory);
  }

  /** The migrator that is registered, also while it is being unregistered; `undefined` if there is none. */
  get active(): Migrator | undefined {
    return this.#active?.migrator;
  }

  /**
   * The reasons for which batches that begin now get it; 0 if there is none, or it is being unregistered. See
   * {@link parseReasonMask} for names.
   */
  get reasonMask(): ReasonMask {
    return this.#active && !this.#active.leaving ? this.maskOf(this.#active.migrator) : 0;
  }

  /**
   * Who has cleared the folios that page faults had a migrator asked for, so far: itself, or `'kernel'`, the calling thread, what
   * it has left.
   */
  get clearedBy(): readonly Readonly<MovedBy>[] {
    return this.#clearedBy.map((one) => ({ ...one }));
  }

  /**
   * Has a migrator copy what is migrated from now on for some reasons, and, if it does that, clear folios.
   *
   * @param reasonMask the reasons, as {@link parseReasonMask} reads them. Default: compaction, syscall_or_cpuset, demotion
   * and numa_misplaced, as a published driver's when it is switched on.
   * @throws ErrnoError EINVAL for what is no migrator, one that copies in another memory alone, or no mask; EBUSY while one is
   * registered, also while it is still being unregistered
   */
  register(migrator: Migrator, reasonMask: string | number = DEFAULT_REASON_MASK): void {
    checkMigrator('migrator', migrator, 'a Migrator (a driver is switched on by its name, in sysfs)');
    checkCopiesIn(this.#memory, migrator);
    const mask = parseReasonMask(reasonMask);
    this.checkFree();
    this.#masks.set(migrator, mask);
    this.#active = { migrator, leaving: undefined };
  }

  /**
   * Takes the registered migrator away: batches that begin from now on are copied by the calling thread. Its maker may tear
   * it down once this has resolved, for then every batch that began with it has ended, and every call that named it by now.
   * Not to be waited for in its own `copyFolios` or `clearFolios`, which this waits for.
   *
   * @throws ErrnoError EINVAL for any but the registered one, or one that is being unregistered already
   */
  async unregister(migrator: Migrator): Promise<void> {
    const active = this.#checkActive(migrator);
    active.leaving = this.#drain(migrator);
    await active.leaving;
  }

  /**
   * Sets the reasons for which batches that begin from now on get the registered migrator.
   *
   * @param migrator the registered one: nobody else may
   * @throws ErrnoError EINVAL for any other, or for no mask; the mask is what it was then
   */
  setReasonMask(migrator: Migrator, reasonMask: string | number): void {
    const mask = parseReasonMask(reasonMask);
    this.#masks.set(this.#checkActive(migrator).migrator, mask);
  }

  /** Resolves once the migrator that is being unregistered has left. @internal */
  get leaving(): Promise<void> | undefined {
    return this.#active?.leaving;
  }

  /** @throws ErrnoError EBUSY while a migrator is registered @internal */
  checkFree(): void {
    if (!this.#active) return;
    throw new ErrnoError('EBUSY', `migrator: '${this.#active.migrator.name}' must be unregistered first`);
  }

  /** The reasons that a migrator is registered for, or would be by its driver's switch. @internal */
  maskOf(migrator: Migrator): ReasonMask {
    return this.#masks.get(migrator) ?? parseReasonMask(DEFAULT_REASON_MASK);
  }

  /** Sets them for a driver's own migrator, registered or not. @internal */
  setMaskOf(migrator: Migrator, reasonMask: ReasonMask): void {
    this.#masks.set(migrator, reasonMask);
  }

  /** @internal */
  get(reason: MigrateReason): MigratorUse {
    const active = this.#active;
    const isOffloaded = active && !active.leaving && (this.maskOf(active.migrator) & reasonBit(reason)) !== 0;
    return isOffloaded ? this.#use(active.migrator) : ON_CALLER;
  }

  /** @internal */
  getForPrivate(): MigratorUse | undefined {
    const active = this.#active;
    return active && !active.leaving ? this.#useForPrivate(active.migrator) : undefined;
  }

  /** What a fault has a folio cleared by that {@link wantsClear} was true of just now. As {@link get}. @internal */
  getForClear(): MigratorUse | undefined {
    const active = this.#active;
    return active && !active.leaving ? this.#use(active.migrator) : undefined;
  }

  /** Whether a fault has a folio of so many bytes cleared by somebody else than the calling thread. @internal */
  wantsClear(bytes: number): boolean {
    const active = this.#active;
    return (
      active !== undefined &&
      !active.leaving &&
      active.migrator.clearFolios !== undefined &&
      isWorthwhile(active.migrator, 1, bytes)
    );
  }

  /** Counts a folio that a migrator was asked for, by who has cleared it. @internal */
  countCleared(by: string, bytes: number): void {
    addMoved(this.#clearedBy, by, 1, bytes);
  }

  /** The registry itself is no call's. @internal */
  put(): void {}

  /**
   * A source for a call that names its migrator, or none, past what is registered and for any reason.
   *
   * @throws ErrnoError EINVAL for one that copies in another memory
   * @internal
   */
  named(migrator: Migrator | undefined): MigratorSource {
    if (migrator) checkCopiesIn(this.#memory, migrator);
    // Of the whole call: between its batches it counts on the migrator too.
    const call = migrator && this.#use(migrator);
    return {
      folioCopy: this.folioCopy,
      folioStream: this.folioStream,
      put: () => call?.put(),
      get: () => (migrator ? this.#use(migrator) : ON_CALLER),
      getForPrivate: () => (migrator ? this.#useForPrivate(migrator) : undefined),
    };
  }

  #useForPrivate(migrator: Migrator): MigratorUse | undefined {
    return migrator.copiesPrivate === true ? this.#use(migrator) : undefined;
  }

  async #drain(migrator: Migrator): Promise<void> {
    const users = this.#users.get(migrator);
    if (users) {
      // Those that come later, by name, have users of their own: they don't keep this from its end.
      this.#users.delete(migrator);
      await new Promise<void>((resolve) => {
        users.onIdle = resolve;
      });
    }
    this.#active = undefined;
  }

  #use(migrator: Migrator): MigratorUse {
    const users = this.#users.get(migrator) ?? { count: 0, onIdle: undefined };
    this.#users.set(migrator, users);
    users.count++;
    return {
      migrator,
      put: () => {
        if (--users.count > 0) return;
        if (this.#users.get(migrator) === users) this.#users.delete(migrator);
        users.onIdle?.();
      },
    };
  }

  #checkActive(migrator: Migrator): Active {
    const active = this.#active;
    if (active && active.migrator === migrator && !active.leaving) return active;
    throw invalid('migrator', 'must be the one that is registered', migrator?.name ?? migrator);
  }
}
