import { TABLE_NAMES, type TableName } from 'mtcopy/experiments';
import type { Shape } from './shape.js';

/** What every command prints besides its results. */
export const HEAD: Shape = {
  date: 'string',
  arguments: ['string'],
  host: { node: 'string', platform: 'string', arch: 'string', cpu: 'string', cores: 'count', memoryBytes: 'count' },
  'cutShort?': 'boolean',
};

/** An object of which each of these is a number. */
const numbers = (...names: string[]) => Object.fromEntries(names.map((name) => [name, 'number'] as const));

const SPEEDS = numbers('best', 'median', 'lowerQuartile', 'upperQuartile');
const PHASES = numbers('isolate', 'unmap', 'flush', 'copy', 'move', 'putBack');
const RATIO = numbers('median', 'low', 'high', 'confidence');
const RATIO_OF_PAIRS: Shape = { ...RATIO, pairs: 'count' };
const VERDICT: Shape = { holds: 'boolean', says: 'string' };

const COPY: Shape = {
  threads: 'count',
  folioBytes: 'count',
  folios: 'count',
  frames: 'string',
  method: 'string',
  copiedWith: 'string',
  schedule: 'string',
  caller: 'string',
  gbps: SPEEDS,
  samplesNs: ['number'],
};
const MIGRATE: Shape = {
  migrator: 'string',
  flow: 'string',
  threads: 'count',
  batchesInFlight: 'count',
  batchLimit: 'count',
  batchUnit: 'string',
  folioBytes: 'count',
  folios: 'count',
  frames: 'string',
  copiedWith: 'string',
  gbps: SPEEDS,
  nsPerPage: 'number',
  phasesNs: PHASES,
  cpuNs: { caller: 'number', threads: 'number', dma: 'number' },
  dmaNs: { map: 'number', submit: 'number', wait: 'number', unmap: 'number' },
  movedBy: [{ migrator: 'string', bytes: 'number' }],
  declined: 'number',
  fractionCopy: 'number',
  samplesNs: ['number'],
};
const PMBENCH: Shape = {
  flow: 'string',
  migrator: 'string',
  threads: 'count',
  cpus: 'count',
  pages: 'count',
  folioBytes: 'count',
  pattern: 'string',
  writeRatio: 'number',
  call: 'string',
  batchLimit: 'count',
  batchUnit: 'string',
  copiedWith: 'string',
  seed: 'number',
  samples: [{ pagesMigratedPerSecond: 'number' }],
  seconds: 'number',
  ipis: 'number',
  ipisPerPage: 'number',
  tlbFlushNs: { count: 'count', p50: 'number', p90: 'number', p99: 'number', max: 'number' },
  pagesMigrated: 'number',
  pagesMigratedPerSecond: 'number',
  accessesPerSecond: 'number',
  accessNs: { p50: 'number', p90: 'number', p99: 'number', p999: 'number', max: 'number' },
  lostUpdates: 'number',
  migrationWaits: { count: 'number', maxNs: 'number', buckets: [{ fromNs: 'count', count: 'count' }] },
  phasesNs: PHASES,
  fractionCopy: 'number',
};
const COMPARISON: Shape = {
  measured: { ipisPerPage: 'number', pagesMigratedPerSecond: 'number' },
  published: { ipisPerPage: 'number', pagesMigratedPerSecond: 'number' },
};
const TABLE: Shape = {
  name: new Set(TABLE_NAMES),
  question: 'string',
  seconds: 'number',
  measured: {},
  turns: [{ rounds: 'count', ended: 'string', measure: 'string', variants: [{ name: 'string', samples: ['number'] }] }],
  findings: [
    {
      what: 'string',
      kind: new Set(['ratio', 'share']),
      'published?': 'number',
      'claimed?': 'number',
      measured: RATIO,
      holds: 'boolean',
    },
  ],
  verdict: VERDICT,
};
const FAILED: Shape = { name: 'string', message: 'string' };
const SPREAD = numbers('mean', 'deviation');
const THROUGHPUT: Shape = {
  way: 'string',
  count: 'count',
  folioBytes: 'count',
  folios: 'count',
  runs: 'count',
  gbps: SPREAD,
  againstBaseline: RATIO,
};
const CALLS = numbers('calls', 'gbps', 'medianNs', 'p99Ns', 'offloaded', 'callerNsAPage');
const CALL_RATIOS = { gbps: RATIO, p99: RATIO };
const STEPS = numbers(
  'isolate',
  'lock',
  'allocate',
  'tryToMigrate',
  'flush',
  'copy',
  'metadata',
  'removeMigrationPtes',
  'free',
  'other',
  'whole',
);

const AMOUNTS: Shape = { bytes: 'count', usualBytes: 'count' };

