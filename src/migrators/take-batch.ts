import { types } from 'node:util';
import { anything, type Checks, checkOptions, lengthOf, oneOf, yesOrNo } from '../check.js';
import { takeArrays } from '../copy/batch/items.js';
import { invalid } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { type ClearBatch, createOffloadUsage, type OffloadBatch } from '../migrate/migrator.js';

const TIMES = Object.keys(createOffloadUsage());

const BATCH: Checks<OffloadBatch> = {
  items: anything,
  copied: anything,
  usage(name, value) {
    const usage = (value ?? {}) as Record<string, unknown>;
    if (TIMES.some((time) => typeof usage[time] !== 'number')) throw invalid(name, 'must be an OffloadUsage', value);
  },
  isPrivate: yesOrNo,
  stores: oneOf(['cached', 'streaming']),
};
const PROPERTIES = Object.keys(BATCH) as (keyof OffloadBatch)[];
const CLEAR_BATCH: Checks<ClearBatch> = { items: anything, cleared: anything };
const CLEAR_PROPERTIES = Object.keys(CLEAR_BATCH) as (keyof ClearBatch)[];

/**
 * A batch that may come from anybody, each property read once.
 *
 * @param memory that its folios are in
 * @throws ErrnoError EINVAL for what is no batch, or has another address
 */
export function takeBatch(memory: PhysicalMemory, batch: OffloadBatch): OffloadBatch {
  const taken = checkOptions(batch, BATCH, PROPERTIES, 'batch');
  const items = takeArrays(taken.items);
  const { to, from, bytes } = items;
  for (let i = 0; i < bytes.length; i++) {
    checkFolio(memory, 'items.to', to[i], bytes[i]);
    checkFolio(memory, 'items.from', from[i], bytes[i]);
  }
  checkMarks('copied', taken.copied, bytes.length);
  return { ...taken, items };
}

/** As {@link takeBatch}, of one that is to be zeroed. */
export function takeClearBatch(memory: PhysicalMemory, batch: ClearBatch): ClearBatch {
  const { items, cleared } = checkOptions(batch, CLEAR_BATCH, CLEAR_PROPERTIES, 'batch');
  const { to: given, bytes: lengths } = (items ?? {}) as ClearBatch['items'];
  const { to, bytes } = takeArrays({ to: given, from: given, bytes: lengths }, "a ClearBatch's");
  for (let i = 0; i < bytes.length; i++) checkFolio(memory, 'items.to', to[i], bytes[i]);
  checkMarks('cleared', cleared, bytes.length);
  return { items: { to, bytes }, cleared };
}

function checkMarks(name: string, marks: unknown, count: number): void {
  if (types.isUint8Array(marks) && lengthOf(marks) === count) return;
  throw invalid(name, 'must be a Uint8Array, as long as the items', marks);
}

function checkFolio(memory: PhysicalMemory, name: string, address: number, bytes: number): void {
  if (bytes > 0 && memory.holds(address, bytes)) return;
  throw invalid(name, "must be bytes of a node's memory", `${bytes} from ${address}`);
}
