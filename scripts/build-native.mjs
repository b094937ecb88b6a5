// Builds the walker in C for this machine: dist/copy/worker/native/PLATFORM-ARCH.node.
// Usage: node scripts/build-native.mjs [--optional]
//   --optional  leaves it out where it can't be built, and says why; the library copies without it
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';

const SOURCE = 'src/copy/worker/native';
const TARGET = 'dist/copy/worker/native';
const TARGETS = ['linux-x64'];
/** Freestanding, and no library: one file for glibc and musl. What is undefined in it, Node-API, Node.js itself has. */
const FLAGS = [
  ...['-std=c11', '-O2', '-Wall', '-Wextra', '-Werror'],
  ...['-ffreestanding', '-nostdlib', '-shared', '-fPIC', '-fvisibility=hidden'],
  // These would call a library.
  ...['-fno-stack-protector', '-fno-tree-loop-distribute-patterns'],
  ...['-fno-asynchronous-unwind-tables', '-Wl,-z,noexecstack', '-Wl,-z,noseparate-code', '-Wl,--build-id=none', '-s'],
];

/** Why it can't be built here. */
class Missing extends Error {}

function findCompiler() {
  for (const name of ['cc', 'gcc', 'clang']) {
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' });
      return name;
    } catch {
      // The next.
    }
  }
  throw new Missing('there is no C compiler: neither cc nor gcc nor clang');
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

function build() {
  const target = `${process.platform}-${process.arch}`;
  if (!TARGETS.includes(target)) throw new Missing(`there is no code for ${target}`);
  mkdirSync(TARGET, { recursive: true });
  const sources = ['binding.c', 'walker.c', 'line-walker.c'].map((name) => join(SOURCE, name));
  const file = resolve(TARGET, `${target}.node`);
  // One that was built before must not stay in the place of one that can't be.
  rmSync(file, { force: true });
  const compiler = findCompiler();
  try {
    execFileSync(compiler, [...FLAGS, '-I', findHeaders(), '-o', file, ...sources], { stdio: 'inherit' });
  } catch (error) {
    if (error instanceof Missing) throw error;
    throw new Missing(`${compiler} can't compile it; what it says is above`);
  }
}

try {
  build();
} catch (error) {
  if (!(error instanceof Missing)) throw error;
  if (!process.argv.includes('--optional')) throw error;
  console.error(`Without streaming stores: ${error.message}.`);
}
