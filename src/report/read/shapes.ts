import { TABLE_NAMES, type TableName } from 'mtcopy/experiments';
import type { Shape } from './shape.js';

/** What every command prints besides its results. */
export const HEAD: Shape = {
  date: 'string',
  arguments: ['string'],
  host: { node: 'string', platform: 'string', arch: 'string', cpu: 'string', cores: 'number', memoryBytes: 'number' },
  'cutShort?': 'boolean',
};

/** An object of which each of these is a number. */
const numbers = (...names: string[]) => Object.fromEntries(names.map((name) => [name, 'number'] as const));

const SPEEDS = numbers('best', 'median', 'lowerQuartile', 'upperQuartile');
const PHASES = numbers('isolate', 'unmap', 'flush', 'copy', 'move', 'putBack');
const RATIO = numbers('median', 'low', 'high', 'confidence');
const VERDICT: Shape = { holds: 'boolean', says: 'string' };

const COPY: Shape = {
  threads: 'number',
  folioBytes: 'number',
  folios: 'number',
  frames: 'string',
  method: 'string',
  schedule: 'string',
  caller: 'string',
  gbps: SPEEDS,
  samplesNs: ['number'],
};
const MIGRATE: Shape = {
  migrator: 'string',
  flow: 'string',
  threads: 'number',
  batchesInFlight: 'number',
  batchLimit: 'number',
  batchUnit: 'string',
  folioBytes: 'number',
  folios: 'number',
  frames: 'string',
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
  threads: 'number',
  cpus: 'number',
  pages: 'number',
  folioBytes: 'number',
  pattern: 'string',
  writeRatio: 'number',
  call: 'string',
  batchLimit: 'number',
  batchUnit: 'string',
  seed: 'number',
  samples: [{ pagesMigratedPerSecond: 'number' }],
  seconds: 'number',
  ipis: 'number',
  ipisPerPage: 'number',
  tlbFlushNs: { count: 'number', p50: 'number', p90: 'number', p99: 'number', max: 'number' },
  pagesMigrated: 'number',
  pagesMigratedPerSecond: 'number',
  accessesPerSecond: 'number',
  accessNs: { p50: 'number', p90: 'number', p99: 'number', p999: 'number', max: 'number' },
  lostUpdates: 'number',
  migrationWaits: { count: 'number', maxNs: 'number', buckets: [{ fromNs: 'number', count: 'number' }] },
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
  turns: [{ rounds: 'number', ended: 'string', variants: [{ name: 'string' }] }],
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
  count: 'number',
  folioBytes: 'number',
  folios: 'number',
  againstBaseline: RATIO,
};
const CALLS = numbers('gbps', 'p99Ns');
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
);

/** What each table's measurements have to have: what charts show of them. */
export const MEASURED: Readonly<Record<TableName, Shape>> = {
  'folio-size': { cores: 'number', rows: [THROUGHPUT] },
  'folio-count': { rows: [THROUGHPUT] },
  overheads: {
    rows: [{ folioSize: 'string', folios: 'number', measured: RATIO, predicted: 'number', maxSpeedup: 'number' }],
  },
  'cycles-per-page': { rows: [{ kernel: 'string', moved: 'string', migratePagesNs: SPREAD, folioCopyNs: SPREAD }] },
  tlb: { rows: [{ flow: 'string', pagesPerSecond: 'number', ipisPerSecond: 'number', ipisPerPage: 'number' }] },
  breakdown: { steps: [{ folioBytes: 'number', mappings: 'number', migrator: 'string', pageNs: STEPS }] },
  'dma-setup': { rows: [{ iommu: 'string', setup: 'string', mapNs: 'number', submitNs: 'number', unmapNs: 'number' }] },
  flows: { rows: [{ failure: 'string', share: 'number', flow: 'string', againstBatchMove: RATIO }] },
  contention: { rows: [{ setting: 'string', demotion: CALLS, 'storm?': CALLS }] },
  'batch-limit': {
    rows: [{ migrator: 'string', limit: 'number', folioBytes: 'number', againstBest: RATIO, firstFolioNs: 'number' }],
  },
};

const CHOICE: Shape = {
  chosen: {},
  fastest: {},
  ofFastest: RATIO,
  ofFirst: RATIO,
  alternatives: [{ setting: 'string', chosen: 'string', instead: 'string', ratio: { ...RATIO, pairs: 'number' } }],
  tried: [{ settings: {}, ofFirst: RATIO }],
};

/** What each command's results have to have: what a report says of them. */
export const SHAPES: Readonly<Record<string, Shape>> = {
  copy: { results: [COPY] },
  migrate: { results: [MIGRATE] },
  pmbench: { results: [PMBENCH], 'comparison?': COMPARISON },
  reproduce: { tables: [TABLE], failed: [FAILED], notBegun: ['string'] },
  tune: {
    sizes: [
      {
        load: 'number',
        folioBytes: 'number',
        batchBytes: 'number',
        copies: CHOICE,
        'methods?': CHOICE,
        'migrations?': CHOICE,
      },
    ],
    'profile?': {},
  },
  sysfs: { files: [{ path: 'string', value: 'string', writable: 'boolean', doc: 'string' }] },
};
