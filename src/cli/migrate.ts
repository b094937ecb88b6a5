import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import {
  BATCH_UNITS,
  DMA_DEVICES,
  DMA_SETUPS,
  DMA_WAITS,
  type DmaDeviceName,
  type DmaHardware,
  type DmaWait,
  FLOWS,
  FRAMES,
  formatSize,
  IOMMU_MODES,
  MIGRATE_REASONS,
  MIGRATOR_NAMES,
  STORES,
} from 'mtcopy';
import {
  type MigrateSweep,
  migrateParts,
  type OnCopiers,
  SWEEP_CALLERS,
  type SysfsSetting,
  sweepMigrations,
} from 'mtcopy/experiments';
import {
  count,
  counts,
  folioSizes,
  gigabytes,
  natural,
  number,
  share,
  size,
  threadCounts,
  word,
  words,
} from './arguments.js';
import { checkBatches, checkEffects } from './effects.js';
import { addExamples } from './examples.js';
import { addBaselineOption, addOutputOptions, type Invocation, type OutputArguments, present } from './present.js';
import { addProfileOption, type ProfileArguments, setByProfile, storesByProfile } from './profile.js';
import { addSetOption, partsWithSet, undecided, withSet } from './settings.js';
import { addTraceOption } from './trace.js';

interface MigrateArguments extends OutputArguments, ProfileArguments {
  folioSize: MigrateSweep['folioBytes'];
  count: number;
  total?: number;
  migrator?: MigrateSweep['migrators'];
  threads?: MigrateSweep['threads'];
  caller?: MigrateSweep['caller'];
  inFlight: MigrateSweep['inFlight'];
  channels?: MigrateSweep['channels'];
  dmaSetup?: MigrateSweep['dmaSetups'];
  device?: DmaDeviceName;
  iommu?: DmaHardware['iommu'];
  queueDepth?: number;
  bandwidth?: number;
  descriptorNs?: number;
  cpuShare?: number | 'auto';
  dmaWait?: DmaWait;
  reason?: MigrateSweep['reason'];
  flow?: MigrateSweep['flows'];
  frames: MigrateSweep['frames'];
  batchLimit?: MigrateSweep['batchLimits'];
  batchUnit?: MigrateSweep['batchUnit'];
  stores?: MigrateSweep['stores'];
  runs: number;
  warmup?: number;
  seed?: number;
  input?: string;
  set?: readonly SysfsSetting[];
}

const DEVICES = Object.keys(DMA_DEVICES) as DmaDeviceName[];

/** Adds `mtcopy migrate`. Where an option takes a list, every combination is measured, in turns. */
export function addMigrateCommand(program: Command, invocation: Invocation): void {
  const command = program
    .command('migrate')
    .description('move memory between node 0 and node 1 with move_pages(2) and show how fast that was')
    .option('--folio-size <sizes>', 'bytes of a folio, 4K to 4M (default: 4K,2M)', folioSizes)
    .option('--count <folios>', 'folios of anonymous memory (default: 512)', count)
    .addOption(
      new Option('--total <size>', 'bytes of anonymous memory, instead of --count').argParser(size).conflicts('count'),
    )
    .option(
      '--migrator <migrators>',
      'what copies, whatever a reason_mask says: kernel, mtcopy, dcbm (default: kernel,mtcopy)',
      words(...MIGRATOR_NAMES),
    )
    .option('--in-flight <counts>', 'batches under way at once, but with kernel, 1 to 4 (default: 1)', counts)
    .option('--threads <counts>', 'worker threads of mtcopy alone, 1 to 64 or auto (default: 1,2)', threadCounts)
    .option('--caller <mode>', 'of mtcopy: waits (default), or helps: one thread more', word(...SWEEP_CALLERS))
    .option('--channels <counts>', 'DMA channels of dcbm, 1 to 16 (default: 1)', counts)
    .option('--dma-setup <setups>', 'of dcbm: batch (default), per-folio', words(...DMA_SETUPS))
    .option('--device <name>', `of dcbm: ${DEVICES.join(', ')} (default: ptdma)`, word(...DEVICES))
    .option('--iommu <mode>', `of dcbm: ${IOMMU_MODES.join(', ')} (default: none)`, word(...IOMMU_MODES))
    .option(
      '--queue-depth <count>',
      'descriptors that a channel has in flight at most (default: all it has room for)',
      count,
    )
    .option(
      '--bandwidth <GB/s>',
      '10^9 bytes a second that a channel copies at most, such as 12.5 (default: no limit)',
      gigabytes,
    )
    .option(
      '--descriptor-ns <ns>',
      'nanoseconds that a channel spends on a descriptor beside its bytes (default: 0)',
      number,
    )
    .option('--cpu-share <share>', 'of dcbm: what the caller copies meanwhile, 0 (default) to 1, or auto', share)
    .option('--dma-wait <how>', 'of dcbm: sleep, poll (default: as the device)', word(...DMA_WAITS))
    .option(
      '--reason <reason>',
      `why: ${MIGRATE_REASONS.join(', ')} (default: syscall_or_cpuset)`,
      word(...MIGRATE_REASONS),
    )
    .option('--flow <flows>', `${FLOWS.join(', ')} (default: vanilla,pre-copy)`, words(...FLOWS))
    .option('--frames <kinds>', 'how frames lie: sequential (default), shuffled', words(...FRAMES))
    .option('--batch-limit <counts>', 'pages or folios of a batch, 1 to 1048576 (default: 512)', counts)
    .option('--batch-unit <unit>', 'what that counts: pages (default), folios', word(...BATCH_UNITS))
    .option(
      '--stores <stores>',
      'whether what is copied is kept in the caches: auto (default; streaming for demotion), cached, streaming',
      words(...STORES),
    )
    .option('--runs <count>', 'measured runs of each combination (default: 7)', count)
    .option('--warmup <rounds>', 'runs of each before them, which do not count (default: until 128M moved)', natural)
    .option(
      '--seed <number>',
      'of the order of shuffled frames, and of what memory is filled with (default: 1)',
      natural,
    )
    .option('--input <file>', "move this file's page cache too")
    .action((options: Partial<MigrateArguments>) => {
      const set = setByProfile(options, options.folioSize);
      const { stores } = storesByProfile(options, options.folioSize);
      const kept = stores && { stores: [stores] };
      const complete = { ...undecided(DEFAULTS, set), ...kept, ...options, ...(set && { set }) };
      return migrate(invocation, complete, (copiers) => checkEffects(options, copiers));
    });
  addProfileOption(command);
  addSetOption(command);
  addBaselineOption(command);
  addOutputOptions(command);
  addTraceOption(command);
  addExamples(command, {
    'migrate --total 256M --migrator kernel,mtcopy --threads 2 --in-flight 1,2': 'What threads gain',
    'migrate --folio-size 4K --batch-limit 64,512,4096 --flow pre-copy': 'What the size of a batch does',
    'migrate --migrator dcbm --device dsa --channels 1,2,4 --iommu translated': 'What DMA channels behind an IOMMU do',
  });
}

