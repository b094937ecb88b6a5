// Runs the tests on other Node.js versions, each from the registry's `node` package. Usage: npm run test:matrix [-- 22 24]
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const versions = process.argv.length > 2 ? process.argv.slice(2) : ['22', '24', '26'];

/** All tests, those of the package too. */
const CONFIGS = ['vitest.config.ts', 'vitest.package.config.ts'];

/** Installs one version outside the project's own dependencies; returns its binary. */
function install(version) {
  const home = resolve('build', 'node', version);
  const binary = join(home, 'node_modules', 'node', 'bin', 'node');
  if (existsSync(binary)) return binary;
  mkdirSync(home, { recursive: true });
  const npm = spawnSync('npm', ['install', '--prefix', home, '--no-audit', '--no-fund', `node@${version}`], {
    stdio: 'inherit',
  });
  if (npm.status !== 0) throw new Error(`node@${version} could not be installed`);
  return binary;
}

const outcomes = versions.map((version) => {
  const node = install(version);
  const shown = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
  console.log(`\n== Node.js ${shown}`);
  const statuses = CONFIGS.map(
    (config) => spawnSync(node, ['node_modules/vitest/vitest.mjs', 'run', '-c', config], { stdio: 'inherit' }).status,
  );
  return { shown, passed: statuses.every((status) => status === 0) };
});
console.log(`\n${outcomes.map(({ shown, passed }) => `${shown} ${passed ? 'passed' : 'failed'}`).join(', ')}`);
process.exitCode = outcomes.every(({ passed }) => passed) ? 0 : 1;
