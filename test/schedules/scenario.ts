/** A scenario: what the main thread does, from rest to rest, of which each schedule is one way to go. Each protocol has its own. */
export interface Scenario {
  readonly name: string;
  /** Whether a thread dies in it, at each of its operations in turn. Default: false. */
  readonly dies?: boolean;
  /** Whether a wait of the main thread may time out once nobody can go on; as where a thread dies. Default: false. */
  readonly timesOut?: boolean;
  /** Whether a wait of the main thread may time out while others could go on. Default: false. */
  readonly isImpatient?: boolean;
  /** Of an impatient one: whether that is all that time does, and no timer of its event loop ever fires. Default: false. */
  readonly hasNoTimers?: boolean;
  /** Whether each wait of the main thread that blocks times out at once, and timers fire once nobody can go on. Default: false. */
  readonly isHurried?: boolean;
  /** Whether it closes what it runs, so that each schedule has one of its own. Default: false. */
  readonly closes?: boolean;
}

/** What a scenario says that went wrong. */
export class Wrong extends Error {}
