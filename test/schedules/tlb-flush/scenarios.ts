import type { TlbScenario } from './scenario.js';

export const SCENARIOS: readonly TlbScenario[] = [
  {
    name: 'migration, vanilla, 1 CPU',
    async run({ run, move, anytime, page, expectBytes }) {
      const program = run(0, [
        ['add', page(0)],
        ['add', page(0)],
        ['add', page(0)],
      ]);
      await anytime();
      await move([0], { flow: 'vanilla' });
      await program;
      expectBytes([3]);
    },
  },
];