const DEFAULTS: MigrateArguments = {
  folioSize: folioSizes('4K,2M'),
  count: 512,
  migrator: ['kernel', 'mtcopy'],
  threads: [1, 2],
  inFlight: [1],
  flow: ['vanilla', 'pre-copy'],
  frames: ['sequential'],
  runs: 7,
};

const COMPARABLE = {
  context: ['set', 'reason', 'dma', 'dcbm'],
  settings: [
    ...['folioBytes', 'folios', 'frames', 'flow', 'migrator', 'threads', 'caller', 'channels', 'dmaSetup'],
    ...['batchesInFlight', 'batchLimit', 'batchUnit', 'stores'],
  ],
  figure: 'gbps.median',
};

async function migrate(invocation: Invocation, options: MigrateArguments, onCopiers: OnCopiers): Promise<void> {
  const sweep = sweepOf(options);
  const { set, reason, dma, dcbm } = sweep;
  checkBatches(options, { flows: options.flow, folioSizes: options.folioSize });
  await present('migrate', invocation, options, {
    preparing: 'filling memory',
    measure: async (control) => {
      const results = await sweepMigrations(sweep, { ...control, onCopiers });
      return withSet(set, { ...(reason && { reason }), ...given('dma', dma), ...given('dcbm', dcbm), results });
    },
    rows: ({ results }) => results,
    parts: ({ results }) => partsWithSet(set, migrateParts(results, whatMoved(sweep))),
    comparable: COMPARABLE,
  });
}

function sweepOf(options: MigrateArguments): MigrateSweep {
  const { folioSize, migrator, flow, dmaSetup, batchLimit, warmup, ...others } = options;
  const { device, iommu, queueDepth, bandwidth, descriptorNs, cpuShare, dmaWait, ...rest } = others;
  const { json, csv, markdown, progress, trace, baseline, profile, forceProfile, ...same } = rest;
  return {
    ...same,
    folioBytes: folioSize,
    migrators: migrator,
    flows: flow,
    dmaSetups: dmaSetup,
    batchLimits: batchLimit,
    warmUps: warmup,
    dma: { device, iommu, queueDepth, bandwidth: bandwidth && bandwidth * 1e9, descriptorNs },
    dcbm: { cpuShare, wait: dmaWait },
  };
}

/** Those options that were given, under a name; nothing if none was. */
function given<Options extends object>(name: string, options: Options | undefined): Record<string, Partial<Options>> {
  const all = Object.entries(options ?? {}).filter(([, value]) => value !== undefined);
  return all.length === 0 ? {} : { [name]: Object.fromEntries(all) as Partial<Options> };
}

function whatMoved({ total, count, input, reason, dma, dcbm }: MigrateSweep): string {
  const anonymous = total === undefined ? `${count} folios` : formatSize(total);
  const file = input === undefined ? '' : ` and the page cache of ${basename(input)}`;
  const { device, iommu, bandwidth, descriptorNs, queueDepth } = dma ?? {};
  const phrases = [
    reason && `for ${reason}`,
    device && `device ${device}`,
    iommu && `IOMMU ${iommu}`,
    bandwidth && `${bandwidth / 1e9} GB/s a channel`,
    descriptorNs && `${descriptorNs} ns a descriptor`,
    queueDepth && `queues of ${queueDepth}`,
    dcbm?.cpuShare && `CPU share ${dcbm.cpuShare}`,
    dcbm?.wait && `DMA ${dcbm.wait}`,
  ];
  return [`${anonymous} of anonymous memory${file}`, ...phrases.filter((phrase) => phrase)].join(', ');
}
