import { CopyAbortError, CopyEngine, type CopyItems, KiB } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { MANNERS } from '../../support/manners.js';

/** Time for each way of sharing work, in milliseconds. */
const STRESS_MS = process.env.MTCOPY_SOAK_SECONDS ? Number(process.env.MTCOPY_SOAK_SECONDS) * 250 : 600;
/** More calls in flight than the ring has slots. */
const LANES = 12;
const LANE_WORDS = 4 * KiB;

interface Lane {
  readonly to: Int32Array;
  readonly from: Int32Array;
}

/** Writes new source words and clears the destination; the items are a few words each, with gaps of a word. */
function prepare({ to, from }: Lane, job: number): CopyItems {
  const count = 1 + (job % 6);
  const items = { to: new Uint32Array(count), from: new Uint32Array(count), bytes: new Uint32Array(count) };
  let word = job % 5;
  for (let i = 0; i < count; i++) {
    const words = 1 + ((job * 7 + i * 13) % 40);
    for (let w = word; w < word + words; w++) from[w] = Math.imul(job, 0x9e3779b1) + w;
    items.to[i] = to.byteOffset + word * 4;
    items.from[i] = from.byteOffset + word * 4;
    items.bytes[i] = words * 4;
    word += words + 1;
  }
  to.fill(-1, 0, word + 1);
  return items;
}

/** Words of the lane that are not as they should be, of items and between them; counts those it looked at. */
function wrongWords({ to, from }: Lane, items: CopyItems, seen: { words: number }): number {
  const expected = new Int32Array(300).fill(-1);
  let end = 0;
  for (let i = 0; i < items.to.length; i++) {
    const word = (items.to[i] - to.byteOffset) / 4;
    end = word + items.bytes[i] / 4;
    for (let w = word; w < end; w++) expected[w] = from[w];
  }
  let wrong = 0;
  for (let w = 0; w <= end; w++) if (to[w] !== expected[w]) wrong++;
  seen.words += end + 1;
  return wrong;
}

describe('the ring', () => {
  it.each(MANNERS)(
    '$schedule, $caller: tiny jobs in slots that are used over and over',
    async (manner) => {
      await using engine = await CopyEngine.create({ ...manner, threads: 4, memory: '16M', minParallelBytes: 0 });
      const lanes = Array.from({ length: LANES + 1 }, (): Lane => {
        const [to, from] = [engine.allocate(LANE_WORDS * 4), engine.allocate(LANE_WORDS * 4)];
        return {
          to: new Int32Array(to.buffer, to.byteOffset, LANE_WORDS),
          from: new Int32Array(from.buffer, from.byteOffset, LANE_WORDS),
        };
      });
      const until = performance.now() + STRESS_MS;
      const seen = { words: 0 };
      let jobs = 0;
      let blocking = 0;
      let aborted = 0;
      let wrong = 0;
      const syncLane = lanes.pop() as Lane;
      const runLane = async (lane: Lane, number: number) => {
        for (let job = number; performance.now() < until; job += LANES) {
          const items = prepare(lane, job);
          const controller = job % 31 === 0 ? new AbortController() : undefined;
          const copying = engine.copyBatch(items, { signal: controller?.signal });
          controller?.abort();
          const outcome = await copying.catch((error: unknown) => error);
          jobs++;
          if (outcome instanceof CopyAbortError) aborted++;
          else wrong += wrongWords(lane, items, seen) + (outcome as { failed: [] }).failed.length;
          if (job % 53 === 0) {
            const items = prepare(syncLane, job);
            wrong += engine.copyBatchSync(items).failed.length + wrongWords(syncLane, items, seen);
            blocking++;
          }
          if (job % 997 === 0) engine.threads = 2 + (jobs % 3);
        }
      };
      await Promise.all(lanes.map(runLane));
      console.info(
        `${manner.schedule}, ${manner.caller}: ${jobs} jobs in flight, ${aborted} of them aborted, ` +
          `${blocking} blocking ones; ${seen.words} words looked at`,
      );
      expect(wrong).toBe(0);
      expect(jobs).toBeGreaterThan(LANES);
      expect(aborted).toBeGreaterThan(0);
      expect(blocking).toBeGreaterThan(0);
    },
    STRESS_MS + 30_000,
  );
});
