import { pathToFileURL } from 'node:url';
import type { CopyEngine, CopyItems, CopyPair, CopyResult, PhysicalMemory } from 'mtcopy';
import { DESCRIPTOR_WORDS } from '../../../src/copy/batch/plan.js';
import {
  ATTACHED,
  CLOSED,
  DONE,
  DOORBELL,
  type JobRing,
  ringDoorbell,
  type Slot,
  workerInbox,
  workerState,
} from '../../../src/copy/worker/job-ring.js';
import {
  ACTIVE,
  ASLEEP,
  type Control,
  DYING,
  EXPECTED,
  FIXED,
  GO,
  LAST,
  MAX_THREADS,
  OUT,
  of,
  READY,
  STATE,
} from '../control.js';
import { type EventLoop, turn } from '../event-loop.js';
import type { Backstage, Stage } from '../protocol.js';
import { Wrong } from '../scenario.js';
import { RING } from './protocol.js';
import type { RingScenario, World } from './scenario.js';
import { OWNERS, SLOT_0, SLOT_WORDS, USED_SLOTS, USED_WORKERS } from './words.js';

/** Bytes of an item: two of them are more than a unit of 64 KiB may have. */
const ITEM_BYTES = 33 * 1024;
/** Neighbours don't touch, so they are not merged. */
const STRIDE = ITEM_BYTES + 64;
const MOST_UNITS = 16;
const FOREIGN_BYTES = 64;
/** What a closed engine's ring is filled with. */
const UNTOUCHED = 0x5a5a5a5a;

/** Atomics' own: they don't come into a schedule. */
const { notify, load } = Atomics;

/** Makes the engine of a scenario: one whose threads can be scheduled, and back. */
export async function setStage(
  { control, regions, races, scheduler, loop, dist }: Backstage,
  { options, slots = 1, run }: RingScenario,
): Promise<Stage> {
  const { words, numbers } = control;
  const fromDist = (path: string) => import(new URL(path, pathToFileURL(`${dist}/`)).href);
  const mtcopy: typeof import('mtcopy') = await fromDist('index.js');
  const { openRing }: { openRing(buffer: SharedArrayBuffer, address: number): JobRing } =
    await fromDist('copy/worker/job-ring.js');
  const { ThreadPool } = await fromDist('threads/pool.js');
  loop.schedulePools(ThreadPool.prototype);
  memory ??= mtcopy.PhysicalMemory.create({ nodes: ['16M'] });
  const [engine, free] = await withFreeSlots<CopyEngine>(() =>
    mtcopy.CopyEngine.create({ memory, minParallelBytes: 0, ...options }),
  );
  const slotsInOrder = free.slice();
  const ring = openRing(engine.memory.buffer, RING);
  // Ours, which no access to is the caller's.
  const plain = races.plain(ring.words);
  regions.describe([{ buffer: engine.memory.buffer, address: plain.byteOffset, words: plain.length }]);
  describeRing(control, ring, options.threads, slots);
  const workers = Array.from({ length: options.threads }, (_, index) => index);

  const world = createWorld(engine, loop, plain, slots === 1 ? ring.slots[0] : undefined);

  return {
    run: () => run(world),
    async enter() {
      for (const worker of workers) {
        if (plain[workerState(worker)] !== ATTACHED) throw new Error(`worker ${worker} takes no jobs`);
        words[of(worker + 1, STATE)] = OUT;
        words[of(worker + 1, GO)] = 0;
        numbers[plain[workerInbox(worker)]] = worker + 2;
      }
      words[ACTIVE] = 1;
      const hasCome = (worker: number) => load(words, of(worker + 1, STATE)) === READY;
      while (!workers.every(hasCome)) {
        notify(plain, 0);
        await turn();
      }
      // What the event loop still has of their start, as the waits for it, is no part of the first schedule.
      for (let turns = 0; turns < LAST_TURNS; turns++) await turn();
    },
    reset() {
      free.splice(0, free.length, ...slotsInOrder);
      world.clear();
    },
    strike() {
      words[ACTIVE] = 0;
      for (let thread = 0; thread < MAX_THREADS; thread++) words[of(thread, STATE)] = OUT;
      world.free();
      if (plain.some((word) => word !== UNTOUCHED))
        throw new Wrong('the ring is written to after the engine was closed');
    },
    lookAll() {
      const isBehind = (worker: number) => words[of(worker + 1, EXPECTED)] !== plain[DOORBELL];
      if (!workers.some(isBehind)) return;
      words[FIXED] = 1;
      ringDoorbell(ring, MAX_THREADS);
      scheduler.yieldAs(LAST);
      words[FIXED] = 0;
    },
    checkRest() {
      for (const worker of workers) {
        if (words[of(worker + 1, STATE)] !== ASLEEP) throw new Wrong(`worker ${worker} is not asleep at the end`);
      }
      if (free.length !== slotsInOrder.length) throw new Wrong(`${free.length} slots are free at the end`);
      for (const slot of ring.slots.slice(0, slots)) {
        for (let unit = 0; unit < MOST_UNITS; unit++) {
          const owner = plain[slot.owners + unit];
          // What a thread that died had still to close is closed by nobody, if its job was over without that.
          if (owner !== CLOSED && owner !== words[DYING])
            throw new Wrong(`slot ${slot.number}: unit ${unit} has owner ${owner} at the end`);
        }
        if (plain[slot.base + DONE] < 0) throw new Wrong(`slot ${slot.number}: DONE is below 0`);
      }
    },
  };
}

