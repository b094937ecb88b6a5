import type { PlacedBuffer } from './batch/line.js';
import { COUNT, HEADER_BYTES, MAX_PLACES, PLACE_WORDS, TABLES_BYTES, tableAt, USERS } from './worker/line-table.js';
import type { NativeWalker } from './worker/native-walker.js';

/** A buffer's own length. Its property may be a program's: whatever that says, the loop in C would believe it. */
const lengthOf = Object.getOwnPropertyDescriptor(SharedArrayBuffer.prototype, 'byteLength')?.get as () => number;
const bytesOf = (buffer: SharedArrayBuffer): number => Reflect.apply(lengthOf, buffer, []);

/** The caller's side of the tables that tell the walker in C where the buffers of a job are. */
export interface LineTables {
  /** All tables: private to an engine and its threads, for what is in them is read and written without a question. */
  readonly area: SharedArrayBuffer;
  /** Whether a table has room for a batch's buffers. */
  holds(foreign: readonly PlacedBuffer[]): boolean;
  /** Opens the closed table of a slot, and keeps its buffers alive until {@link close}. */
  open(slot: number, foreign: readonly PlacedBuffer[]): void;
  /** Closes the table of a slot, if it is open; from then on its buffers may be anything again. */
  close(slot: number): void;
}

/** Tables for an engine's memory, and whatever else its jobs reach. */
export function createLineTables(memory: SharedArrayBuffer, { addressOf }: NativeWalker): LineTables {
  const area = new SharedArrayBuffer(TABLES_BYTES);
  const doubles = new Float64Array(area);
  const words = new Int32Array(area);
  // Of its first byte, for a view can't be as long as every buffer. Nothing is copied from or to one without any.
  const addressOfBuffer = (buffer: SharedArrayBuffer, bytes: number) =>
    bytes === 0 ? 0 : addressOf(new Uint8Array(buffer, 0, 1));
  const own: PlacedBuffer = { base: 0, buffer: memory };
  // An address keeps nothing alive.
  const held: (readonly PlacedBuffer[] | undefined)[] = [];
  return {
    area,
    holds: (foreign) => foreign.length < MAX_PLACES,
    open(slot, foreign) {
      held[slot] = foreign;
      let place = (tableAt(slot) + HEADER_BYTES) / 8;
      for (const { base, buffer } of [own, ...foreign]) {
        const bytes = bytesOf(buffer);
        doubles[place] = base;
        doubles[place + 1] = bytes;
        doubles[place + 2] = addressOfBuffer(buffer, bytes);
        place += PLACE_WORDS;
      }
      // Release: who finds it open finds the places.
      Atomics.store(words, tableAt(slot) / 4 + COUNT, foreign.length + 1);
    },
    close(slot) {
      if (!held[slot]) return;
      const header = tableAt(slot) / 4;
      // Before the look at the users, who count themselves before they look at this: one of the two sees the other. Every
      // unit is closed by now; only a program that has written to the ring can have sent somebody here.
      Atomics.store(words, header + COUNT, 0);
      while (Atomics.load(words, header + USERS) !== 0);
      held[slot] = undefined;
    },
  };
}
