import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readProfile } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { COMMAND, mtcopy, mtcopyIn } from '../support/command.js';
import { interrupted } from '../support/interrupted.js';
import { fileWith } from '../support/profiles.js';
import { itRefuses } from '../support/refusals.js';

const SMALL = ['tune', '--folio-size', '64K', '--batch', '128K', '--threads', '1', '--quick', '--seconds', '0.001'];

describe('mtcopy tune', () => {
  it.each([['--profile', 'mtcopy.profile.json'], ['--force-profile']])(
    'takes no %s, and says what to do',
    async (...given) => {
      expect(await mtcopy(...SMALL, ...given)).toEqual({
        status: 2,
        stdout: '',
        stderr: expect.stringMatching(
          /^mtcopy: EINVAL: --profile: tune makes a profile and takes none: .*--output .*--baseline\n$/,
        ),
      });
      for (const shown of [
        ['tune', '--help'],
        ['completion', 'fish'],
      ]) {
        const lines = (await mtcopy(...shown)).stdout
          .split('\n')
          .filter((line) => shown[0] === 'tune' || line.includes('from tune'));
        expect(lines.join('\n')).not.toContain('force-profile');
      }
    },
  );

  it('writes a profile that is read back, and says so', async () => {
    using folder = fileWith('an older one, which is replaced');
    const link = join(folder.folder, 'link.json');
    symlinkSync(folder.path, link);
    const { status, stdout, stderr } = await mtcopyIn({ columns: 300 }, ...SMALL, '--output', link);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.trimEnd().split('\n').at(-1)).toBe(`Written to ${link}: take it with --profile ${link}.`);
    expect(readProfile(folder.path).sizes).toHaveLength(1);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readdirSync(folder.folder)).toEqual(['link.json', 'mtcopy.profile.json']);
  });

  it.skipIf(process.platform === 'win32')(
    'prints what was measured, although there was no room for the profile',
    () => {
      using folder = fileWith('an older one, which stays');
      // A file may have 1 KiB: as little as a disk that is full.
      const line = 'ulimit -f 1 && exec "$0" "$@"';
      const args = [COMMAND, ...SMALL, '--json', '--output', folder.path];
      const { status, stdout, stderr } = spawnSync('bash', ['-c', line, process.execPath, ...args], {
        encoding: 'utf8',
      });
      expect({ status, stderr }).toEqual({
        status: 1,
        stderr: expect.stringMatching(/^mtcopy: No profile was written\.\nmtcopy: .*EFBIG/),
      });
      expect(JSON.parse(stdout)).toMatchObject({ sizes: [{ load: 0 }], profile: {} });
      expect(JSON.parse(stdout)).not.toHaveProperty('file');
      expect(readdirSync(folder.folder)).toEqual(['mtcopy.profile.json']);
    },
  );

  it('takes a seed and rounds that do not count, and prints one JSON object with every measurement and the file', async () => {
    using folder = fileWith('');
    const args = ['--seed', '7', '--warmup', '0', '--json', '--output', folder.path];
    const { status, stdout } = await mtcopy(...SMALL, ...args);
    expect(status).toBe(0);
    const { command, file, profile, sizes } = JSON.parse(stdout);
    expect({ command, file }).toEqual({ command: 'tune', file: folder.path });
    expect(profile).toEqual(readProfile(folder.path));
    expect(sizes).toMatchObject([{ load: 0, copies: { tried: expect.any(Array) } }]);
  });

  it('that is interrupted prints what was measured, marked as cut short, writes nothing, and ends with 130', async () => {
    using folder = fileWith('{}');
    // Many rounds, so that it is under way whenever the signal comes.
    const args = ['tune', '--folio-size', '4K', '--batch', '128K', '--seconds', '600', '--json', '--output'];
    const { status, stdout } = await interrupted([...args, join(folder.folder, 'new.json')]);
    expect(status).toBe(130);
    const printed = JSON.parse(stdout);
    expect(printed).toMatchObject({ command: 'tune', cutShort: true });
    expect(printed).not.toHaveProperty('profile');
    expect(printed).not.toHaveProperty('file');
    expect(readdirSync(folder.folder)).toEqual(['mtcopy.profile.json']);
  });

  it('says before it measures that it could not write', async () => {
    using folder = fileWith('');
    const gone = await mtcopy('tune', '--output', join(folder.folder, 'gone', 'file'));
    expect(gone).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringContaining('ENOENT: output: there is no folder'),
    });
    // What is no file is not replaced by one; as if interrupted, so that nothing could be.
    const isDevice = await mtcopyIn({ signal: AbortSignal.abort() }, ...SMALL, '--output', '/dev/null');
    expect(isDevice).toEqual({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining('EINVAL: output: must be a file, got /dev/null'),
    });
    const isFolder = await mtcopy('tune', '--output', folder.folder);
    expect(isFolder).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringContaining('EISDIR: output: must be a file'),
    });
    writeFileSync(folder.path, 'as it was');
    expect(existsSync(folder.path)).toBe(true);
  });

  itRefuses(
    [
      [['--folio-size', '5K'], 'power of two'],
      [['--batch', '1M', '--folio-size', '2M'], 'batchBytes: must be whole folios of 2M, got 1M'],
      [['--batch', '2M,large'], "got 'large'"],
      [['--load', '0'], 'whole number, 1 or more'],
      [['--threads', '65'], 'from 1 to 64'],
      [['--seed', '-1'], 'must be a whole number from 0'],
      [['--warmup', '1.5'], 'must be a whole number from 0'],
      [['--seconds', '0'], 'must be a number above 0'],
      [['--profile', 'p.json'], '--profile: tune makes a profile and takes none'],
    ],
    'tune',
  );
});
