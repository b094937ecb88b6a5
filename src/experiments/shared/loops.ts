import type { CopyMethod, EngineSettings } from 'mtcopy';

/** What of an engine's settings says which loop copies. */
export type LoopSettings = Pick<EngineSettings, 'method' | 'stores'>;

/**
 * How an engine is told of a loop, to take it wherever it can: `'memory.copy'` by its name would refuse other memory than the
 * engine's own, and `'streaming'` a machine without the loop in C.
 */
const LOOPS: Readonly<Record<CopyMethod, LoopSettings>> = {
  auto: { method: 'auto', stores: 'auto' },
  streaming: { method: 'auto', stores: 'streaming' },
  'memory.copy': { method: 'auto', stores: 'cached' },
  'typed-array': { method: 'typed-array', stores: 'auto' },
};

/** What a profile says for a loop. */
export function settingsOfLoop(loop: CopyMethod): LoopSettings {
  return LOOPS[loop];
}

/** The loop that settings come to in an engine's own memory. */
export function loopOf({ method, stores }: LoopSettings): CopyMethod {
  if (method !== 'auto') return method;
  return ({ auto: 'auto', cached: 'memory.copy', streaming: 'streaming' } as const)[stores];
}
