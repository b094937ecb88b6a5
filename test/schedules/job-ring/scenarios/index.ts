import type { RingScenario } from '../scenario.js';
import { ASYNCHRONOUS } from './asynchronous.js';
import { BLOCKING } from './blocking.js';
import { DEATHS } from './deaths.js';

export const SCENARIOS: readonly RingScenario[] = [...BLOCKING, ...ASYNCHRONOUS, ...DEATHS];
