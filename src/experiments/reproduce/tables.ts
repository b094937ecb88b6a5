import { batchLimitExperiment } from './batch-limit/batch-limit.js';
import { breakdownExperiment } from './breakdown/breakdown.js';
import { contentionExperiment } from './contention/contention.js';
import { cyclesPerPageExperiment } from './cycles-per-page/experiment.js';
import { dmaSetupExperiment } from './dma-setup.js';
import type { Experiment } from './experiment.js';
import type { Claim, Finding } from './finding.js';
import { flowsExperiment } from './flows/flows.js';
import { folioCountExperiment } from './folio-count.js';
import { folioSizeExperiment } from './folio-size.js';
import { overheadsExperiment } from './overheads/experiment.js';
import { tlbExperiment } from './tlb.js';

/** Every table that can be reproduced, by its name, in the order in which they were published. */
export const EXPERIMENTS = {
  /** What migrate_pages() and its copies take a page, in cycles (RFC V1). */
  'cycles-per-page': cyclesPerPageExperiment,
  /** The share that copies have, and what Amdahl's law makes of it (RFC V3). */
  overheads: overheadsExperiment,
  /** Throughput by the size of folios (RFC V3 and V4). */
  'folio-size': folioSizeExperiment,
  /** Throughput by the number of folios (RFC V3). */
  'folio-count': folioCountExperiment,
  /** One TLB flush a batch (batched TLB flushing). */
  tlb: tlbExperiment,
  /** What an engine's copy, and a migration, are made of. */
  breakdown: breakdownExperiment,
  /** Mapping and completion by folio, or by batch. */
  'dma-setup': dmaSetupExperiment,
  /** Copying before or after the moves, where folios fail. */
  flows: flowsExperiment,
  /** Two kinds of callers that share a slow engine. */
  contention: contentionExperiment,
  /** How large a batch is to be. */
  'batch-limit': batchLimitExperiment,
} as const satisfies Readonly<Record<string, Experiment<object, Finding | Claim>>>;

/** The name of a table. */
export type TableName = keyof typeof EXPERIMENTS;
/** The names of all tables, in that order. */
export const TABLE_NAMES = Object.keys(EXPERIMENTS) as TableName[];
