import { configDefaults, defineConfig } from 'vitest/config';
import tests from './vitest.config.js';

const { projects: _, ...test } = tests.test ?? {};

/** The tests of what is packed: npm installs it and bundlers bundle it, of which `npm test` is spared. */
export default defineConfig({
  test: {
    ...test,
    include: ['test/package/**/*.test.ts'],
    exclude: configDefaults.exclude,
    reporters: process.env.CI ? ['default', ['json', { outputFile: 'build/package-report.json' }]] : ['default'],
  },
});
