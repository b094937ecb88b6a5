import { Machine } from 'mtcopy';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { mtcopy } from '../support/command.js';
import { itRefuses, type Refusals } from '../support/refusals.js';

const FILES = [
  'kernel/cpu_mt/offloading',
  'kernel/cpu_mt/reason_mask',
  'kernel/cpu_mt/threads',
  'kernel/cpu_mt/min_folios',
  'kernel/cpu_mt/min_bytes',
  'kernel/cpu_mt/schedule',
  'kernel/cpu_mt/saturation_gate',
  'kernel/cpu_mt/caller',
  'kernel/dcbm/offloading',
  'kernel/dcbm/reason_mask',
  'kernel/dcbm/nr_dma_chan',
  'kernel/dcbm/min_folios',
  'kernel/dcbm/min_bytes',
  'kernel/dcbm/setup',
  'kernel/dcbm/wait',
  'kernel/dcbm/cpu_share',
  'kernel/dcbm/timeout_ms',
  'kernel/dcbm/queue_depth',
  'kernel/dcbm/folios_migrated',
  'kernel/dcbm/folios_failures',
  'kernel/mm/migration/offload_migrator',
  'kernel/mm/migration/flow',
  'kernel/mm/migration/max_batch',
  'kernel/mm/migration/demotion_stores',
  'devices/system/node/online',
  'devices/system/cpu/online',
];
const SET = ['--set', 'kernel/cpu_mt/threads=0x8', '--set', '/sys/kernel/mm/migration/offload_migrator=mtcopy'];

/** What is refused, and with which words. */
const REFUSED: Refusals = [
  [['--set', 'kernel/cpu_mt/threads'], 'It must be a path, =, and a value.'],
  [['--set', 'kernel/cpu_mt/thread=8'], 'mtcopy: ENOENT: /sys/kernel/cpu_mt/thread: '],
  [['--set', '/proc/sys/vm=8'], 'mtcopy: ENOENT: /proc/sys/vm: '],
  [['--set', 'kernel/cpu_mt=8'], 'mtcopy: EISDIR: /sys/kernel/cpu_mt: '],
  [['--set', 'kernel/cpu_mt/threads/max=8'], 'mtcopy: ENOTDIR: /sys/kernel/cpu_mt/threads: '],
  [['--set', '=8'], 'mtcopy: ENOENT: '],
  [['--set', 'devices/system/node/online=0'], 'mtcopy: EACCES: /sys/devices/system/node/online: '],
  [['--set', 'kernel/cpu_mt/threads='], 'mtcopy: EINVAL: /sys/kernel/cpu_mt/threads: must be a number'],
  [['--set', 'kernel/cpu_mt/threads=65'], "must be a number from 1 to 64, got '65'"],
  [['--set', 'kernel/cpu_mt/threads=1=2'], "got '1=2'"],
  [['--set', 'kernel/cpu_mt/min_bytes=4294967296'], 'mtcopy: ERANGE: /sys/kernel/cpu_mt/min_bytes: '],
  [['--set', 'kernel/cpu_mt/offloading=2'], 'must be a number from 0 to 1'],
  [['--set', 'kernel/cpu_mt/threads=8', '--set', 'kernel/cpu_mt/threads=0'], "got '0'"],
];

