import { formatSize, PAGE_SIZE } from 'mtcopy';
import { max } from 'simple-statistics';
import { type Control, isCutShort } from '../../shared/control.js';
import { isSure } from '../../shared/ratio.js';
import { shareTime } from '../../shared/share-time.js';
import type { Experiment, Scale } from '../experiment.js';
import { type Figure, figuresOf } from '../figure.js';
import { type Finding, judge, type Verdict } from '../finding.js';
import type { Amounts } from '../fit.js';
import { dsaBreakdown } from '../published.js';
import { type Accounting, type EngineRow, measureThroughput } from './engine.js';
import { type Breakdown, parts } from './parts.js';
import { measureSteps, type StepsRow } from './steps.js';

/** {@link Experiment}: how much of an engine's speed is left in whole migrations, and of what the rest is made. */
export const breakdownExperiment: Experiment<Breakdown> = {
  question: 'How much of an engine is left once all of a migration counts, and where does offload gain?',
  published: dsaBreakdown,
  takesStores: true,
  measure,
  findings,
  verdict,
  figures,
  parts,
};

async function measure(scale: Scale, control: Control): Promise<Breakdown> {
  const nextSeconds = shareTime(scale.seconds, 2);
  if (isCutShort(control)) return { throughput: [], steps: [] };
  const engine = await measureThroughput({ ...scale, seconds: nextSeconds() }, control);
  const migrations = await measureSteps({ ...scale, seconds: nextSeconds() }, control);
  const amounts = { throughput: amountsOf(engine), steps: amountsOf(migrations) };
  return { amounts, throughput: engine.rows, steps: migrations.rows };
}

const amountsOf = ({ bytes, usualBytes }: Amounts): Amounts => ({ bytes, usualBytes });

const { throughputGBps: speeds, shareOfMigratePages: shares } = dsaBreakdown;
const PUBLISHED_SPEEDS: Readonly<Partial<Record<Accounting, number>>> = {
  'submit-and-poll': speeds.submitAndPollOnly,
  passthrough: speeds.withDmaMappingIommuPassthrough,
  translated: speeds.withDmaMappingIommuTranslated,
  'whole-dcbm': speeds.wholeMigratePages,
};
const NAMES: Readonly<Partial<Record<Accounting, string>>> = {
  'submit-and-poll': 'engine, submission and polling alone',
  passthrough: 'engine with mapping, passthrough',
  translated: 'engine with mapping, translated',
  'whole-dcbm': 'whole migrations by the engine',
};

/**
 * As published: at the deepest queue, and of pages of 4 KiB that one address space maps. Unmapping has a half by itself, and the
 * removal of migration entries nearly: neither says on which side it lies, but both together do.
 */
function findings({ throughput, steps }: Breakdown): Finding[] {
  const found: Finding[] = [];
  const depth = max([0, ...throughput.map(({ queueDepth }) => queueDepth)]);
  for (const { accounting, queueDepth, byOneCore, bySubmitAndPoll } of throughput) {
    const published = PUBLISHED_SPEEDS[accounting];
    if (queueDepth !== depth || published === undefined) continue;
    const ratio = (to: string, of: number, measured: EngineRow['byOneCore']) =>
      found.push({ what: `${NAMES[accounting]}, by ${to}`, kind: 'ratio', published: published / of, measured });
    ratio("one core's copy", speeds.oneCpuCore, byOneCore);
    if (accounting !== 'submit-and-poll' && bySubmitAndPoll)
      ratio('submission and polling alone', speeds.submitAndPollOnly, bySubmitAndPoll);
  }
  const small = steps.find(
    ({ folioBytes, mappings, migrator }) => folioBytes === PAGE_SIZE && mappings === 1 && migrator === 'dcbm',
  );
  if (!small) return found;
  const share = (what: string, published: number, measured: Finding['measured']) =>
    found.push({ what: `4K by dcbm, share of ${what}`, kind: 'share', published, measured });
  share('copy', middle(shares.copy), small.shares.copy);
  share('unmap and remove_migration_ptes', shares.unmap + middle(shares.removeMigrationPtes), small.shares.rmap);
  return found;
}

