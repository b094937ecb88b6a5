import { describe, expect, it } from 'vitest';
import { mtcopy } from '../support/command.js';
import { itRefuses, type Refusals } from '../support/refusals.js';

const SMALL = ['--total', '2M', '--runs', '1', '--warmup', '1', '--folio-size', '64K', '--flow', 'pre-copy'];
const migrate = (...args: string[]) => mtcopy('migrate', ...SMALL, ...args);

const positive = { asymmetricMatch: (value: unknown) => typeof value === 'number' && value > 0 };
const notNegative = { asymmetricMatch: (value: unknown) => typeof value === 'number' && value >= 0 };
const number = expect.any(Number);

/** Every option that means something to some migrators alone, with a value, and those. */
const MEANT_FOR: [string, string, string[]][] = [
  ['--in-flight', '2', ['mtcopy', 'dcbm']],
  ['--threads', '2', ['mtcopy']],
  ['--caller', 'helps', ['mtcopy']],
  ['--channels', '2', ['dcbm']],
  ['--dma-setup', 'per-folio', ['dcbm']],
  ['--device', 'dsa', ['dcbm']],
  ['--iommu', 'translated', ['dcbm']],
  ['--queue-depth', '16', ['dcbm']],
  ['--bandwidth', '12.5', ['dcbm']],
  ['--descriptor-ns', '100', ['dcbm']],
  ['--cpu-share', 'auto', ['dcbm']],
  ['--dma-wait', 'poll', ['dcbm']],
];
const MIGRATORS = ['kernel', 'mtcopy', 'dcbm'];
const MEANINGLESS: Refusals = MEANT_FOR.flatMap(([option, value, meant]) => {
  const others = MIGRATORS.filter((name) => !meant.includes(name));
  const message = `mtcopy: EINVAL: ${option}: means nothing without --migrator ${meant.join(' or ')}`;
  return [
    [['--migrator', others.join(), option, value], message] as const,
    [['--set', 'kernel/mm/migration/offload_migrator=kernel', option, value], message] as const,
  ].map(([args, text]) => [[...args], text] as [string[], string]);
});

describe('mtcopy migrate --migrator dcbm', () => {
  it('prints the steps of DMA copies and the CPU times of each row with --json', async () => {
    const { status, stdout, stderr } = await migrate(
      ...['--migrator', 'kernel,mtcopy,dcbm', '--channels', '1,2', '--dma-setup', 'batch,per-folio', '--threads', '1'],
      ...['--iommu', 'translated', '--reason', 'demotion', '--json'],
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { results } = JSON.parse(stdout);
    const none = {
      cpuNs: { caller: notNegative, threads: number, dma: 0 },
      dmaNs: { map: 0, submit: 0, wait: 0, unmap: 0 },
    };
    const some = {
      cpuNs: { caller: notNegative, threads: positive, dma: positive },
      dmaNs: { map: positive, submit: positive, wait: positive, unmap: positive },
    };
    expect(results).toMatchObject([
      { migrator: 'kernel', threads: 1, ...none },
      { migrator: 'mtcopy', threads: 1, caller: 'waits', ...none },
      { migrator: 'dcbm', threads: 1, channels: 1, dmaSetup: 'batch', ...some },
      { migrator: 'dcbm', threads: 1, channels: 1, dmaSetup: 'per-folio', ...some },
      { migrator: 'dcbm', threads: 1, channels: 2, dmaSetup: 'batch', ...some },
      { migrator: 'dcbm', threads: 1, channels: 2, dmaSetup: 'per-folio', ...some },
    ]);
  });

  it('takes every option of the device and of the driver', async () => {
    const options = MEANT_FOR.filter(([, , meant]) => meant.includes('dcbm')).flatMap(
      (row) => row.slice(0, 2) as string[],
    );
    const { status, stdout, stderr } = await migrate('--migrator', 'dcbm', ...options);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.split('\n').slice(0, 3).join(' ')).toMatch(
      /^2M of anonymous memory, device dsa, IOMMU translated, 12.5 GB\/s a channel, 100 ns a descriptor, queues of 16, CPU share auto, DMA poll, folios of 64K, sequential, flow pre-copy, migrator dcbm×2 per-folio, 2 batches in flight$/,
    );
  });

  it('has the channels that sysfs says', async () => {
    const set = ['kernel/dcbm/nr_dma_chan=0x3', 'kernel/dcbm/setup=per-folio'].flatMap((one) => ['--set', one]);
    const { results } = JSON.parse((await migrate('--migrator', 'dcbm', ...set, '--json')).stdout);
    expect(results).toMatchObject([{ migrator: 'dcbm', channels: 3, dmaSetup: 'per-folio' }]);
  });

  itRefuses(
    [
      ...MEANINGLESS,
      [['--migrator', 'dcbm', '--channels', '17'], 'channels: must be a whole number from 1 to 16, got 17'],
      [['--migrator', 'dcbm', '--channels', '16', '--device', 'dsa'], 'channels: must be at most 8'],
      [['--migrator', 'dcbm', '--dma-setup', 'folio'], "'folio' is none of batch, per-folio"],
      [['--migrator', 'dcbm', '--device', 'ioat'], "'ioat' is none of ptdma, dsa, sdxi"],
      [['--migrator', 'dcbm', '--iommu', 'strict'], "'strict' is none of none, passthrough, translated"],
      [['--migrator', 'dcbm', '--queue-depth', '16385'], 'queueDepth: must be a whole number from 1 to 16384'],
      [['--migrator', 'dcbm', '--bandwidth', '0'], 'It must be above 0, and at most 100000.'],
      [['--migrator', 'dcbm', '--bandwidth', '768e6'], 'It must be above 0, and at most 100000.'],
      [['--migrator', 'dcbm', '--descriptor-ns', '-1'], 'descriptorNs: must be a number, from 0'],
      [['--migrator', 'dcbm', '--cpu-share', '1.5'], "It must be a number from 0 to 1, or auto, got '1.5'."],
      [['--migrator', 'dcbm', '--cpu-share', '50%'], "It must be a number from 0 to 1, or auto, got '50%'."],
      [['--migrator', 'dcbm', '--channels', '1-4'], 'It must be a number.'],
      [['--migrator', 'dcbm', '--cpu-share', ''], 'It must be a number from 0 to 1, or auto'],
      [['--migrator', 'dcbm', '--dma-wait', 'spin'], "'spin' is none of sleep, poll"],
      [['--reason', 'whim'], "'whim' is none of"],
      [
        ['--migrator', 'dcbm', '--channels', '2', '--set', 'kernel/dcbm/nr_dma_chan=2'],
        'mtcopy: EINVAL: channels: must not be given beside',
      ],
      [
        ['--migrator', 'dcbm', '--cpu-share', '0.5', '--set', 'kernel/dcbm/cpu_share=50'],
        'mtcopy: EINVAL: cpuShare: must not be given beside kernel/dcbm/cpu_share, which says it too',
      ],
    ],
    'migrate',
    ...SMALL,
  );
});
