import type { DmaScenario } from '../scenario.js';
import { COPIES } from './copies.js';

export const SCENARIOS: readonly DmaScenario[] = [...COPIES];
