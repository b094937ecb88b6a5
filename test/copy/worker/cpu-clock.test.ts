import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { afterEach, describe, expect, it, vi } from 'vitest';

const SCHEDSTAT = '/proc/thread-self/schedstat';

/** The file that it is then. */
const FAKE = 1 << 20;

let clocks = 0;
/** What the clock reads, in nanoseconds: the time on the wall, and how much of it the thread has waited for a core. */
const time = { wallNs: 5e6, delayNs: 3e6 };

function pass(wallNs: number, delayNs: number): void {
  time.wallNs += wallNs;
  time.delayNs += delayNs;
}

const { openSync, readSync } = fs;

/** Has the clock read `time` instead of the real ones; without `hasSchedstat` as on a platform that has no such file. */
function fakeTime({ hasSchedstat = true } = {}): void {
  vi.spyOn(performance, 'now').mockImplementation(() => time.wallNs / 1e6);
  // Other files are there as ever: from Node.js 24 on modules are read by these functions too.
  vi.spyOn(fs, 'openSync').mockImplementation((path, ...how) => {
    if (path !== SCHEDSTAT) return openSync(path, ...how);
    if (!hasSchedstat) throw new Error(`ENOENT: ${path}`);
    return FAKE;
  });
  vi.spyOn(fs, 'readSync').mockImplementation(((file: number, buffer: Uint8Array, ...where: []) => {
    if (file !== FAKE) return readSync(file, buffer, ...where);
    // CPU time, which lags, time without a core, time slices.
    return Buffer.from(`123456 ${time.delayNs} 42\n`).copy(buffer);
  }) as typeof fs.readSync);
  syncBuiltinESMExports();
}

afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
});

describe("a thread's CPU clock", () => {
  /** A clock of a thread that has read nothing yet. */
  async function createClock() {
    // A module for each: a thread opens its file once.
    const url = `${import.meta.resolve('#src/copy/worker/cpu-clock.js')}?${clocks++}`;
    const { createCpuClock } = (await import(url)) as typeof import('#src/copy/worker/cpu-clock.js');
    return createCpuClock();
  }

  it('leaves out the time in which the thread was ready and had no core', async () => {
    fakeTime();
    const clock = await createClock();
    clock.wake();
    clock.start();
    pass(10e6, 7e6);
    expect(clock.stop()).toBeCloseTo(3e6);
    clock.start();
    pass(4e6, 0);
    expect(clock.stop()).toBeCloseTo(4e6);
  });

  it('leaves out what the thread waited for a core as it woke', async () => {
    fakeTime();
    const clock = await createClock();
    clock.wake();
    clock.start();
    pass(1e6, 0);
    clock.stop();
    pass(50e6, 20e6);
    clock.wake();
    clock.start();
    pass(6e6, 1e6);
    expect(clock.stop()).toBeCloseTo(5e6);
  });

  it('is never below 0, whatever the operating system rounds', async () => {
    fakeTime();
    const clock = await createClock();
    clock.wake();
    clock.start();
    pass(1e6, 1.5e6);
    expect(clock.stop()).toBe(0);
  });

  it('is the time on the wall where the platform does not tell', async () => {
    fakeTime({ hasSchedstat: false });
    const clock = await createClock();
    clock.wake();
    clock.start();
    pass(10e6, 7e6);
    expect(clock.stop()).toBeCloseTo(10e6);
  });
});
