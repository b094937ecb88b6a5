import type { Suite } from '../protocol.js';
import { excuseFor } from './benign.js';
import { MUTANTS } from './mutants.js';
import { TLB_FLUSH } from './protocol.js';
import type { TlbScenario } from './scenario.js';
import { SCENARIOS } from './scenarios.js';
import { setStage } from './world.js';

export const TLB_FLUSH_SUITE: Suite = {
  protocol: TLB_FLUSH,
  scenarios: SCENARIOS,
  mutants: MUTANTS,
  threads: (scenario) => (scenario as TlbScenario).cpus ?? 1,
  excuseFor,
  setStage: (backstage, scenario) => setStage(backstage, scenario as TlbScenario),
};
