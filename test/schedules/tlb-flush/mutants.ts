import type { Mutant } from '../mutant.js';

const FLUSH = 'mm/tlb-flush.js';

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'the flush is left out',
    scenario: 'migration, vanilla, 1 CPU',
    file: FLUSH,
    edits: [['if (!this.#isAnyRunning(batch)) {', 'if (batch.count > 0) {']],
  },
];
