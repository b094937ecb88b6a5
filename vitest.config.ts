import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // vitest.package.config.ts has these.
    exclude: [...configDefaults.exclude, 'test/package/**'],
    // One more than the cores there are: while one file waits, the two others run.
    maxWorkers: 3,
    // For what never ends: beside a dozen busy processes a test takes ten times as long.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: process.env.CI ? ['default', ['json', { outputFile: 'build/test-report.json' }]] : ['default'],
    // What is tested is what is shipped: `mtcopy` and `#src/` lead to dist/, with its worker and its wasm beside it.
    server: { deps: { external: [/\/dist\//] } },
  },
});
