import { describe, expect, it } from 'vitest';
import { Lifetime } from '#src/threads/lifetime.js';
import { errno } from '../support/errors.js';

/** A promise, and what resolves it. */
function gate(): { readonly passed: Promise<void>; readonly open: () => void } {
  let open = () => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open: () => open() };
}

/** Timers that keep this process alive. */
function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a lifetime', () => {
  it('ends once the calls in flight have, refuses new ones meanwhile, and ends once', async () => {
    const lifetime = new Lifetime('closed: open another');
    const [first, second] = [gate(), gate()];
    const order: string[] = [];
    const calls = [first, second].map(({ passed }, i) =>
      lifetime.during(async () => {
        await passed;
        order.push(`call ${i}`);
      }),
    );
    const closes = [1, 2].map(() => lifetime.close(async () => void order.push('end')));
    expect(() => lifetime.checkOpen()).toThrow(errno('ESHUTDOWN'));
    expect([lifetime.isClosed, lifetime.inFlight]).toEqual([true, 2]);
    second.open();
    await calls[1];
    await turn();
    expect(order).toEqual(['call 1']);
    first.open();
    await Promise.all([...calls, ...closes]);
    expect(order).toEqual(['call 1', 'call 0', 'end']);
    expect(closes[0]).toBe(closes[1]);
  });

  it('keeps the process alive while a call is in flight or it is ending, and no longer', async () => {
    const idle = timers();
    const lifetime = new Lifetime('closed');
    expect(timers()).toBe(idle);
    const call = gate();
    const running = lifetime.during(() => call.passed);
    expect(timers()).toBe(idle + 1);
    call.open();
    await running;
    expect(timers()).toBe(idle);
    const end = gate();
    const closing = lifetime.close(() => end.passed);
    expect(timers()).toBe(idle + 1);
    end.open();
    await closing;
    expect(timers()).toBe(idle);
  });

  it('tells when the last call has ended, also if it failed, which it passes on', async () => {
    let idle = 0;
    const lifetime = new Lifetime('closed', () => idle++);
    const other = gate();
    const running = lifetime.during(() => other.passed);
    await expect(lifetime.during(() => Promise.reject(new RangeError('no')))).rejects.toThrow('no');
    expect([idle, lifetime.inFlight]).toEqual([0, 1]);
    other.open();
    await running;
    expect([idle, lifetime.inFlight]).toEqual([1, 0]);
    await lifetime.close(async () => {});
  });

  it('passes on what its end throws, and lets the process go', async () => {
    const idle = timers();
    const lifetime = new Lifetime('closed');
    await expect(lifetime.close(() => Promise.reject(new RangeError('no')))).rejects.toThrow('no');
    expect(timers()).toBe(idle);
  });
});