/** Turns of the event loop after which nothing is left of the start. */
const LAST_TURNS = 50;
/** One engine after the other has its ring there. */
let memory: PhysicalMemory | undefined;

function describeRing({ words }: Control, ring: JobRing, workers: number, slots: number): void {
  words[SLOT_0] = ring.slots[0].base;
  words[SLOT_WORDS] = ring.slots[1].base - ring.slots[0].base;
  words[OWNERS] = ring.slots[0].owners - ring.slots[0].base;
  words[USED_SLOTS] = slots;
  words[USED_WORKERS] = workers;
}

/** Makes an engine, with the list of its free slots: their order is a part of what a schedule begins with. */
async function withFreeSlots<T>(make: () => Promise<T>): Promise<[T, Slot[]]> {
  const { reverse } = Array.prototype;
  let free: Slot[] = [];
  Object.defineProperty(Array.prototype, 'reverse', {
    configurable: true,
    writable: true,
    value: function reversed(this: unknown[]) {
      const list = reverse.call(this);
      if (list.length > 1 && Object.hasOwn(Object(list[0]), 'descriptorsAddress')) free = list as Slot[];
      return list;
    },
  });
  try {
    return [await make(), free];
  } finally {
    Object.defineProperty(Array.prototype, 'reverse', { configurable: true, writable: true, value: reverse });
  }
}

function foreignPair(): CopyPair {
  const buffer = new SharedArrayBuffer(2 * FOREIGN_BYTES);
  const [to, from] = [new Uint8Array(buffer, 0, FOREIGN_BYTES), new Uint8Array(buffer, FOREIGN_BYTES)];
  from.fill(7);
  return { to, from };
}

/** @param slot the only one that the scenario has; `undefined` if it has several */
function createWorld(
  engine: CopyEngine,
  loop: EventLoop,
  ring: Int32Array,
  slot: Slot | undefined,
): World & { clear(): void; free(): void } {
  const [to, from] = [engine.allocate(MOST_UNITS * STRIDE), engine.allocate(MOST_UNITS * STRIDE)];
  for (let i = 0; i < from.length; i++) from[i] = (Math.imul(i, 0x9e3779b1) >>> 24) | 1;
  const bytesAt = (view: Uint8Array, item: number) =>
    Buffer.from(view.buffer as unknown as ArrayBuffer, view.byteOffset + item * STRIDE, ITEM_BYTES);
  const itemOf = (address: number) => (address - to.byteOffset) / STRIDE;
  let used = 0;
  const world = {
    engine,
    batch(units: number): CopyItems {
      if (used + units > MOST_UNITS) throw new Error(`more than ${MOST_UNITS} units`);
      const first = used;
      used += units;
      const at = (view: Uint8Array) =>
        Uint32Array.from({ length: units }, (_, i) => view.byteOffset + (first + i) * STRIDE);
      return { to: at(to), from: at(from), bytes: new Uint32Array(units).fill(ITEM_BYTES) };
    },
    check(items: CopyItems, { bytes, failed }: { bytes: number; failed: readonly { index: number }[] }) {
      const expected = items.bytes.length * ITEM_BYTES;
      if (failed.length > 0 || bytes !== expected) {
        throw new Wrong(`${bytes} of ${expected} bytes are said to be copied, ${failed.length} items failed`);
      }
      world.checkCopied(items, failed);
      // What orders a unit's progress before this orders its bytes, which come before it.
      for (let word = 0; word < items.bytes.length * DESCRIPTOR_WORDS; word++) void slot?.narrow.descriptors[word];
    },
    checkCopied(items: CopyItems, failed: readonly { index: number }[]) {
      const missing = new Set(failed.map(({ index }) => index));
      for (let i = 0; i < items.to.length; i++) {
        const item = itemOf(items.to[i]);
        if (!missing.has(i) && !bytesAt(to, item).equals(bytesAt(from, item)))
          throw new Wrong(`item ${i} is not copied`);
      }
    },
    foreign: (items: number) => Array.from({ length: items }, foreignPair),
    checkForeign(pairs: readonly CopyPair[], { failed }: CopyResult) {
      if (failed.length > 0) throw new Wrong(`${failed.length} items failed`);
      const isCopied = ({ to, from }: CopyPair) =>
        (to as Uint8Array).every((byte, i) => byte === (from as Uint8Array)[i]);
      if (!pairs.every(isCopied)) throw new Wrong('an item in foreign memory is not copied');
    },
    later: (action: () => void) =>
      new Promise<void>((resolve) => {
        setImmediate(() => {
          action();
          resolve();
        });
      }),
    rest: () => loop.fireTimers(),
    afterClose: () => void ring.fill(UNTOUCHED),
    free() {
      engine.free(to);
      engine.free(from);
    },
    clear() {
      to.fill(0, 0, used * STRIDE);
      used = 0;
    },
  };
  return world;
}
