import type { Suite } from '../protocol.js';
import { excuseFor } from './benign.js';
import { MUTANTS } from './mutants.js';
import { JOB_RING } from './protocol.js';
import type { RingScenario } from './scenario.js';
import { SCENARIOS } from './scenarios/index.js';
import { setStage } from './world.js';

export const JOB_RING_SUITE: Suite = {
  protocol: JOB_RING,
  scenarios: SCENARIOS,
  mutants: MUTANTS,
  threads: (scenario) => (scenario as RingScenario).options.threads,
  excuseFor,
  setStage: (backstage, scenario) => setStage(backstage, scenario as RingScenario),
};
