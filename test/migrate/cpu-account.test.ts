import fs from 'node:fs';
import { afterEach, expect, it, vi } from 'vitest';
import { awaiting, createCpuAccount, enter, leave } from '#src/migrate/cpu-account.js';

/** Milliseconds on the wall, as the account reads them. */
let now = 1000;

function fakeTime(): void {
  vi.spyOn(performance, 'now').mockImplementation(() => now);
}

afterEach(() => {
  vi.restoreAllMocks();
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

it('leaves out what the thread waited for a core, where the platform tells', ({ skip }) => {
  if (!fs.existsSync('/proc/thread-self/schedstat')) skip();
  const account = createCpuAccount();
  enter(account);
  const delayed = account.delayNs;
  fakeTime();
  now = account.startedMs + 10;
  // As if it had waited since the process began: nothing of the 10 ms is its own.
  account.delayNs = delayed - 50e6;
  leave(account);
  expect(account.ns).toBe(0);
});
