import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installInto } from '../support/installed.js';
import { HAS_NATIVE } from '../support/native.js';
import { ROOT } from '../support/paths.js';

const NATIVE = join(ROOT, 'dist/copy/worker/native');
/** For this machine, where it has a compiler; after `npm run build:native` also for others. */
const BUILT = existsSync(NATIVE) ? readdirSync(NATIVE).filter((name) => name.endsWith('.node')) : [];

let folder: string;
/** What the tarball holds. */
let paths: readonly string[];

const run = (command: string, ...args: string[]) =>
  execFileSync(command, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** The README's first example: copies, compares, ends by itself. */
const PROGRAM = `
import { CopyEngine } from 'mtcopy';

const engine = await CopyEngine.create({ threads: 2, minParallelBytes: 0, memory: undefined });
const from = engine.allocate(8 * 2 ** 20);
const to = engine.allocate(8 * 2 ** 20);
from.fill(7);
const result = await engine.copy(to, from);
if (result.failed.length > 0 || !to.every((byte) => byte === 7)) throw new Error('not copied');
await engine.close();
console.log(result.bytes);
`;

describe('the packed tarball in an empty project', () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'mtcopy-installed-'));
    paths = installInto(folder);
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('runs from plain JavaScript, with its worker and its wasm', () => {
    writeFileSync(join(folder, 'program.mjs'), PROGRAM);
    expect(run('node', 'program.mjs').trim()).toBe(String(8 * 2 ** 20));
  });

  it.runIf(HAS_NATIVE)('has the loop in C, and copies with it', () => {
    expect(paths).toContain(`dist/copy/worker/native/${process.platform}-${process.arch}.node`);
    const program = PROGRAM.replace('threads: 2', "threads: 2, method: 'streaming'");
    writeFileSync(join(folder, 'streaming.mjs'), `${program}console.log(engine.method);`);
    expect(run('node', 'streaming.mjs').trim()).toBe(`${8 * 2 ** 20}\nstreaming`);
  });

  it.runIf(BUILT.length > 0).each(BUILT)('has the loop in C that was built as %s', (name) => {
    expect(paths).toContain(`dist/copy/worker/native/${name}`);
    const installed = readFileSync(join(folder, 'node_modules/mtcopy/dist/copy/worker/native', name));
    expect(installed.equals(readFileSync(join(NATIVE, name)))).toBe(true);
  });

  it('compiles from strict TypeScript without the DOM library', () => {
    writeFileSync(join(folder, 'program.mts'), PROGRAM);
    symlinkSync(join(ROOT, 'node_modules/typescript'), join(folder, 'node_modules/typescript'), 'dir');
    symlinkSync(join(ROOT, 'node_modules/@types'), join(folder, 'node_modules/@types'), 'dir');
    run(
      'node',
      join(ROOT, 'node_modules/typescript/bin/tsc'),
      ...[
        '--strict',
        '--exactOptionalPropertyTypes',
        '--module',
        'nodenext',
        '--target',
        'es2022',
        '--lib',
        'es2023',
        '--types',
        'node',
        'program.mts',
      ],
    );
    expect(run('node', 'program.mjs').trim()).toBe(String(8 * 2 ** 20));
  });

  it('has the command', () => {
    const args = ['copy', '--total', '8M', '--threads', '1,2', '--runs', '1', '--json'];
    const { command, results } = JSON.parse(run('npx', '--no-install', 'mtcopy', ...args));
    expect(command).toBe('copy');
    expect(results).toHaveLength(2);
    expect(results.every((result: { verified: boolean }) => result.verified)).toBe(true);
  });

  it('has experiments for programs that sweep, which share the one copy of the library', () => {
    const program = `
      import { Machine } from 'mtcopy';
      import { migrateParts, sweepMigrations } from 'mtcopy/experiments';
      let calls = 0;
      const { movePages } = Machine.prototype;
      Machine.prototype.movePages = function (...args) {
        calls++;
        return movePages.apply(this, args);
      };
      const sweep = { folioBytes: [2 ** 21], count: 4, migrators: ['kernel'], threads: [1], inFlight: [1] };
      const rows = await sweepMigrations({ ...sweep, flows: ['vanilla'], frames: ['sequential'], runs: 1 });
      console.log(calls > 0 && migrateParts(rows, '4 folios')[0].startsWith('4 folios, folios of 2M'));`;
    writeFileSync(join(folder, 'sweep.mjs'), program);
    expect(run('node', 'sweep.mjs').trim()).toBe('true');
  });

  it('installs Piscina and nothing else', () => {
    const { packages } = JSON.parse(readFileSync(join(folder, 'node_modules/.package-lock.json'), 'utf8'));
    const names = Object.keys(packages).map((path) => path.replace('node_modules/', ''));
    expect(names.filter((name) => !name.startsWith('@napi-rs/nice'))).toEqual(['mtcopy', 'piscina']);
    expect(names.length).toBeLessThanOrEqual(6);
  });

  it('loads no package until threads are started', () => {
    // Piscina is CommonJS, so whether it was loaded can be looked up.
    const program = `
      import { createRequire } from 'node:module';
      import { CopyEngine } from 'mtcopy';
      const isLoaded = () => Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes('piscina'));
      const before = isLoaded();
      const engine = await CopyEngine.create({ memory: '1M' });
      console.log(before, isLoaded());
      await engine.close();`;
    writeFileSync(join(folder, 'idle.mjs'), program);
    expect(run('node', 'idle.mjs').trim()).toBe('false true');
  });

  it('has source maps with their sources', () => {
    const map = JSON.parse(readFileSync(join(folder, 'node_modules/mtcopy/dist/copy/engine.js.map'), 'utf8'));
    expect(map.sourcesContent[0]).toBe(readFileSync(join(ROOT, 'src/copy/engine.ts'), 'utf8'));
  });

  it('lists the licence of every package that the commands are bundled with', () => {
    const licences = readFileSync(join(folder, 'node_modules/mtcopy/dist/THIRD-PARTY-LICENSES.md'), 'utf8');
    const bundled = new Set<string>();
    for (const bundle of ['cli/main.js', 'experiments/index.js']) {
      const { sources } = JSON.parse(readFileSync(join(folder, 'node_modules/mtcopy/dist', `${bundle}.map`), 'utf8'));
      for (const source of sources as string[]) {
        const name = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(source)?.[1];
        if (name) bundled.add(name);
      }
    }
    expect(bundled.size).toBeGreaterThan(5);
    for (const name of bundled) expect(licences).toContain(`## ${name} - `);
  });

  it('holds nothing but what it needs', () => {
    const needed = [
      'index.js',
      'index.d.ts',
      'copy/worker/serve.cjs',
      'threads/entry.cjs',
      'dma/worker/serve.cjs',
      'experiments/index.d.ts',
    ];
    expect(paths).toEqual(expect.arrayContaining(needed.map((path) => `dist/${path}`)));
    const allowed = /^((dist|docs)\/|(README|CHANGELOG|CONTRIBUTING|SECURITY)\.md|LICENSE|package\.json)/;
    expect(paths.filter((path) => !allowed.test(path))).toEqual([]);
  });
});
