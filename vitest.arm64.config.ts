import { defineConfig } from 'vitest/config';
import tests from './vitest.config.js';

const { projects: _, ...test } = tests.test ?? {};

/** The tests on an emulator, which takes ten times as long: one file at a time, each in a thread, which starts sooner. */
export default defineConfig({
  test: {
    ...test,
    include: ['test/**/*.test.ts'],
    maxWorkers: 1,
    pool: 'threads',
    testTimeout: 1_200_000,
    hookTimeout: 1_200_000,
    reporters: ['verbose'],
  },
});
