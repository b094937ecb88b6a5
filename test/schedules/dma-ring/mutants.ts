import type { Mutant } from '../mutant.js';

/** What channels run. */
const SERVE = 'dma/worker/serve.cjs';

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'an interrupt wakes nobody',
    scenario: 'dma, one descriptor',
    file: SERVE,
    edits: [['Atomics.notify(words, IRQ);', '']],
  },
];
