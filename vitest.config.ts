import { configDefaults, defineConfig } from 'vitest/config';

/**
 * Files that can share a process, which takes as long to start as most of them run: they start no thread, replace nothing,
 * and measure nothing of the process. `test/support/shares-its-process.ts` fails one that does start a thread.
 */
const TOGETHER = [
  'test/copy/{call,threshold}.test.ts',
  'test/copy/batch/{overlap,plan-*}.test.ts',
  'test/copy/worker/cpu-time.test.ts',
  'test/dma/{hostile-arguments,iova}.test.ts',
  'test/docs/{references,sysfs-files}.test.ts',
  'test/experiments/ratio.test.ts',
  'test/experiments/pmbench/access-pattern.test.ts',
  'test/experiments/reproduce/{finding,rows}.test.ts',
  'test/experiments/shared/folios.test.ts',
  'test/experiments/tune/{assemble,choose,race}.test.ts',
  'test/memory/{buddy-allocator,physical-memory,poison}.test.ts',
  'test/migrate/{accounting-is-not-negative,fallback,private-folios,reasons}.test.ts',
  'test/migrators/{dcbm-settings,offload-switch}.test.ts',
  'test/mm/{access-while-migrating,file-identity,mmap-folio-sizes}.test.ts',
  'test/profile/{read-back,refused}.test.ts',
  'test/syscalls/{differs-from-linux,migrate-*,move-*}.test.ts',
  'test/sysfs/{online,tree}.test.ts',
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
          setupFiles: ['test/support/shares-its-process.ts'],
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
