import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { expect } from 'vitest';

/*
 * Reads traces as Perfetto does, by its rules. Messages, names and numbers of fields are those of github.com/google/perfetto,
 * protos/perfetto/trace/; a field that is not here is none that is written.
 */
const SCHEMA = `
syntax = "proto2";
message Trace { repeated TracePacket packet = 1; }
message TracePacket {
  optional uint64 timestamp = 8;
  optional uint32 trusted_packet_sequence_id = 10;
  optional TrackEvent track_event = 11;
  optional InternedData interned_data = 12;
  optional uint32 sequence_flags = 13;
  optional TrackDescriptor track_descriptor = 60;
}
message InternedData { repeated Name event_names = 2; repeated Name debug_annotation_names = 3; }
message Name { optional uint64 iid = 1; optional string name = 2; }
message TrackDescriptor {
  optional uint64 uuid = 1;
  optional string name = 2;
  optional uint64 parent_uuid = 5;
  optional CounterDescriptor counter = 8;
  optional uint32 child_ordering = 11;
  optional int32 sibling_order_rank = 12;
}
message CounterDescriptor { optional uint32 unit = 3; }
message TrackEvent {
  repeated DebugAnnotation debug_annotations = 4;
  optional uint32 type = 9;
  optional uint64 name_iid = 10;
  optional uint64 track_uuid = 11;
  optional int64 counter_value = 30;
}
message DebugAnnotation { optional uint64 name_iid = 1; optional int64 int_value = 4; optional double double_value = 5; optional string string_value = 6; }
`;
const Trace = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType('Trace');
const [SLICE_BEGIN, SLICE_END, INSTANT, COUNTER] = [1, 2, 3, 4];

interface Packet {
  timestamp?: number;
  trusted_packet_sequence_id: number;
  sequence_flags?: number;
  interned_data?: { event_names?: Name[]; debug_annotation_names?: Name[] };
  track_descriptor?: { uuid: number; name: string; parent_uuid?: number; counter?: object };
  track_event?: {
    type: number;
    track_uuid: number;
    name_iid?: number;
    counter_value?: number;
    debug_annotations?: { name_iid: number; int_value?: number; double_value?: number; string_value?: string }[];
  };
}
interface Name {
  iid: number;
  name: string;
}

/** A slice, with what is said of its begin and its end. Times in nanoseconds. */
export interface ReadSlice {
  readonly name: string;
  readonly track: string;
  readonly begin: number;
  end: number;
  /** The slice that it lies in. */
  readonly parent: ReadSlice | undefined;
  readonly says: Record<string, number | string>;
}

export interface ReadTrace {
  /** Names of all tracks but the one that they are below. */
  readonly tracks: string[];
  readonly slices: ReadSlice[];
  readonly instants: {
    readonly name: string;
    readonly track: string;
    readonly says: Record<string, number | string>;
  }[];
  /** Values of each counter, by its track's name. */
  readonly counters: Map<string, number[]>;
  /** Slices that nothing has ended: none, but of a process that was killed. */
  readonly open: number;
}

/**
 * Reads a trace, and expects it to follow the rules: no field but those of the schema; each track described, with a name, before
 * its first event; names interned before they are used; on each track no event earlier than the one before, and no slice that
 * ends but one that began.
 */
export function readTrace(path: string): ReadTrace {
  const bytes = readFileSync(path);
  const decoded = Trace.decode(bytes);
  const { packet: packets } = Trace.toObject(decoded, { longs: Number }) as { packet: Packet[] };
  expect(packets[0]?.sequence_flags).toBe(1);
  const trace = { tracks: [], slices: [], instants: [], counters: new Map() };
  const reading: Reading = { trace, names: new Map(), annotations: new Map(), tracks: new Map() };
  for (const packet of packets) readPacket(reading, packet);
  expectKnownFields(bytes, Trace);
  return { ...trace, open: [...reading.tracks.values()].reduce((sum, { open }) => sum + open.length, 0) };
}

