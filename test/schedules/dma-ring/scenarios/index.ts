import type { DmaScenario } from '../scenario.js';
import { COPIES } from './copies.js';
import { DCBM } from './dcbm.js';
import { DEATHS } from './deaths.js';
import { ENDS } from './ends.js';
import { IOMMU } from './iommu.js';

export const SCENARIOS: readonly DmaScenario[] = [...COPIES, ...ENDS, ...IOMMU, ...DCBM, ...DEATHS];
