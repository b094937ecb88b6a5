import type { Suite } from '../protocol.js';
import { excuseFor } from './benign.js';
import { MUTANTS } from './mutants.js';
import { DMA_RING } from './protocol.js';
import type { DmaScenario } from './scenario.js';
import { SCENARIOS } from './scenarios/index.js';
import { setStage } from './world.js';

export const DMA_RING_SUITE: Suite = {
  protocol: DMA_RING,
  scenarios: SCENARIOS,
  mutants: MUTANTS,
  threads: (scenario) => (scenario as DmaScenario).device.channels,
  excuseFor,
  setStage: (backstage, scenario) => setStage(backstage, scenario as DmaScenario),
};