describe('mtcopy sysfs', () => {
  it('prints every file with its value and its meaning, in 100 columns', async () => {
    const { status, stdout, stderr } = await mtcopy('sysfs');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const rows = Array.from(
      stdout.matchAll(/^│ ((?:kernel|devices)\S+) +│ (\S+) +│ (.+?) *│$/gm),
      ([, ...cells]) => cells,
    );
    expect(rows.map(([path]) => path)).toEqual(FILES);
    expect(rows.find(([path]) => path === 'kernel/cpu_mt/threads')?.slice(1)).toEqual([
      '4',
      'worker threads that copy a',
    ]);
    // Those that are online.
    expect(stdout.match(/\(read-only\)/g)).toHaveLength(2);
    expect(rows.slice(-2).map(([, value]) => value)).toEqual(['0-1', '0']);
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(100);
  });

  it('prints what was set, and so what the other commands would have', async () => {
    const { stdout } = await mtcopy('sysfs', ...SET, '--json');
    const { command, set, files } = JSON.parse(stdout);
    expect(command).toBe('sysfs');
    expect(set).toEqual([
      { path: 'kernel/cpu_mt/threads', value: '0x8' },
      { path: '/sys/kernel/mm/migration/offload_migrator', value: 'mtcopy' },
    ]);
    expect(files.map(({ path }: { path: string }) => path)).toEqual(FILES.map((path) => `/sys/${path}`));
    const values = Object.fromEntries(files.map(({ path, value }: Record<string, string>) => [path, value]));
    expect(values).toMatchObject({
      '/sys/kernel/cpu_mt/threads': '8',
      '/sys/kernel/cpu_mt/offloading': '1',
      '/sys/kernel/mm/migration/offload_migrator': 'mtcopy',
    });
    for (const file of files) {
      const writable = !file.path.endsWith('/online');
      expect(file).toMatchObject({ writable, doc: expect.stringMatching(/./) });
    }
    expect(values).toMatchObject({
      '/sys/devices/system/node/online': '0-1',
      '/sys/devices/system/cpu/online': '0',
    });
    expect(Object.keys(JSON.parse((await mtcopy('sysfs', '--json')).stdout))).toEqual([
      'command',
      'version',
      'date',
      'arguments',
      'host',
      'files',
    ]);
  });

  itRefuses(REFUSED, 'sysfs');
});

/** A driver's directory, its migrator, and another one. */
const DRIVERS = [
  ['cpu_mt', 'mtcopy', 'dcbm'],
  ['dcbm', 'dcbm', 'mtcopy'],
];
const machine = await Machine.boot({ nodes: ['4M'], cpus: 0 });
const files = machine.sysfs.files();
await machine.close();
/**
 * Every file of a driver but its switch, with what it has anyway, where another migrator is measured; and which words. The
 * mask is tried in all ways to ask for another, each other file in one of them.
 */
const MEANINGLESS: Refusals = DRIVERS.flatMap(([directory, migrator, other]) => {
  const driver = files.filter(
    ({ path }) => path.startsWith(`/sys/kernel/${directory}/`) && !path.endsWith('/offloading'),
  );
  return driver.flatMap(({ path, value }, i) => {
    const isMask = path.endsWith('/reason_mask');
    const needed = isMask ? `--set kernel/mm/migration/offload_migrator=${migrator}` : `--migrator ${migrator}`;
    const ways = [
      ['--migrator', other],
      ['--migrator', 'kernel'],
      ['--set', `kernel/mm/migration/offload_migrator=${other}`],
      ['--set', `kernel/${directory}/offloading=0`],
    ];
    return (isMask ? ways : [ways[i % ways.length]]).map((asked): [string[], string] => [
      [...asked, '--set', `${path}=${value}`],
      `mtcopy: EINVAL: --set ${path}: means nothing without ${needed}\n`,
    ]);
  });
});

const MIGRATE = ['--total', '2M', '--runs', '1', '--warmup', '0', '--folio-size', '4K'];
const PMBENCH = ['--pages', '512', '--seconds', '0.04', '--cpus', '1'];

afterEach(() => vi.restoreAllMocks());

