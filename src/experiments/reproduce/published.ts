/*
 * Figures that the kernel series report of themselves, each with its source. Ratios to their own baselines are what this machine
 * is compared by; their absolute values belong to the machines that they were measured on.
 */
import dsaBreakdown from './published/dsa-breakdown.json' with { type: 'json' };
import cyclesPerPage from './published/rfc-v1-cycles-per-page.json' with { type: 'json' };
import overheads from './published/rfc-v3-overheads.json' with { type: 'json' };
import throughputV3 from './published/rfc-v3-throughput.json' with { type: 'json' };
import throughputV4 from './published/rfc-v4-throughput.json' with { type: 'json' };
import tlbBatching from './published/tlb-batching.json' with { type: 'json' };

export { cyclesPerPage, dsaBreakdown, overheads, throughputV3, throughputV4, tlbBatching };
