import { CALLER_MODES, FLOWS, Machine, MIGRATE_REASONS, MIGRATOR_NAMES, SCHEDULES } from 'mtcopy';
import { afterAll, describe, expect, it } from 'vitest';
import { errno, errorOf } from '../support/errors.js';

const machine = await Machine.boot({ nodes: ['4M'], cpus: 0 });
const { sysfs } = machine;
afterAll(() => machine.close());

describe.each([
  ['kernel/cpu_mt/schedule', SCHEDULES],
  ['kernel/cpu_mt/caller', CALLER_MODES],
  ['kernel/mm/migration/flow', FLOWS],
  ['kernel/mm/migration/offload_migrator', MIGRATOR_NAMES],
])('%s', (path, words) => {
  it('is one of its words, which a newline may follow', async () => {
    for (const word of [...words, ...words.map((word) => `${word}\n`)]) {
      await sysfs.write(path, word);
      expect(sysfs.read(path)).toBe(word.trim());
    }
  });

  it('is nothing else: EINVAL, and it stays what it was', async () => {
    const [first = '', second = ''] = words;
    await sysfs.write(path, second);
    const wrong = ['', '\n', 'toString', '0', '1', ` ${first}`, `${first} `, `${first}\n\n`, first.toUpperCase()];
    for (const text of [...wrong, first.slice(0, -1), `${first}s`, `${first},${second}`, words.join(' ')]) {
      const error = await errorOf(() => sysfs.write(path, text));
      expect(error).toEqual(errno('EINVAL'));
      expect(error.message).toContain(`EINVAL: /sys/${path}: must be ${words.join(', ')}, got `);
      expect(sysfs.read(path)).toBe(second);
    }
  });
});

describe('a reason mask', () => {
  const path = 'kernel/cpu_mt/reason_mask';

  it.each([
    ['compaction', 'compaction'],
    ['demotion,compaction', 'compaction,demotion'],
    [' compaction ,\tdemotion\n', 'compaction,demotion'],
    ['all', MIGRATE_REASONS.join(',')],
    ['none\n', 'none'],
    ['0x101', 'compaction,demotion'],
    ['257', 'compaction,demotion'],
    ['0', 'none'],
  ])('is written as %j and prints back as names, which may be written again', async (text, names) => {
    for (const offloading of ['0', '1']) {
      await sysfs.write('kernel/cpu_mt/offloading', offloading);
      await sysfs.write(path, 'damon');
      await sysfs.write(path, text);
      expect(sysfs.read(path)).toBe(names);
      await sysfs.write(path, names);
      expect(sysfs.read(path)).toBe(names);
    }
  });

  it.each(['', ',', 'compaction,', 'swap', 'compaction demotion', 'Compaction', '0x400', '1024', '-1', 'all,none'])(
    'is not %j: EINVAL, and it stays what it was',
    async (text) => {
      for (const offloading of ['0', '1']) {
        await sysfs.write('kernel/cpu_mt/offloading', offloading);
        await sysfs.write(path, 'damon');
        const error = await errorOf(() => sysfs.write(path, text));
        expect(error).toEqual(errno('EINVAL'));
        expect(error.message).toContain(`EINVAL: /sys/${path}: must be names of `);
        expect(sysfs.read(path)).toBe('damon');
      }
    },
  );
});

it.each(['Auto', '', 'x', '-1', 'auto\n\n'])('a share is percent or auto, which %j is not: EINVAL', async (text) => {
  const error = await errorOf(() => sysfs.write('kernel/dcbm/cpu_share', text));
  expect(error).toEqual(errno('EINVAL'));
  expect(error.message).toContain('must be auto, or percent from 0 to 100, got ');
  expect(sysfs.read('kernel/dcbm/cpu_share')).toBe('0');
});
