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
  'cycles-per-page': cyclesPerPageExperiment,
  overheads: overheadsExperiment,
  'folio-size': folioSizeExperiment,
  'folio-count': folioCountExperiment,
  tlb: tlbExperiment,
  breakdown: breakdownExperiment,
  'dma-setup': dmaSetupExperiment,
  flows: flowsExperiment,
  contention: contentionExperiment,
  'batch-limit': batchLimitExperiment,
} as const satisfies Readonly<Record<string, Experiment<object, Finding | Claim>>>;

/** The name of a table. */
export type TableName = keyof typeof EXPERIMENTS;
export const TABLE_NAMES = Object.keys(EXPERIMENTS) as TableName[];
