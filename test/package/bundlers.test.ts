import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import * as esbuild from 'esbuild';
import { rollup } from 'rollup';
import * as vite from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import webpack from 'webpack';
import { installInto } from '../support/installed.js';
import { ROOT } from '../support/paths.js';

const page = readFileSync(join(ROOT, 'docs/bundlers.md'), 'utf8');
/** The packages whose commands the page runs with npx. */
const TOOLS = ['esbuild', 'rollup', 'vite', 'webpack', 'webpack-cli', 'postject'];
/** Which `node` has a place for a script: not one whose code is in a library of its own, as some distributions build it. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
const makesExecutables = process.platform === 'linux' && readFileSync(process.execPath).includes(FUSE);

/** The project that bundles. */
let project: string;
/** Where bundles are run, with nothing above it. */
let elsewhere: string;

const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}` };

/** The commands under a heading of the page. */
function commands(heading: string): string {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  const blocks = Array.from(section.matchAll(/^```sh\n(.*?)^```$/gms), ([, block]) => block);
  if (blocks.length === 0) throw new Error(`docs/bundlers.md has no commands under ${heading}`);
  return blocks.join('');
}

/** Runs commands in an empty dist/. */
function bundle(script: string): void {
  rmSync(join(project, 'dist'), { recursive: true, force: true });
  execFileSync('sh', ['-ec', script], { cwd: project, env, stdio: 'pipe' });
}

/** Moves dist/ away from the project, and says where to. */
function ship(): string {
  const folder = join(mkdtempSync(join(elsewhere, 'shipped-')), 'dist');
  renameSync(join(project, 'dist'), folder);
  return folder;
}

/** Runs a program. One that hangs has no status. */
function run(folder: string, command: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, encoding: 'utf8', timeout: 100_000 });
  return { status, stdout, stderr };
}

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'mtcopy-bundlers-'));
  elsewhere = mkdtempSync(join(tmpdir(), 'mtcopy-bundled-'));
  installInto(project);
  const modules = join(project, 'node_modules');
  mkdirSync(join(modules, '.bin'), { recursive: true });
  for (const tool of TOOLS) {
    symlinkSync(join(ROOT, 'node_modules', tool), join(modules, tool), 'dir');
    symlinkSync(join(ROOT, 'node_modules/.bin', tool), join(modules, '.bin', tool));
  }
  for (const [, name, text] of page.matchAll(/^```\w+ file=(\S+)\n(.*?)^```$/gms)) {
    writeFileSync(join(project, name), text);
  }
});

afterAll(() => {
  rmSync(project, { recursive: true, force: true });
  rmSync(elsewhere, { recursive: true, force: true });
});

describe.skipIf(process.platform === 'win32')('a bundle made as docs/bundlers.md says', () => {
  const copied = { status: 0, stdout: `${8 * 2 ** 20}\n`, stderr: '' };

  it.each(['esbuild', 'Rollup', 'Vite', 'webpack'])('runs elsewhere: %s', (heading) => {
    bundle(commands(heading) + commands('What to ship'));
    expect(run(ship(), process.execPath, 'program.mjs')).toEqual(copied);
  });

  it.skipIf(!makesExecutables)(
    'runs elsewhere: single executable application',
    () => {
      bundle(commands('Single executable application') + commands('What to ship'));
      const folder = ship();
      for (const name of ['program.cjs', 'program.blob']) rmSync(join(folder, name));
      expect(run(folder, './program')).toEqual(copied);
    },
    120_000,
  );
});

describe('a bundle that has taken mtcopy in', () => {
  /** Each bundles the program into `folder`/`file`. */
  type Bundle = (folder: string, file: string) => Promise<unknown>;

  const entry = () => join(project, 'program.js');

  const withEsbuild =
    (format: 'esm' | 'cjs', banner = ''): Bundle =>
    (folder, file) =>
      esbuild.build({
        entryPoints: [entry()],
        bundle: true,
        platform: 'node',
        format,
        banner: { js: banner },
        outfile: join(folder, file),
        logLevel: 'error',
      });

  // Rollup finds no packages by itself. Those who have it do so use a plugin, as this is.
  const withRollup =
    (format: 'es' | 'cjs'): Bundle =>
    async (folder, file) => {
      const library = join(project, 'node_modules/mtcopy/dist/index.js');
      const plugin = { name: 'take-in', resolveId: (id: string) => (id === 'mtcopy' ? library : null) };
      const built = await rollup({ input: entry(), external: [/^node:/, 'piscina'], plugins: [plugin] });
      await built.write({ dir: folder, entryFileNames: file, format });
    };

  const withVite: Bundle = (folder, file) =>
    vite.build({
      root: project,
      configFile: false,
      logLevel: 'error',
      ssr: { noExternal: true },
      build: { ssr: entry(), outDir: folder, emptyOutDir: false, rollupOptions: { output: { entryFileNames: file } } },
    });

  const withWebpack =
    (module: boolean): Bundle =>
    (folder, file) =>
      new Promise<void>((resolve, reject) => {
        const settings: webpack.Configuration = {
          context: project,
          mode: 'production',
          target: 'node20',
          entry: entry(),
          experiments: { outputModule: module },
          output: { path: folder, filename: file, module },
        };
        webpack(settings, (error, stats) => {
          if (error || stats?.hasErrors()) reject(error ?? new Error(stats?.toString()));
          else resolve();
        });
      });

  // At the start of a line: Node.js also shows the line that threw, which may be the whole of a minified bundle.
  function expectAdvice({ status, stderr }: ReturnType<typeof run>): void {
    expect(stderr).toMatch(/^.{0,20}Error\]?: ENOENT: .*mark `mtcopy` as external/m);
    expect(stderr).toContain("code: 'ENOENT'");
    expect(status).toBe(1);
  }

  const BANNER = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

  it.each<[string, string, Bundle]>([
    ['esbuild, ES module', 'program.mjs', withEsbuild('esm')],
    ['esbuild, ES module with require()', 'program.mjs', withEsbuild('esm', BANNER)],
    ['esbuild, CommonJS', 'program.cjs', withEsbuild('cjs')],
    ['Rollup, ES module', 'program.mjs', withRollup('es')],
    ['Rollup, CommonJS', 'program.cjs', withRollup('cjs')],
    ['Vite', 'program.mjs', withVite],
    ['webpack, ES module', 'program.mjs', withWebpack(true)],
    ['webpack, CommonJS', 'program.cjs', withWebpack(false)],
  ])('says what to do: %s', async (_, file, bundleInto) => {
    const folder = mkdtempSync(join(elsewhere, 'taken-in-'));
    await bundleInto(folder, file);
    // All packages are shipped as well, and don't help.
    symlinkSync(join(project, 'node_modules'), join(folder, 'node_modules'), 'dir');
    expectAdvice(run(folder, process.execPath, file));
  });

  it.skipIf(!makesExecutables)('says what to do: single executable application', () => {
    bundle(commands('Single executable application').replace(' --external:mtcopy', ''));
    expectAdvice(run(join(project, 'dist'), './program'));
  });
});
