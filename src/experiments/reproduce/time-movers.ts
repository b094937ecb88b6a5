import type { Stores } from 'mtcopy';
import { collectGarbage } from '../shared/collect-garbage.js';
import type { Control } from '../shared/control.js';
import { bootMoved, type Mover, moveBy, moverText } from '../shared/movers.js';
import { timeTrials } from './fit.js';

/**
 * Seconds that a run of each mover takes, all together.
 *
 * @param groups one after the other: threads of another schedule start anew
 */
export async function timeMovers(
  groups: readonly (readonly Mover[])[],
  bytes: number,
  folioBytes: number,
  stores: Stores | undefined,
  control: Control,
): Promise<number> {
  const memory = await bootMoved(bytes, folioBytes);
  // Twice, for whoever is first touches frames, and starts threads: those of one group, before the next one's.
  const trials = groups.flatMap((movers) =>
    [false, true].flatMap((counts) =>
      movers.map((mover) => ({ name: moverText(mover), run: () => moveBy(memory, mover, stores), counts })),
    ),
  );
  try {
    return await timeTrials(trials, control);
  } finally {
    await memory.machine.close();
    collectGarbage();
  }
}
