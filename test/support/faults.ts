import { syncBuiltinESMExports } from 'node:module';
import threads, { type WorkerOptions } from 'node:worker_threads';
import { expect } from 'vitest';
import type { DmaEngine } from '#src/dma/engine.js';
import type { FaultPlan } from '#src/dma/faults.js';

/*
 * SQLite's way of testing what can fail: a step fails at its first time in a run, then at its second, and so on, until a run
 * comes to its end without. After each everything is to be in order.
 */

/** A step while its n-th time fails. */
export interface Fault {
  /** Times that the step was taken. */
  readonly times: number;
  /** Takes the step as it is from here on. */
  [Symbol.dispose](): void;
}

/** A step that can fail: has its n-th time from now on, from 1, do so. */
export type Step = (n: number) => Fault;

/** The most times that a step is taken in a scenario: one that takes it again for ever is wrong. */
const MOST = 1000;

/**
 * Runs a scenario again and again, each time with the next time of a step failing, until it is taken less often than that.
 *
 * @param scenario gets the fault to dispose of before it looks at what is left
 * @returns how often the step has failed: a scenario that never takes it tests nothing
 */
export async function failEach(step: Step, scenario: (fault: Fault, n: number) => Promise<void>): Promise<number> {
  for (let n = 1; n <= MOST; n++) {
    using fault = step(n);
    try {
      await scenario(fault, n);
    } catch (error) {
      throw new Error(`with its failure ${n}: ${(error as Error).message}`, { cause: error });
    }
    if (fault.times < n) return n - 1;
  }
  throw new Error(`still failing at time ${MOST}`);
}

type MethodOf<Owner, Name extends keyof Owner> = Extract<Owner[Name], (...args: never[]) => unknown>;

/** A method that answers something else, or throws, at its n-th time that counts. */
export function methodStep<Owner extends object, Name extends keyof Owner & string>(
  owner: Owner,
  name: Name,
  fail: (...args: Parameters<MethodOf<Owner, Name>>) => ReturnType<MethodOf<Owner, Name>>,
  counts: (...args: Parameters<MethodOf<Owner, Name>>) => boolean = () => true,
): Step {
  return (n) => {
    const descriptor = Object.getOwnPropertyDescriptor(owner, name);
    const original = owner[name] as (...args: Parameters<MethodOf<Owner, Name>>) => unknown;
    let times = 0;
    Object.defineProperty(owner, name, {
      configurable: true,
      writable: true,
      value(this: unknown, ...args: Parameters<MethodOf<Owner, Name>>) {
        if (counts(...args) && ++times === n) return fail.apply(this, args);
        return original.apply(this, args);
      },
    });
    return {
      get times() {
        return times;
      },
      [Symbol.dispose]() {
        if (descriptor) Object.defineProperty(owner, name, descriptor);
        else Reflect.deleteProperty(owner, name);
      },
    };
  };
}

/** The start of a thread, for which the system has none left at those times that `fails` says. */
const spawnStepOf =
  (fails: (time: number, n: number) => boolean): Step =>
  (n) => {
    const { Worker } = threads;
    let times = 0;
    const replaceWorker = (worker: typeof Worker) => {
      Object.assign(threads, { Worker: worker });
      syncBuiltinESMExports();
    };
    replaceWorker(
      class extends Worker {
        constructor(file: string | URL, options?: WorkerOptions) {
          if (fails(++times, n)) throw Object.assign(new Error('no more threads'), { code: 'ERR_WORKER_INIT_FAILED' });
          super(file, options);
        }
      },
    );
    return {
      get times() {
        return times;
      },
      [Symbol.dispose]: () => replaceWorker(Worker),
    };
  };

/** The start of a thread: the n-th fails. */
export const spawnStep = spawnStepOf((time, n) => time === n);

/** The start of a thread: the n-th fails, and so does every later one. */
export const spawnsStep = spawnStepOf((time, n) => time >= n);

/** What a device does, or what is done for it: a failure of the n-th time that its engine asks for one. */
export function deviceStep(engine: () => DmaEngine, name: keyof FaultPlan, kind: unknown): Step {
  return (n) => {
    let times = 0;
    const given = engine();
    given.faults = { [name]: () => (++times === n ? kind : undefined) };
    return {
      get times() {
        return times;
      },
      [Symbol.dispose]() {
        given.faults = undefined;
      },
    };
  };
}

/** What is thrown where a step fails by an error of its own. */
export const BOOM = new Error('boom');

export function boom(): never {
  throw BOOM;
}

/** What a call comes to: its result, or the error, which must be the step's own or have one of these codes. */
export async function outcomeOf<T>(run: () => T | Promise<T>, codes: readonly string[] = []): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    const isExpected = error === BOOM || codes.includes((error as { code?: string }).code ?? '');
    if (!isExpected) throw error;
    expect(isExpected).toBe(true);
    return undefined;
  }
}