/** What each table's measurements have to have: what charts and tables show of them. */
export const MEASURED: Readonly<Record<TableName, Shape>> = {
  'folio-size': { cores: 'count', ...AMOUNTS, rows: [THROUGHPUT] },
  'folio-count': { ...AMOUNTS, rows: [THROUGHPUT] },
  overheads: {
    ...AMOUNTS,
    rows: [
      {
        ...{ folioSize: 'string', folioBytes: 'count', folios: 'count', publishedFolios: 'count', runs: 'count' },
        ...{ threads: 'string', maxSpeedup: 'number', predicted: 'number' },
        ...{ F: RATIO, S: RATIO, measured: RATIO, predictedByMeasured: RATIO, rest: RATIO },
      },
    ],
  },
  'cycles-per-page': {
    ...{ mhz: 'number', ...AMOUNTS },
    rows: [
      {
        ...{ kernel: 'string', moved: 'string', publishedAs: 'string', runs: 'count' },
        ...{ migratePagesNs: SPREAD, folioCopyNs: SPREAD, migratePagesCycles: SPREAD, folioCopyCycles: SPREAD },
        ...{ F: SPREAD, typicalF: RATIO, highestF: 'number', runsFromNamed: 'number', againstGeneric: RATIO },
      },
    ],
  },
  tlb: {
    ...{ cpus: 'count', pages: 'count', usualPages: 'count' },
    rows: [
      {
        ...{ flow: 'string', runs: 'count' },
        ...numbers('pagesPerSecond', 'ipisPerSecond', 'ipisPerPage', 'accessesPerSecond'),
      },
    ],
    vanillaBySerial: { ipisPerSecond: RATIO, ipisPerPage: RATIO, pagesPerSecond: RATIO },
  },
  breakdown: {
    'amounts?': { throughput: AMOUNTS, steps: AMOUNTS },
    throughput: [
      {
        ...{ accounting: 'string', queueDepth: 'number', runs: 'count' },
        ...{ gigabytesPerSecond: 'number', byOneCore: RATIO },
      },
    ],
    steps: [
      {
        ...{ folioBytes: 'count', mappings: 'count', migrator: 'string', runs: 'count', pageNs: STEPS },
        shares: { unmap: RATIO, copy: RATIO, removeMigrationPtes: RATIO, rmap: RATIO },
        ...{ cpuNs: 'number', cpuSavedNs: 'number', timeByKernel: RATIO, cpuByKernel: RATIO },
      },
    ],
  },
  'dma-setup': {
    ...{ folios: 'count', ...AMOUNTS },
    rows: [
      {
        ...{ iommu: 'string', setup: 'string', runs: 'count' },
        ...numbers('mapNs', 'submitNs', 'unmapNs', 'setUpNs', 'copyNs'),
        ...{ setUpByBatch: RATIO, copyByBatch: RATIO },
      },
    ],
  },
  flows: {
    ...{ folios: 'count', threads: 'count', ...AMOUNTS },
    rows: [
      {
        ...{ failure: 'string', share: 'number', flow: 'string', runs: 'count' },
        ...numbers('ns', 'moved', 'failed', 'nsAPageMoved', 'retries', 'copiedBytes', 'vainBytes'),
        againstBatchMove: RATIO,
      },
    ],
  },
  contention: {
    ...{ bandwidth: 'number', callers: 'count', callBytes: 'count', laps: 'count', usualLaps: 'count' },
    rows: [
      {
        ...{ setting: 'string', runs: 'count' },
        ...{ demotion: CALLS, demotionAgainstAll: CALL_RATIOS, 'storm?': CALLS, 'stormAgainstAll?': CALL_RATIOS },
      },
    ],
  },
  'batch-limit': {
    ...{ threads: 'count', touchedBytes: 'count', usualTouchedBytes: 'count', ...AMOUNTS },
    rows: [
      {
        ...{ migrator: 'string', limit: 'count', folioBytes: 'count', runs: 'count', ns: 'number' },
        ...{ againstBest: RATIO, firstFolioNs: 'number' },
        'touched?': {
          waits: { count: 'count', medianBelowNs: 'number', p99BelowNs: 'number' },
          interruptsAPage: 'number',
        },
      },
    ],
  },
};

const COPY_MANNER: Shape = {
  ...{
    threads: 'count',
    caller: 'string',
    schedule: 'string',
    distribution: 'string',
    unitBytes: 'auto',
    method: 'string',
  },
};
const MIGRATION_MANNER: Shape = {
  migrator: 'string',
  flow: 'string',
  stores: 'string',
  'threads?': 'count',
  'channels?': 'count',
};

/** What was chosen among some manners. */
const choice = (manner: Shape): Shape => ({
  ...{ chosen: manner, fastest: manner, ofFastest: RATIO, ofFirst: RATIO },
  alternatives: [{ setting: 'string', chosen: 'string', instead: 'string', ratio: RATIO_OF_PAIRS }],
  tried: [{ settings: manner, ofFirst: RATIO }],
});

/** What each command's results have to have: what a report says of them. */
export const SHAPES: Readonly<Record<string, Shape>> = {
  copy: { results: [COPY] },
  migrate: { results: [MIGRATE] },
  pmbench: { results: [PMBENCH], 'comparison?': COMPARISON },
  reproduce: { 'stores?': 'string', tables: [TABLE], failed: [FAILED], notBegun: ['string'] },
  tune: {
    sizes: [
      {
        load: 'count',
        folioBytes: 'count',
        batchBytes: 'count',
        copies: choice(COPY_MANNER),
        'methods?': choice(COPY_MANNER),
        'migrations?': choice(MIGRATION_MANNER),
        'stores?': choice(MIGRATION_MANNER),
      },
    ],
    'profile?': {},
  },
  sysfs: { files: [{ path: 'string', value: 'string', writable: 'boolean', doc: 'string' }] },
};
