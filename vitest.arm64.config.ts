import { resolve } from 'node:path';
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
    // What the launcher has threads loaded with too: what they start is started by it.
    execArgv: ['--require', resolve('build/arm64/preload.cjs')],
    testTimeout: 1_200_000,
    hookTimeout: 1_200_000,
    reporters: ['verbose'],
  },
});
