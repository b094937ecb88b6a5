import { ERRNO } from '../../errno.js';
import type { PoisonMap } from '../../memory/poison-map.js';
import { PAGE_SIZE } from '../../units.js';
import {
  completionRecord,
  type DescriptorRing,
  DMA_TRANS_NOERROR,
  DMA_TRANS_READ_FAILED,
  DMA_TRANS_WRITE_FAILED,
} from './ring.js';
import { IO_READ, IO_WRITE, type IommuMode, type Translate } from './translate.js';

/** Runs that an engine has room for at first. */
const FIRST_ROOM = 64;
/** One past the last address. */
const END_OF_ADDRESSES = 2 ** 32;

/** What of a descriptor is to be copied, in physical addresses: made before its first byte is, and then not looked up again. */
export interface Runs {
  count: number;
  to: Float64Array;
  from: Float64Array;
  bytes: Float64Array;
}

/** Room for one engine's descriptor at a time, which grows to the longest: no allocation a descriptor. Bytes and addresses in bytes. */
export function createRuns(): Runs {
  const room = () => new Float64Array(FIRST_ROOM);
  return { count: 0, to: room(), from: room(), bytes: room() };
}

function addRun(runs: Runs, to: number, from: number, bytes: number): void {
  const last = runs.count - 1;
  if (last >= 0 && runs.to[last] + runs.bytes[last] === to && runs.from[last] + runs.bytes[last] === from) {
    runs.bytes[last] += bytes;
    return;
  }
  if (runs.count === runs.to.length) grow(runs);
  runs.to[runs.count] = to;
  runs.from[runs.count] = from;
  runs.bytes[runs.count++] = bytes;
}

function grow(runs: Runs): void {
  for (const name of ['to', 'from', 'bytes'] as const) {
    const larger = new Float64Array(runs[name].length * 2);
    larger.set(runs[name]);
    runs[name] = larger;
  }
}

/** What finding a descriptor's runs takes. */
export interface RunFinder {
  readonly ring: DescriptorRing;
  readonly mode: IommuMode;
  readonly translate: Translate;
  readonly poison: PoisonMap;
}

/**
 * Translates a whole descriptor, page by page, and looks for poisoned frames. Returns the completion record that it would
 * have: any but that of no error says that no byte of it may be copied.
 */
export function findRuns(finder: RunFinder, slot: number, runs: Runs, unmapped: boolean): number {
  const { ring } = finder;
  runs.count = 0;
  for (let i = 0; i < ring.count[slot]; i++) {
    const place = (ring.first[slot] + i) & (ring.segments - 1);
    // What is mapped for nobody: the frame at 0 is reserved, and no range of I/O addresses has its page.
    const from = unmapped ? 0 : ring.from[place];
    const record = addSegment(finder, ring.to[place], from, ring.bytes[place], runs);
    if (record !== 0) return record;
  }
  for (let i = 0; i < runs.count; i++) {
    if (finder.poison.touches(runs.from[i], runs.bytes[i])) {
      return completionRecord(DMA_TRANS_READ_FAILED, ERRNO.EHWPOISON);
    }
  }
  return completionRecord(DMA_TRANS_NOERROR, 0);
}

/** Adds a segment's runs. Returns 0, or the record of a DMA fault. */
function addSegment({ mode, translate }: RunFinder, to: number, from: number, bytes: number, runs: Runs): number {
  if (to + bytes > END_OF_ADDRESSES) return completionRecord(DMA_TRANS_WRITE_FAILED, ERRNO.EFAULT);
  if (from + bytes > END_OF_ADDRESSES) return completionRecord(DMA_TRANS_READ_FAILED, ERRNO.EFAULT);
  for (let done = 0; done < bytes; ) {
    const target = to + done;
    const source = from + done;
    const toPageEnd = PAGE_SIZE - (target & (PAGE_SIZE - 1));
    const fromPageEnd = PAGE_SIZE - (source & (PAGE_SIZE - 1));
    const piece = Math.min(bytes - done, toPageEnd, fromPageEnd);
    const read = translate(source, IO_READ);
    if (read < 0) return completionRecord(DMA_TRANS_READ_FAILED, ERRNO.EFAULT);
    const written = translate(target, IO_WRITE);
    if (written < 0) return completionRecord(DMA_TRANS_WRITE_FAILED, ERRNO.EFAULT);
    if (mode === 'translated') addRun(runs, written, read, piece);
    done += piece;
  }
  if (mode !== 'translated') addRun(runs, to, from, bytes);
  return 0;
}