function figures({ throughput, steps }: Breakdown): Figure[] {
  return [...throughput.flatMap(engineFigures), ...steps.flatMap(stepsFigures)];
}

function engineFigures({ accounting, queueDepth, ...row }: EngineRow): Figure[] {
  return figuresOf(`4K, ${queueDepth} in flight`, accounting, {
    throughput: { unit: 'GB/s', is: row.gigabytesPerSecond },
    'throughput by one core': { unit: 'ratio', is: row.byOneCore },
    ...(row.bySubmitAndPoll && {
      'throughput by submission and polling alone': { unit: 'ratio', is: row.bySubmitAndPoll },
    }),
    runs: { unit: 'count', is: row.runs },
  });
}

function stepsFigures({ pageNs, shares: own, ...row }: StepsRow): Figure[] {
  const steps = Object.entries(pageNs).map(([name, ns]) => [`${name} a page`, { unit: 'ns', is: ns }] as const);
  const parts = Object.entries(own).map(([name, share]) => [`share of ${name}`, { unit: 'share', is: share }] as const);
  return figuresOf(whereText(row), row.migrator, {
    ...Object.fromEntries([...steps, ...parts]),
    'CPU time a page': { unit: 'ns', is: row.cpuNs },
    'CPU time saved a page': { unit: 'ns', is: row.cpuSavedNs },
    'time by kernel': { unit: 'ratio', is: row.timeByKernel },
    'CPU time by kernel': { unit: 'ratio', is: row.cpuByKernel },
    runs: { unit: 'count', is: row.runs },
  });
}

function middle([low, high]: readonly number[]): number {
  return (low + high) / 2;
}

/** What was published, and what the objection asks: whether the reverse map is what counts, and where offload gains. */
function verdict(measured: Breakdown): Verdict {
  const { holds, says } = judge(findings(measured));
  const steps = measured.steps.filter(({ timeByKernel }) => isSure(timeByKernel));
  return { holds, says: [says, ...rmapText(steps), ...gainsText(steps)].join('\n') };
}

/** How much both walks of the reverse map take where the calling thread copies. */
function rmapText(steps: readonly StepsRow[]): string[] {
  const small = steps.filter(({ folioBytes, migrator }) => folioBytes === PAGE_SIZE && migrator === 'kernel');
  if (small.length === 0) return [];
  const each = small.map(({ mappings, pageNs: { tryToMigrate, removeMigrationPtes, whole } }) => {
    const share = (100 * (tryToMigrate + removeMigrationPtes)) / whole;
    return `${share.toFixed(0)}% mapped by ${mappings === 0 ? 'none' : mappings}`;
  });
  return [`Both walks of the reverse map, of 4K that the calling thread moves: ${each.join(', ')}.`];
}

/** Where the whole interval lies on the side of a gain. */
function gainsText(steps: readonly StepsRow[]): string[] {
  const migrators = [...new Set(steps.map(({ migrator }) => migrator))].filter((migrator) => migrator !== 'kernel');
  return migrators.map((migrator) => {
    const rows = steps.filter((row) => row.migrator === migrator);
    const faster = rows.filter(({ timeByKernel }) => timeByKernel.high < 1);
    const cheaper = rows.filter(({ cpuByKernel }) => cpuByKernel.high < 1);
    const saved = cheaper.map((row) => `${whereText(row)} (${row.cpuSavedNs.toFixed(0)} ns a page)`);
    return `${migrator} is faster ${listText(faster.map(whereText))}, and saves CPU time ${listText(saved)}.`;
  });
}

function whereText({ folioBytes, mappings }: Pick<StepsRow, 'folioBytes' | 'mappings'>): string {
  return `${formatSize(folioBytes)} mapped by ${mappings === 0 ? 'none' : mappings}`;
}

function listText(list: readonly string[]): string {
  return list.length === 0 ? 'nowhere for certain' : `with ${list.join(', ')}`;
}