describe.each([
  ['migrate', MIGRATE],
  ['pmbench', PMBENCH],
])('--set of mtcopy %s', (command, small) => {
  const run = (...args: string[]) => mtcopy(command, ...small, ...args);

  it('is what is measured, in the place of the defaults, and is printed', async () => {
    const set = [
      ['kernel/cpu_mt/threads', '3'],
      ['kernel/cpu_mt/caller', 'helps'],
      ['/sys/kernel/mm/migration/flow', 'batch-move'],
      ['kernel/cpu_mt/offloading', '1'],
    ];
    const args = set.flatMap(([path, value]) => ['--set', `${path}=${value}`]);
    const { status, stdout, stderr } = await run(...args, '--json');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const printed = JSON.parse(stdout);
    expect(printed.set).toEqual(set.map(([path, value]) => ({ path, value })));
    expect(printed.results).toEqual([
      expect.objectContaining({ threads: 3, caller: 'helps', flow: 'batch-move', migrator: 'mtcopy' }),
    ]);
    const shown = (await run(...args)).stdout.replaceAll('\n', ' ');
    expect(shown).toContain(`Set: ${set.map(([path, value]) => `${path}=${value}`).join(' ')} `);
  });

  it('leaves the defaults of what it does not say', async () => {
    const { results } = JSON.parse((await run('--set', 'kernel/mm/migration/max_batch=64', '--json')).stdout);
    const flows = results.map(({ flow }: { flow: string }) => flow);
    expect(new Set(flows)).toEqual(new Set(command === 'migrate' ? ['vanilla', 'pre-copy'] : ['serial', 'vanilla']));
  });

  it('names the migrator that copies: the calling thread, for reasons that the mask leaves out', async () => {
    const set = ['kernel/mm/migration/offload_migrator=mtcopy', 'kernel/cpu_mt/reason_mask=demotion'];
    const { results } = JSON.parse((await run(...set.flatMap((one) => ['--set', one]), '--json')).stdout);
    for (const result of results) expect(result).toMatchObject({ migrator: 'kernel', threads: 1 });
  });

  it('takes what says that a driver is off, whatever copies', async () => {
    const { results } = JSON.parse((await run('--set', '/sys//kernel/dcbm/offloading=0', '--json')).stdout);
    for (const result of results) expect(result).toMatchObject({ migrator: 'kernel' });
  });

  it('is taken by one small machine before those that are measured', async () => {
    const set = ['kernel/mm/migration/offload_migrator=mtcopy', 'kernel/mm/migration/flow=pre-copy'];
    const boot = vi.spyOn(Machine, 'boot');
    await run('--threads', '1', ...set.flatMap((one) => ['--set', one]));
    const booted = boot.mock.calls.map(([options]) => options?.nodes);
    expect(booted).toEqual([['4M'], [expect.any(Number), expect.any(Number)]]);
    // What is registered there copies nothing.
    expect(boot.mock.calls[0][0]).toMatchObject({ threads: 1 });
  });

  itRefuses(
    [
      ...REFUSED,
      ...MEANINGLESS,
      [
        ['kernel/cpu_mt/offloading=1', 'kernel//cpu_mt/reason_mask=none', 'kernel//cpu_mt/threads=2'].flatMap((one) => [
          '--set',
          one,
        ]),
        'EINVAL: --set kernel//cpu_mt/threads: means nothing without --migrator mtcopy',
      ],
      [['--threads', '2', '--set', 'kernel/cpu_mt/threads=8'], 'mtcopy: EINVAL: threads: must not be given beside'],
      [['--caller', 'waits', '--set', '/sys/kernel/cpu_mt/caller=helps'], 'EINVAL: caller: must not be given beside'],
      [['--flow', 'serial', '--set', 'kernel/mm/migration/flow=serial'], 'EINVAL: flow: must not be given beside'],
      [['--migrator', 'kernel', '--set', 'kernel/cpu_mt/offloading=1'], 'EINVAL: migrator: must not be given beside'],
      [
        ['--migrator', 'mtcopy', '--set', 'kernel/mm/migration/offload_migrator=mtcopy'],
        'EINVAL: migrator: must not be given beside',
      ],
    ],
    command,
    ...small,
  );
});

describe('a reason mask of what --set has registered', () => {
  const set = ['kernel/mm/migration/offload_migrator=mtcopy', 'kernel/cpu_mt/reason_mask=demotion'];
  const args = ['--flow', 'pre-copy', ...set.flatMap((one) => ['--set', one]), '--json', '--reason'];
  const positive = { asymmetricMatch: (value: unknown) => (value as number) > 0 };

  it.each([
    ['compaction', ['kernel'], 0],
    ['demotion', ['mtcopy', 'mtcopy'], positive],
  ])('counts for migrate --reason %s: %j', async (reason, migrators, threads) => {
    const { results } = JSON.parse((await mtcopy('migrate', ...MIGRATE, ...args, reason)).stdout);
    expect(results).toMatchObject(migrators.map((migrator) => ({ migrator, cpuNs: { threads } })));
  });
});

describe('a reason mask that --set says, beside --migrator', () => {
  const mask = ['--migrator', 'mtcopy', '--set', 'kernel/cpu_mt/reason_mask=demotion'];

  it('counts for pmbench, whose machines have the migrator registered', async () => {
    const { results } = JSON.parse((await mtcopy('pmbench', ...PMBENCH, ...mask, '--json')).stdout);
    for (const result of results) expect(result).toMatchObject({ migrator: 'kernel', threads: 1 });
  });

  itRefuses(
    [
      [
        mask,
        '--set kernel/cpu_mt/reason_mask: means nothing without --set kernel/mm/migration/offload_migrator=mtcopy',
      ],
    ],
    'migrate',
    ...MIGRATE,
  );
});