/** Expects every field of a message, and of those in it, to be of its type: a decoder passes over others. */
function expectKnownFields(bytes: Uint8Array, { name, fieldsById }: protobuf.Type): void {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const field = fieldsById[tag >>> 3]?.resolve();
    if (!field) throw new Error(`${name} has no field ${tag >>> 3}`);
    if (field.resolvedType instanceof protobuf.Type) expectKnownFields(reader.bytes(), field.resolvedType);
    else reader.skipType(tag & 7);
  }
}

/** What was read so far. */
interface Reading {
  readonly trace: Omit<ReadTrace, 'open'>;
  readonly names: Map<number, string>;
  readonly annotations: Map<number, string>;
  readonly tracks: Map<number, ReadTrack>;
}
interface ReadTrack {
  readonly name: string;
  readonly isCounter: boolean;
  readonly open: ReadSlice[];
  last: number;
}

function readPacket(reading: Reading, packet: Packet): void {
  const { timestamp, sequence_flags, interned_data, track_descriptor, track_event, ...rest } = packet;
  expect(rest).toEqual({ trusted_packet_sequence_id: 1 });
  for (const { iid, name } of interned_data?.event_names ?? []) reading.names.set(iid, name);
  for (const { iid, name } of interned_data?.debug_annotation_names ?? []) reading.annotations.set(iid, name);
  if (track_descriptor) readDescriptor(reading, track_descriptor);
  if (!track_event) return;
  expect(sequence_flags).toBe(2);
  const track = reading.tracks.get(track_event.track_uuid);
  if (!track || timestamp === undefined) throw new Error(`no track, or no time: ${JSON.stringify(packet)}`);
  expect(timestamp).toBeGreaterThanOrEqual(track.last);
  track.last = timestamp;
  readEvent(reading, track, timestamp, track_event);
}

function readDescriptor({ trace, tracks }: Reading, descriptor: NonNullable<Packet['track_descriptor']>): void {
  const { uuid, name, parent_uuid, counter } = descriptor;
  expect(tracks.has(uuid)).toBe(false);
  expect(name).not.toBe('');
  tracks.set(uuid, { name, isCounter: counter !== undefined, open: [], last: 0 });
  if (parent_uuid === undefined) expect(tracks.size).toBe(1);
  else trace.tracks.push(name);
}

function readEvent(
  { trace, names, annotations }: Reading,
  track: ReadTrack,
  timestamp: number,
  { type, name_iid, counter_value, debug_annotations = [] }: NonNullable<Packet['track_event']>,
): void {
  expect(type === COUNTER).toBe(track.isCounter);
  const says: Record<string, number | string> = {};
  for (const { name_iid, int_value, double_value, string_value } of debug_annotations) {
    says[nameOf(annotations, name_iid)] = int_value ?? double_value ?? string_value ?? '';
  }
  if (type === SLICE_BEGIN) {
    const name = nameOf(names, name_iid);
    const slice = { name, track: track.name, begin: timestamp, end: Number.NaN, parent: track.open.at(-1), says };
    track.open.push(slice);
    trace.slices.push(slice);
  } else if (type === SLICE_END) {
    const slice = track.open.pop();
    if (!slice) throw new Error('nothing has begun that ends');
    slice.end = timestamp;
    Object.assign(slice.says, says);
  } else if (type === INSTANT) {
    trace.instants.push({ name: nameOf(names, name_iid), track: track.name, says });
  } else {
    trace.counters.set(track.name, [...(trace.counters.get(track.name) ?? []), counter_value as number]);
  }
}

function nameOf(names: ReadonlyMap<number, string>, iid: number | undefined): string {
  const name = names.get(iid ?? 0);
  if (name) return name;
  throw new Error(`a name that is not interned: ${iid}`);
}

/** The sum of what slices say under a name. */
export function sumOf(slices: readonly ReadSlice[], name: string): number {
  return slices.reduce((sum, { says }) => sum + Number(says[name] ?? 0), 0);
}
