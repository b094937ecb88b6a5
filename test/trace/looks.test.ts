import { PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { afterEach, describe, expect, it } from 'vitest';
import { createCpuAccount } from '#src/copy/cpu-account.js';
import { Cpu } from '#src/cpu/cpu.js';
import { BELL, cpuWords, createCpuArea, REQUEST } from '#src/cpu/cpu-area.js';
import { createPageTable } from '#src/cpu/page-table.js';
import { PoisonMap } from '#src/memory/poison-map.js';
import type { Migration } from '#src/migrate/migration.js';
import { PhaseSampler, timed, timedAlone } from '#src/migrate/phase-clock.js';
import { createSlice, resched } from '#src/migrate/resched.js';
import { createMigrateStats } from '#src/migrate/stats.js';
import { Recording, recording, startRecording } from '#src/trace/recording.js';
import { createRings, createTraceWriter } from '#src/trace/ring.js';

const TIMES = 100;

/** What a migration's clocks look at. */
function createMigration(): Migration {
  return {
    stats: createMigrateStats(),
    slice: createSlice(createCpuAccount()),
    unmapped: { count: 0 },
    manager: { memory: { page: { order: [0] } }, vmstat: { nr_tlb_remote_flush: 0 } },
  } as unknown as Migration;
}

/** Looks at both clocks, and calls of any method of a recording, that something takes, each time. */
async function costOf(run: () => unknown): Promise<{ readonly looks: number; readonly records: number }> {
  const { now } = performance;
  const { hrtime } = process;
  let looks = 0;
  let records = 0;
  const methods = Object.getOwnPropertyNames(Recording.prototype).filter((name) => name !== 'constructor');
  const restored = methods.map((name) => [name, Object.getOwnPropertyDescriptor(Recording.prototype, name)] as const);
  for (const [name, descriptor] of restored) {
    const { value } = descriptor as PropertyDescriptor;
    if (typeof value !== 'function') continue;
    Object.defineProperty(Recording.prototype, name, {
      ...descriptor,
      value(this: Recording, ...args: unknown[]) {
        records++;
        return value.apply(this, args);
      },
    });
  }
  performance.now = () => {
    looks++;
    return now.call(performance);
  };
  process.hrtime = Object.assign((time?: [number, number]) => {
    looks++;
    return hrtime(time);
  }, hrtime);
  try {
    for (let i = 0; i < TIMES; i++) await run();
  } finally {
    Object.assign(performance, { now });
    process.hrtime = hrtime;
    for (const [name, descriptor] of restored) {
      Object.defineProperty(Recording.prototype, name, descriptor as PropertyDescriptor);
    }
  }
  return { looks: looks / TIMES, records: records / TIMES };
}

afterEach(() => recording?.stop());

describe('of a migration that nobody traces', () => {
  const migration = createMigration();
  const { slice, stats } = migration;
  const sampled = () => {
    const sampler = new PhaseSampler(migration);
    sampler.finish();
  };

  it.each<[string, () => unknown]>([
    ['a phase', () => timed(migration, 'flush', () => undefined)],
    ['a phase that takes turns', () => timed(migration, 'copy', () => Promise.resolve())],
    ['a phase outside of batches', () => timedAlone(stats.phasesNs, 'isolate', slice, async () => {})],
    ['a stretch of folios', sampled],
  ])('%s looks at the clock at its begin and its end, and records nothing', async (_, run) => {
    expect(await costOf(run)).toEqual({ looks: 2, records: 0 });
    // The same with a trace, so that this can fail.
    startRecording();
    expect((await costOf(run)).records).toBeGreaterThan(0);
  });
});

it('a turn of the event loop that nobody traces records nothing', async () => {
  const { slice } = createMigration();
  // Whatever else has a turn then looks at the clock too.
  expect((await costOf(() => resched(slice))).records).toBe(0);
  startRecording();
  expect((await costOf(() => resched(slice))).records).toBe(2);
});

it('an interrupt looks at no clock where nobody traces', async () => {
  const memory = PhysicalMemory.create({ nodes: ['4M'] });
  const physical = memory.buffer;
  const interrupted = (trace?: ReturnType<typeof createTraceWriter>) => {
    const words = createCpuArea(1);
    const base = cpuWords(0);
    const poison = new PoisonMap(physical, PAGE_SIZE);
    const cpu = new Cpu({ number: 0, physical, poison, words, table: createPageTable(), trace });
    return () => {
      words[base + REQUEST] += 1;
      words[base + BELL] += 1;
      cpu.poll();
    };
  };
  expect((await costOf(interrupted())).looks).toBe(0);
  expect((await costOf(interrupted(createTraceWriter({ rings: createRings(1), epochMs: 0 }, 0)))).looks).toBe(1);
});
