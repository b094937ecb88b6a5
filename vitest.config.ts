import { configDefaults, defineConfig } from 'vitest/config';

/**
 * Files that can share a process, which takes as long to start as many of them run: they replace nothing for good, and measure
 * nothing of the process. `test/support/shares-its-process.ts` fails one that leaves a thread running.
 */
const TOGETHER = [
  'test/check.test.ts',
  'test/cli/{baseline,completion,copy,exports,interrupt,migrate,migrate-dcbm,pmbench,pmbench-finds-lost-updates}.test.ts',
  'test/cli/{profile,reproduce,sysfs,trace,tune,widths}.test.ts',
  'test/copy/{abort,at-once,bad-input,call,compare,every-byte-and-no-other,fill,fill-lost-worker}.test.ts',
  'test/copy/{foreign-memory,growable,lost-worker,many-calls,odd-input}.test.ts',
  'test/copy/{poison,ready,result,same-memory,threshold,who-copies,who-gets-a-call}.test.ts',
  'test/copy/batch/*.test.ts',
  'test/copy/worker/{cpu-time,dies-at-any-operation,fill-and-compare,leaving,native-*,ring-protocol,throws}.test.ts',
  'test/cpu/*.test.ts',
  'test/dma/!(pace).test.ts',
  'test/docs/{docstrings,programs,references,sysfs-files}.test.ts',
  'test/experiments/*.test.ts',
  'test/experiments/{migrate,pmbench,reproduce,shared}/*.test.ts',
  'test/experiments/tune/!(load|tune).test.ts',
  'test/faults/*.test.ts',
  'test/machine/!(close).test.ts',
  'test/memory/*.test.ts',
  'test/migrate/!(accounting|event-loop|no-store-is-lost|steps).test.ts',
  'test/migrate/accounting-is-not-negative.test.ts',
  'test/migrators/!(dcbm-accounting|dcbm-thrown|saturation-gate).test.ts',
  'test/mm/!(copy-beside-silent-cpu|untouched-tables).test.ts',
  'test/profile/*.test.ts',
  'test/report/!(browser).test.ts',
  'test/report/trace/{encoder,interrupts,phases,units}.test.ts',
  'test/soak/slope.test.ts',
  'test/support/holds.test.ts',
  'test/syscalls/!(event-loop).test.ts',
  'test/sysfs/*.test.ts',
  'test/threads/{thread-start,worker-cannot-start}.test.ts',
  'test/trace/ring.test.ts',
  'test/units.test.ts',
];

// vitest.package.config.ts has the tests of the package.
const exclude = [...configDefaults.exclude, 'test/package/**'];

export default defineConfig({
  test: {
    // One more than the cores there are: while one file waits, the two others run.
    maxWorkers: 3,
    // For what never ends: beside a dozen busy processes a test takes ten times as long.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: process.env.CI ? ['default', ['json', { outputFile: 'build/test-report.json' }]] : ['default'],
    // What is tested is what is shipped: `mtcopy` and `#src/` lead to dist/, with its worker and its wasm beside it.
    server: { deps: { external: [/\/dist\//] } },
    // One after the other: a process is kept for the next file only if that one may share it.
    projects: [
      {
        extends: true,
        test: {
          name: 'own process',
          include: ['test/**/*.test.ts'],
          exclude: [...exclude, ...TOGETHER],
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'together',
          include: TOGETHER,
          exclude,
          isolate: false,
          restoreMocks: true,
          setupFiles: ['test/support/shares-its-process.ts'],
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
