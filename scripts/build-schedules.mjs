// Builds the program that runs schedules, and what it loads into threads: build/schedules/.
// Usage: node scripts/build-schedules.mjs
import { build } from 'esbuild';

const options = { bundle: true, platform: 'node', target: 'node20', packages: 'external', logLevel: 'warning' };
const [from, to] = ['test/schedules', 'build/schedules'];

await build({ ...options, entryPoints: [`${from}/run.ts`, `${from}/explore.ts`], format: 'esm', outdir: to });
await build({ ...options, entryPoints: [`${from}/preload.ts`], format: 'cjs', outfile: `${to}/preload.cjs` });
await build({
  ...options,
  entryPoints: [`${from}/tlb-flush/program.ts`],
  format: 'esm',
  outfile: `${to}/tlb-flush-program.js`,
});
