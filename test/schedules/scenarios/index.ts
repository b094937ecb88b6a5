import type { Scenario } from '../scenario.js';
import { ASYNCHRONOUS } from './asynchronous.js';
import { BLOCKING } from './blocking.js';
import { DEATHS } from './deaths.js';

export const SCENARIOS: readonly Scenario[] = [...BLOCKING, ...ASYNCHRONOUS, ...DEATHS];

export function scenarioOf(name: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (!found) throw new Error(`no scenario is called ${name}: ${SCENARIOS.map((one) => one.name).join('; ')}`);
  return found;
}
