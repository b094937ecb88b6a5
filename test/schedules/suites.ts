import { DMA_RING_SUITE } from './dma-ring/suite.js';
import { JOB_RING_SUITE } from './job-ring/suite.js';
import type { Mutant } from './mutant.js';
import type { Suite } from './protocol.js';
import type { Scenario } from './scenario.js';
import { TLB_FLUSH_SUITE } from './tlb-flush/suite.js';

/** All protocols, with what is run of them. */
const SUITES: readonly Suite[] = [JOB_RING_SUITE, TLB_FLUSH_SUITE, DMA_RING_SUITE];

export const SCENARIOS: readonly Scenario[] = SUITES.flatMap(({ scenarios }) => scenarios);
export const MUTANTS: readonly Mutant[] = SUITES.flatMap(({ mutants }) => mutants);

/** The protocols whose names have one of these texts. */
export function suitesOf(texts: readonly string[]): readonly Suite[] {
  return SUITES.filter(({ protocol }) => texts.some((text) => protocol.name.includes(text)));
}

/** A scenario, by its name, and the suite that it is of. */
export function scenarioOf(name: string): { readonly suite: Suite; readonly scenario: Scenario } {
  for (const suite of SUITES) {
    const scenario = suite.scenarios.find((one) => one.name === name);
    if (scenario) return { suite, scenario };
  }
  throw new Error(`no scenario is called ${name}: ${SCENARIOS.map((one) => one.name).join('; ')}`);
}
