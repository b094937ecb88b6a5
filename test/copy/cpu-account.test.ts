import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { afterEach, expect, it, vi } from 'vitest';
import { awaiting, createCpuAccount, during, enter, leave, resume } from '#src/copy/cpu-account.js';

/** Milliseconds on the wall, and nanoseconds that the thread has waited for a core, as accounts read them. */
let now = 1000;
let delayNs = 5e6;
/** And its CPU time. */
let cpuNs = 1e6;

function fakeTime(): void {
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  vi.spyOn(fs, 'readSync').mockImplementation(((_: number, buffer: Uint8Array) =>
    Buffer.from(`${cpuNs} ${delayNs} 1\n`).copy(buffer)) as typeof fs.readSync);
  syncBuiltinESMExports();
}

afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
});

/** Lets time pass, of which the thread has the core: less than it takes to be put off one. */
function pass(ms: number): void {
  now += ms;
}

it('counts once what parts of a call do in each other’s stretches', () => {
  fakeTime();
  const account = createCpuAccount();
  enter(account);
  pass(0.05);
  enter(account);
  pass(0.05);
  leave(account);
  pass(0.05);
  leave(account);
  expect(account.ns).toBeCloseTo(150e3, 3);
  pass(100);
  enter(account);
  pass(0.02);
  leave(account);
  expect(account.ns).toBeCloseTo(170e3, 3);
});

it('counts nothing while it waits, and goes on after what fails', async () => {
  fakeTime();
  const account = createCpuAccount();
  enter(account);
  pass(0.1);
  const waits = async () => {
    pass(0.01);
    await Promise.resolve();
    pass(500);
    throw new Error('boom');
  };
  await expect(awaiting(account, waits)).rejects.toThrow('boom');
  pass(0.1);
  leave(account);
  expect(account.ns).toBeCloseTo(200e3, 3);
});

it('counts once what parts of several calls do in each other’s stretches, whoever ends first', () => {
  fakeTime();
  const [one, other] = [createCpuAccount(), createCpuAccount()];
  enter(one);
  pass(0.02);
  enter(other);
  pass(0.03);
  leave(one);
  pass(0.04);
  leave(other);
  expect([one.ns, other.ns]).toEqual([expect.closeTo(20e3, 3), expect.closeTo(70e3, 3)]);
});

it('ends a stretch also with what fails', async () => {
  fakeTime();
  const account = createCpuAccount();
  const fails = async () => {
    pass(0.1);
    throw new Error('boom');
  };
  await expect(during(account, fails)).rejects.toThrow('boom');
  pass(0.1);
  const other = createCpuAccount();
  enter(other);
  leave(other);
  expect([account.ns, other.ns]).toEqual([expect.closeTo(100e3, 3), 0]);
});

it('leaves out what the thread waited for a core, though no stretch was long', ({ skip }) => {
  if (!fs.existsSync('/proc/thread-self/schedstat')) skip();
  fakeTime();
  const [whole, part] = [createCpuAccount(), createCpuAccount()];
  enter(whole);
  pass(0.1);
  enter(part);
  // Without a core for most of it.
  pass(0.15);
  delayNs += 0.14e6;
  leave(part);
  pass(0.1);
  enter(part);
  pass(0.1);
  leave(part);
  leave(whole);
  // 0.45 ms by the clock.
  expect(whole.ns + part.ns).toBeCloseTo(310e3, 3);
});

it.each([false, true])('leaves out such waits of a short stretch too, and those before it: asleep %s', (isAsleep) => {
  if (!fs.existsSync('/proc/thread-self/schedstat')) return;
  fakeTime();
  const account = createCpuAccount();
  for (let round = 0; round < 10; round++) {
    if (isAsleep) delayNs += 0.5e6;
    enter(account);
    pass(0.1);
    delayNs += 0.09e6;
    leave(account);
  }
  expect(account.ns).toBeCloseTo(100e3, 3);
});

it('charges whoever goes on, once he says so', () => {
  fakeTime();
  const [one, other, closed] = [createCpuAccount(), createCpuAccount(), createCpuAccount()];
  enter(one);
  pass(0.02);
  enter(other);
  pass(0.03);
  resume(one);
  pass(0.04);
  resume(closed);
  resume(one);
  pass(0.01);
  leave(other);
  // Who isn't in a stretch ends none.
  leave(closed);
  pass(0.05);
  leave(one);
  expect([one.ns, other.ns, closed.ns]).toEqual([expect.closeTo(120e3, 3), expect.closeTo(30e3, 3), 0]);
});

it('leaves out what the thread slept without its doing, but for a tick, in each stretch', () => {
  fakeTime();
  const account = createCpuAccount();
  for (let stretch = 1; stretch <= 3; stretch++) {
    enter(account);
    pass(100);
    cpuNs += 5e6;
    leave(account);
    expect(account.ns).toBeCloseTo(stretch * 15e6, 3);
    pass(1000);
    cpuNs += 200e6;
  }
  // What it did before its first stretch is no allowance, and what it did since is.
  enter(account);
  pass(8);
  cpuNs += 8e6;
  leave(account);
  expect(account.ns).toBeCloseTo(53e6, 3);
});

it('looks once more if the thread was put off its core between two looks', () => {
  fakeTime();
  const account = createCpuAccount();
  enter(account);
  pass(2);
  cpuNs += 2e6;
  // As its clock is read at the end of the stretch: the wait is in the time on the wall only once that is read again.
  let reads = 0;
  vi.spyOn(fs, 'readSync').mockImplementation(((_: number, buffer: Uint8Array) => {
    if (reads++ === 0) {
      now += 30;
      delayNs += 30e6;
    }
    return Buffer.from(`${cpuNs} ${delayNs} 1\n`).copy(buffer);
  }) as typeof fs.readSync);
  syncBuiltinESMExports();
  leave(account);
  expect(reads).toBe(2);
  expect(account.ns).toBeCloseTo(2e6, 3);
});
