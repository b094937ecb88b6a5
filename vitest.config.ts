import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Tests start threads of their own: two files at once are enough for two cores.
    maxWorkers: 2,
    testTimeout: 30_000,
    reporters: process.env.CI ? ['default', ['json', { outputFile: 'build/test-report.json' }]] : ['default'],
    // What is tested is what is shipped: `mtcopy` and `#src/` lead to dist/, with its worker and its wasm beside it.
    server: { deps: { external: [/\/dist\//] } },
  },
});
