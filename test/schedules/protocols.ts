import { DMA_RING } from './dma-ring/protocol.js';
import { JOB_RING } from './job-ring/protocol.js';
import type { Protocol } from './protocol.js';
import { TLB_FLUSH } from './tlb-flush/protocol.js';

/** All that are there, for threads, which get a name. */
const PROTOCOLS: readonly Protocol[] = [JOB_RING, TLB_FLUSH, DMA_RING];

export function protocolOf(name: string): Protocol {
  const found = PROTOCOLS.find((protocol) => protocol.name === name);
  if (!found) throw new Error(`no protocol is called ${name}`);
  return found;
}
