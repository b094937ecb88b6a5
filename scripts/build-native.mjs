// Builds the walkers in C: dist/copy/worker/native/linux-ARCH.node for each architecture that there is code for.
// Usage: node scripts/build-native.mjs [--here] [--optional]
//   --here      for this machine alone
//   --optional  leaves out what can't be built, and says why; the library copies without it
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';

const SOURCE = 'src/copy/worker/native';
const SOURCES = ['binding.c', 'walker.c', 'line-walker.c', 'line-fill.c', 'line-compare.c'].map((name) =>
  join(SOURCE, name),
);
const TARGET = 'dist/copy/worker/native';
const HERE = `${process.platform}-${process.arch}`;
/** What there is code for: the compilers' name for it, and flags of its own. */
const TARGETS = {
  'linux-x64': { triple: 'x86_64-linux-gnu', flags: [] },
  // The default calls a library's functions for atomics.
  'linux-arm64': { triple: 'aarch64-linux-gnu', flags: ['-mno-outline-atomics'] },
};
/** Freestanding, and no library: one file for glibc and musl. What is undefined in it, Node-API, Node.js itself has. */
const FLAGS = [
  ...['-std=c11', '-O2', '-Wall', '-Wextra', '-Werror'],
  ...['-ffreestanding', '-nostdlib', '-shared', '-fPIC', '-fvisibility=hidden'],
  // Would call a library.
  '-fno-stack-protector',
  ...['-fno-asynchronous-unwind-tables', '-Wl,-z,noexecstack', '-Wl,-z,noseparate-code', '-Wl,--build-id=none', '-s'],
];
/** gcc makes calls of a library's memcpy and memset of loops, even so; clang doesn't, and doesn't know this. */
const GCC_FLAGS = ['-fno-tree-loop-distribute-patterns'];

/** Why it can't be built here. */
class Missing extends Error {}

/** What a program says of its version; `undefined` if there is no such program. */
function versionOf(program) {
  try {
    return execFileSync(program, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return undefined;
  }
}

/** A compiler for a target, and the flags that it wants; a machine's own compiler is for itself alone, unless it is clang. */
function findCompiler(target) {
  const { triple, flags } = TARGETS[target];
  for (const name of target === HERE ? ['cc', 'gcc', 'clang'] : [`${triple}-gcc`]) {
    const version = versionOf(name);
    if (version) return [name, ...flags, ...(version.includes('clang') ? [] : GCC_FLAGS)];
  }
  if (target === HERE) throw new Missing('there is no C compiler: neither cc nor gcc nor clang');
  if (!versionOf('clang') || !versionOf('ld.lld')) {
    throw new Missing(`there is no cross compiler: neither ${triple}-gcc nor clang with lld`);
  }
  return ['clang', ...flags, `--target=${triple}`, '-fuse-ld=lld'];
}

/** Declarations of Node-API: the package's, or those that Node.js was installed with. */
function findHeaders() {
  const places = [join(dirname(process.execPath), '../include/node')];
  try {
    const require = createRequire(import.meta.url);
    places.unshift(join(dirname(require.resolve('node-api-headers/package.json')), 'include'));
  } catch {
    // Not installed.
  }
  const found = places.find((place) => existsSync(join(place, 'node_api.h')));
  if (!found) throw new Missing('there are no declarations of Node-API: npm ci brings node-api-headers');
  return found;
}

function build(target) {
  const file = resolve(TARGET, `${target}.node`);
  // One that was built before must not stay in the place of one that can't be.
  rmSync(file, { force: true });
  if (!TARGETS[target]) throw new Missing('there is no code for it');
  const [compiler, ...flags] = findCompiler(target);
  const headers = findHeaders();
  mkdirSync(TARGET, { recursive: true });
  try {
    execFileSync(compiler, [...flags, ...FLAGS, '-I', headers, '-o', file, ...SOURCES], { stdio: 'inherit' });
  } catch {
    throw new Missing(`${compiler} can't compile it; what it says is above`);
  }
}

for (const target of process.argv.includes('--here') ? [HERE] : Object.keys(TARGETS)) {
  try {
    build(target);
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    console.error(`Without streaming stores on ${target}: ${error.message}.`);
    if (!process.argv.includes('--optional')) process.exitCode = 1;
  }
}
