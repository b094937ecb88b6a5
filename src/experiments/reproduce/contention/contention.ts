import { formatSize } from 'mtcopy';
import { isSure } from '../../shared/ratio.js';
import type { Part } from '../../shared/sheet.js';
import type { Experiment } from '../experiment.js';
import { type Figure, figuresOf } from '../figure.js';
import { digits, estimateText, NOT_KNOWN, type Verdict } from '../finding.js';
import {
  type CallsFigures,
  type CallsRatios,
  type Contention,
  type ContentionRow,
  measureContention,
} from './measure.js';

/** What the series says that a mask is for, without figures. */
const PUBLISHED = {
  source: 'Accelerate page migration with batch copying and hardware offload: the reason mask of its offload registry',
  openQuestion:
    'An engine that copies for every reason is shared by all who migrate: what does it do for demotion to have it alone?',
} as const;

/** {@link Experiment}: demotion beside a storm of move_pages, with masks that give the engine to all, to demotion, or to nobody. */
export const contentionExperiment: Experiment<Contention> = {
  question: 'What are reason masks for? Demotion beside a storm of move_pages, and one slow DMA channel',
  published: PUBLISHED,
  measure: measureContention,
  findings: () => [],
  verdict: contentionVerdict,
  figures,
  parts,
};

/** Holds if the mask `demotion` makes demotions faster than `all`, or the longest of them shorter: a whole interval lies on that side of 1. */
export function contentionVerdict({ rows }: Contention): Verdict {
  const [all, alone] = (['all', 'demotion'] as const).map((setting) => rows.find((row) => row.setting === setting));
  if (!all || !alone?.storm || !alone.stormAgainstAll) return NOT_KNOWN;
  const { gbps, p99 } = alone.demotionAgainstAll;
  if (!isSure(gbps)) return NOT_KNOWN;
  const isFaster = gbps.low > 1;
  const isSooner = p99.high < 1;
  const holds = isFaster || isSooner;
  const gains = [isFaster && 'more GB/s', isSooner && 'a lower 99%'].filter(Boolean).join(', ');
  const answer = holds ? `The mask demotion helps demotion: ${gains}.` : noGainText(gbps.high < 1, p99.low > 1);
  const engine = `The engine copies ${percent(alone.demotion.offloaded)} of its bytes, with all ${percent(all.demotion.offloaded)}.`;
  const demotion = `Demotion with the mask demotion, against the mask all: GB/s ${estimateText(gbps)}, 99% ${estimateText(p99)}.`;
  const storm = `The storm, the same: GB/s ${estimateText(alone.stormAgainstAll.gbps)}, 99% ${estimateText(alone.stormAgainstAll.p99)}.`;
  return { holds, says: [answer, engine, demotion, storm].join(' ') };
}

/** What is said where it is not shown to gain: a loss, or that these runs can't tell. */
function noGainText(isSlower: boolean, isLater: boolean): string {
  const losses = [isSlower && 'fewer GB/s', isLater && 'a higher 99%'].filter(Boolean).join(', ');
  if (losses === '') return "Whether the mask demotion helps demotion these runs can't tell.";
  return `The mask demotion slows demotion down: ${losses}. With all, a core copies what finds the channel taken.`;
}

function figures({ rows }: Contention): Figure[] {
  return rows.flatMap(({ setting, runs, demotion, demotionAgainstAll, storm, stormAgainstAll }) => [
    ...callsFigures(setting, 'demotion', demotion, demotionAgainstAll),
    ...(storm && stormAgainstAll ? callsFigures(setting, 'storm', storm, stormAgainstAll) : []),
    ...figuresOf(setting, '', { runs: { unit: 'count', is: runs } }),
  ]);
}

function callsFigures(setting: ContentionRow['setting'], calls: string, own: CallsFigures, against: CallsRatios) {
  return figuresOf(setting, calls, {
    throughput: { unit: 'GB/s', is: own.gbps },
    'median of the calls': { unit: 'ns', is: own.medianNs },
    '99% of the calls': { unit: 'ns', is: own.p99Ns },
    'by the engine': { unit: 'share', is: own.offloaded },
    'CPU time a page': { unit: 'ns', is: own.callerNsAPage },
    ...(setting !== 'all' && {
      'throughput against all': { unit: 'ratio', is: against.gbps },
      '99% against all': { unit: 'ratio', is: against.p99 },
    }),
    calls: { unit: 'count', is: own.calls },
  });
}

function parts({ bandwidth, callers, callBytes, laps, usualLaps, rows }: Contention): Part[] {
  const sheet = {
    texts: ['mask', 'calls'],
    numbers: ['GB/s', 'median\nms', '99%\nms', 'by the\nengine', 'CPU ns\na page', '99%\nagainst all'],
    rows: rows.flatMap(({ setting, demotion, demotionAgainstAll, storm, stormAgainstAll }) => [
      line(setting, 'demotion', demotion, demotionAgainstAll),
      ...(storm && stormAgainstAll ? [line(setting, 'storm', storm, stormAgainstAll)] : []),
    ]),
  };
  const notes = [
    `One channel of ${digits(bandwidth / 1e9)} GB/s. Calls of ${formatSize(callBytes)} in folios of 64 KiB; ${callers} callers of move_pages storm.`,
    ...(laps < usualLaps
      ? [
          `There was no time for ${usualLaps} laps of the memory a run: with ${laps} the 99% of a run are its longest call.`,
        ]
      : []),
    'alone: demotion with no storm. A batch that finds the channel taken is copied by the calling thread.',
    'CPU: of the calling thread, a page of 4 KiB. All callers share that thread: in Linux each has a core.',
  ];
  return [sheet, notes.join('\n')];
}

function line(setting: ContentionRow['setting'], calls: string, figures: CallsFigures, ratios: CallsRatios): string[] {
  const { gbps, medianNs, p99Ns, offloaded, callerNsAPage } = figures;
  return [
    setting,
    calls,
    digits(gbps),
    digits(medianNs / 1e6),
    digits(p99Ns / 1e6),
    percent(offloaded),
    callerNsAPage.toFixed(0),
    setting === 'all' ? '1' : estimateText(ratios.p99),
  ];
}

function percent(part: number): string {
  return `${(part * 100).toFixed(0)}%`;
}
