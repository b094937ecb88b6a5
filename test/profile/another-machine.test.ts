import { CopyEngine, hostDifferences, Machine, profileHost } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { errorOf } from '../support/errors.js';
import { fileWith, foreignProfile, profile } from '../support/profiles.js';

const { cores } = profileHost();
const MESSAGE = `cores ${cores + 30}, here ${cores}): make one here with 'mtcopy tune', or force it: --force-profile, or { from, force: true }`;

describe("another machine's profile", () => {
  it('is told by each of the facts of its host', () => {
    const here = profileHost();
    expect(hostDifferences(profile())).toEqual([]);
    for (const name of Object.keys(here) as (keyof typeof here)[]) {
      const other = typeof here[name] === 'number' ? here[name] + 1 : `not ${here[name]}`;
      const differences = hostDifferences(profile({ host: { ...here, [name]: other } }));
      expect(differences).toEqual([`${name} ${other}, here ${here[name]}`]);
    }
  });

  it.each([
    ['an engine', (profile: never) => CopyEngine.create({ memory: '16M', profile })],
    ['a machine', (profile: never) => Machine.boot({ nodes: ['4M'], cpus: 0, profile })],
  ])('is refused by %s, with what differs, unless it is forced', async (_, start) => {
    using file = fileWith(JSON.stringify(foreignProfile()));
    for (const option of [file.path, foreignProfile(), { from: file.path }, { from: file.path, force: false }]) {
      const error = await errorOf(() => start(option as never));
      expect(error).toMatchObject({ code: 'EINVAL', message: expect.stringContaining(MESSAGE) });
      const isFile = option !== null && JSON.stringify(option).includes(file.path);
      expect((error as Error).message.includes(`profile: ${file.path} is another machine's`)).toBe(isFile);
    }
    await using forced = await start({ from: file.path, force: true } as never);
    expect(forced.threads).toBe(3);
  });
});
