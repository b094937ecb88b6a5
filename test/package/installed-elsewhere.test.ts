import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
let folder: string;

const run = (command: string, ...args: string[]) =>
  execFileSync(command, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** The README's first example: copies, compares, ends by itself. */
const PROGRAM = `
import { CopyEngine } from 'mtcopy';

const engine = await CopyEngine.create({ threads: 2, minParallelBytes: 0 });
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
    // Without its scripts: the tests run on a build already, which another build would pull away under them.
    const packed = execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
      cwd: root,
      encoding: 'utf8',
    });
    const { filename } = JSON.parse(packed)[0] as { filename: string };
    writeFileSync(join(folder, 'package.json'), '{ "name": "elsewhere", "private": true, "type": "module" }');
    run('npm', 'install', '--no-audit', '--no-fund', '--prefer-offline', join(folder, filename));
  }, 120_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('runs from plain JavaScript, with its worker and its wasm', () => {
    writeFileSync(join(folder, 'program.mjs'), PROGRAM);
    expect(run('node', 'program.mjs').trim()).toBe(String(8 * 2 ** 20));
  });

  it('compiles from strict TypeScript without the DOM library', () => {
    writeFileSync(join(folder, 'program.mts'), PROGRAM);
    symlinkSync(join(root, 'node_modules/typescript'), join(folder, 'node_modules/typescript'), 'dir');
    symlinkSync(join(root, 'node_modules/@types'), join(folder, 'node_modules/@types'), 'dir');
    run(
      'node',
      join(root, 'node_modules/typescript/bin/tsc'),
      ...[
        '--strict',
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

  it('holds nothing but what it needs', () => {
    const files = run('npm', 'ls', '--parseable').trim();
    expect(files).toContain('mtcopy');
    const listed = execFileSync('npm', ['pack', '--ignore-scripts', '--dry-run', '--json'], {
      cwd: root,
      encoding: 'utf8',
    });
    const paths = (JSON.parse(listed)[0] as { files: { path: string }[] }).files.map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining([
        'dist/index.js',
        'dist/index.d.ts',
        'dist/copy/worker/serve.js',
        'dist/copy/worker/walker.wasm',
      ]),
    );
    expect(paths.filter((path) => !/^(dist\/|README\.md|LICENSE|CHANGELOG\.md|package\.json)/.test(path))).toEqual([]);
  });
});
