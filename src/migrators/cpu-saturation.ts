import { availableParallelism } from 'node:os';
import { createProcReader } from '../proc.js';

/** Tasks that run or are ready to, on the whole host, the calling thread among them; 0 if that can't be known. */
const runnableTasks = createProcReader('/proc/loadavg', 3);

/**
 * Whether every core of the host has something to run beside the calling thread: threads that copy would take it away from
 * somebody. Never where the platform doesn't tell, which Linux alone does. About 5 µs a call.
 */
export function isCpuSaturated(): boolean {
  return runnableTasks() - 1 >= availableParallelism();
}
