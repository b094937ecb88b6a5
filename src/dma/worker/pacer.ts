/** How much of a device's speed a channel has to keep to. */
export interface Pace {
  /** Bytes a second; `Infinity` for no limit. */
  readonly bandwidth: number;
  /** Nanoseconds a descriptor. */
  readonly descriptorNs: number;
}

/**
 * How long before a time a thread stops sleeping and looks at the clock instead, in milliseconds: an Atomics.wait may sleep
 * some 60 microseconds longer than told.
 */
const SPIN_MS = 0.1;
/** How long a completion that others follow may be late, in milliseconds, so that one wake-up does for several. */
const COALESCE_MS = 0.1;

/**
 * Descriptors that are copied and whose time hasn't come: a device of a given speed is modelled by when it says that they
 * are complete. Its clock runs on by what each descriptor takes, from when the channel was last idle, and isn't set anew by
 * a thread that has slept too long or copied too slowly: the next completions make up for that.
 */
export interface Pacer {
  /** Whether there is a speed to keep to. */
  readonly isPaced: boolean;
  /** Descriptors whose time hasn't come. */
  readonly count: number;
  /** The channel was idle until a time, of performance.now(): when it was given something, not when it noticed. */
  wake(since: number): void;
  /** A descriptor of some bytes is copied. */
  add(sequence: number, record: number, bytes: number): void;
  /** The next descriptor whose time has come, which {@link take} then takes away; -1 for none. */
  due(): number;
  /** The completion record of {@link due}'s, which is forgotten. */
  take(): number;
  /** Until when a thread with nothing else to do may sleep, in milliseconds from now; 0 if it had better look at the clock. */
  sleepMs(): number;
  /** Forgets everything. */
  clear(): void;
}

/** A pacer for at most `room` descriptors, a power of two. */
export function createPacer({ bandwidth, descriptorNs }: Pace, room: number): Pacer {
  const msAByte = 1000 / bandwidth;
  const msADescriptor = descriptorNs / 1e6;
  const sequences = new Int32Array(room);
  const records = new Int32Array(room);
  const times = new Float64Array(room);
  const mask = room - 1;
  let first = 0;
  let end = 0;
  /** When the device is through with all that it was given, of performance.now(). */
  let busyUntil = 0;
  return {
    isPaced: msAByte > 0 || msADescriptor > 0,
    get count() {
      return end - first;
    },
    wake(since) {
      busyUntil = Math.max(busyUntil, Math.min(since, performance.now()));
    },
    add(sequence, record, bytes) {
      busyUntil += msADescriptor + bytes * msAByte;
      const at = end++ & mask;
      sequences[at] = sequence;
      records[at] = record;
      times[at] = busyUntil;
    },
    due() {
      return first < end && times[first & mask] <= performance.now() ? sequences[first & mask] : -1;
    },
    take() {
      return records[first++ & mask];
    },
    sleepMs() {
      const now = performance.now();
      const until = Math.min(times[(end - 1) & mask] - SPIN_MS, Math.max(times[first & mask], now + COALESCE_MS));
      return Math.max(0, until - now);
    },
    clear() {
      first = end;
      busyUntil = 0;
    },
  };
}
