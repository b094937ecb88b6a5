import { breakdownExperiment } from './breakdown/breakdown.js';
import { cyclesPerPageExperiment } from './cycles-per-page.js';
import { dmaSetupExperiment } from './dma-setup.js';
import type { Experiment } from './experiment.js';
import { tlbExperiment } from './tlb.js';

/** Every table that can be reproduced, by its name, in the order in which they were published. */
export const EXPERIMENTS = {
  'cycles-per-page': cyclesPerPageExperiment,
  tlb: tlbExperiment,
  breakdown: breakdownExperiment,
  'dma-setup': dmaSetupExperiment,
} as const satisfies Readonly<Record<string, Experiment<object>>>;

/** The name of a table. */
export type TableName = keyof typeof EXPERIMENTS;
export const TABLE_NAMES = Object.keys(EXPERIMENTS) as TableName[];
