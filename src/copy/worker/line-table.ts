import { SLOTS } from './job-ring.js';

/*
 * The layout of the tables that say where in this process the buffers of a job are: one for each slot, in memory that no
 * program can write to. native/line.h reads it.
 */

/** Buffers of one table. */
export const MAX_PLACES = 4096;
/** Words: the number of places, 0 while the table is closed; and how many threads use it. */
export const COUNT = 0;
export const USERS = 1;
/** Bytes before the places. */
export const HEADER_BYTES = 64;
/** A place, in doubles: the first byte's address on the line, the size, the address in this process. */
export const PLACE_WORDS = 3;

const TABLE_BYTES = HEADER_BYTES + MAX_PLACES * PLACE_WORDS * 8;

/** Bytes of all tables: those of the ring's slots, and that of the caller's own. */
export const TABLES_BYTES = (SLOTS + 1) * TABLE_BYTES;

/** Where the table of a slot begins. */
export function tableAt(slot: number): number {
  return slot * TABLE_BYTES;
}
