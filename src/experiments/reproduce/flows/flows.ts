import { MiB } from 'mtcopy';
import { isSure, ratioText } from '../../shared/ratio.js';
import type { Part } from '../../shared/sheet.js';
import type { Experiment } from '../experiment.js';
import { type Figure, figuresOf } from '../figure.js';
import { estimateText, NOT_KNOWN, type Verdict } from '../finding.js';
import { lessText } from '../fit.js';
import { type Flows, type FlowsRow, measureFlows, nameOf } from './measure.js';

/** What the review asked, of which no figures were published. */
const PUBLISHED = {
  source:
    '[RFC V3 0/9] Accelerate page migration with batch copying and hardware offload, 2025-09-23, its review by Huang, Ying, and V4, 2026-03, which copies first',
  openQuestion:
    'Why not copy a batch before any of its folios is moved? It is simpler, and what fails has no metadata to take back. The objection: bytes of folios that then fail to move are copied in vain.',
} as const;

/** {@link Experiment}: the copy after all metadata (V3) against the copy before any (V4), with folios that fail. */
export const flowsExperiment: Experiment<Flows> = {
  question: 'Why not copy first? The copy after the metadata (batch-move) and before it (pre-copy), as folios fail',
  published: PUBLISHED,
  measure: measureFlows,
  takesProfile: true,
  takesStores: true,
  findings: () => [],
  verdict: flowsVerdict,
  figures,
  parts,
};

/** Holds if copying first is nowhere slower, by the time a page that moved: no interval lies above 1. */
export function flowsVerdict({ rows }: Flows): Verdict {
  const preCopy = rows.filter(({ flow }) => flow === 'pre-copy');
  // All have as many runs.
  if (!preCopy.some(({ againstBatchMove }) => isSure(againstBatchMove))) return NOT_KNOWN;
  const slower = preCopy.filter(({ againstBatchMove }) => againstBatchMove.low > 1);
  const faster = preCopy.filter(({ againstBatchMove }) => againstBatchMove.high < 1);
  const count = `Of ${preCopy.length} settings pre-copy is faster in ${faster.length}, slower in ${slower.length}, a page that moved.`;
  const worst = slower.map((row) => `${nameOf(row)} ${estimateText(row.againstBatchMove)}`);
  const where = worst.length > 0 ? ` Slower: ${worst.join('; ')}.` : '';
  const answer = slower.length === 0 ? 'Copying first costs nothing here.' : 'Copying first has its price here.';
  return { holds: slower.length === 0, says: `${answer} ${count}${where} ${vainText(preCopy)}` };
}

function vainText(rows: readonly FlowsRow[]): string {
  const inVain = rows.filter(({ vainBytes }) => vainBytes > 0);
  if (inVain.length === 0) return 'No bytes were copied in vain.';
  const list = inVain.map((row) => `${percent(row.vainBytes / row.copiedBytes)} with ${nameOf(row)}`);
  return `Copied in vain: ${list.join(', ')}; else nothing.`;
}

function figures({ folios, rows }: Flows): Figure[] {
  return rows.flatMap(({ failure, share, flow, ...row }) =>
    figuresOf(`${folios} of 4K, ${failingText({ failure, share })}`, flow, {
      move_pages: { unit: 'ns', is: row.ns },
      'a page that moved': { unit: 'ns', is: row.nsAPageMoved },
      'time a page against batch-move': { unit: 'ratio', is: row.againstBatchMove },
      moved: { unit: 'pages', is: row.moved },
      failed: { unit: 'pages', is: row.failed },
      'tried again': { unit: 'count', is: row.retries },
      copied: { unit: 'bytes', is: row.copiedBytes },
      'copied in vain': { unit: 'bytes', is: row.vainBytes },
      runs: { unit: 'count', is: row.runs },
    }),
  );
}

function failingText({ failure, share }: Pick<FlowsRow, 'failure' | 'share'>): string {
  return failure === 'none' ? 'none' : `${share * 100}% ${failure}`;
}

function parts({ folios, threads, rows, ...amounts }: Flows): Part[] {
  const sheet = {
    texts: ['failing', 'flow'],
    numbers: ['ms', 'failed', 'tried\nagain', 'in vain\nMiB', 'ns a\npage', 'against\nbatch-move'],
    rows: rows.map((row) => [
      failingText(row),
      row.flow,
      (row.ns / 1e6).toFixed(1),
      `${row.failed}`,
      `${row.retries}`,
      (row.vainBytes / MiB).toFixed(2),
      row.nsAPageMoved.toFixed(0),
      row.flow === 'batch-move' ? '1' : ratioText(row.againstBatchMove),
    ]),
  };
  const notes = [
    `${folios} folios of 4 KiB, batches of 512, mtcopy with ${threads} threads. Medians of the runs; ns a page that moved.`,
    ...lessText(amounts),
    'Pinned before: an extra reference from before the call. Both flows see it before they copy.',
    'Pinned in copy: an extra reference as a batch was copied. By then batch-move has moved the metadata,',
    'and the folio moves all the same; pre-copy looks at the references once more, and it fails.',
    'Poisoned: the copy fails. batch-move then takes the metadata back; pre-copy has none to take back.',
  ];
  return [sheet, notes.join('\n')];
}

function percent(part: number): string {
  return `${(part * 100).toFixed(1)}%`;
}
