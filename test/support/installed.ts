import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './paths.js';

/** Packs the project as it is built, installs the tarball in an empty project in `folder`, and says which files it has. */
export function installInto(folder: string): string[] {
  // Without its scripts: the tests run on a build already, which another build would pull away under them.
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const packed = execFileSync('npm', pack, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' });
  const { filename, files } = JSON.parse(packed)[0] as { filename: string; files: { path: string }[] };
  writeFileSync(join(folder, 'package.json'), '{ "name": "elsewhere", "private": true, "type": "module" }');
  const install = ['install', '--no-audit', '--no-fund', '--prefer-offline', join(folder, filename)];
  execFileSync('npm', install, { cwd: folder, stdio: 'pipe' });
  return files.map(({ path }) => path);
}
