#!/usr/bin/env node
import { INTERRUPTED, run } from './run.js';

const ending = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    // Who asks twice doesn't want to wait for the run at hand.
    if (ending.signal.aborted) process.exit(INTERRUPTED);
    ending.abort();
  });
}
const { stdout, stderr } = process;
process.exitCode = await run(process.argv.slice(2), { stdout, stderr, signal: ending.signal });
