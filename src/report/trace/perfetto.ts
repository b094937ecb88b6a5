import { RECORD, RECORD_FIELDS, type TakenRecords, type TraceTrack } from 'mtcopy';
import { MessageBuffer, type MessageWriter } from './protobuf.js';

/*
 * Records as a trace of Perfetto: a message Trace, of which each packet is a track's description or an event. Numbers of fields
 * and enumerations are those of github.com/google/perfetto, protos/perfetto/trace/: trace.proto, trace_packet.proto,
 * interned_data/interned_data.proto, and track_event/'s track_event.proto, track_descriptor.proto, counter_descriptor.proto
 * and debug_annotation.proto.
 */

/** Fields, by message. */
const TRACE = { packet: 1 } as const;
const PACKET = {
  timestamp: 8,
  trustedPacketSequenceId: 10,
  trackEvent: 11,
  internedData: 12,
  sequenceFlags: 13,
  trackDescriptor: 60,
} as const;
const DESCRIPTOR = { uuid: 1, name: 2, parentUuid: 5, counter: 8, childOrdering: 11, siblingOrderRank: 12 } as const;
const COUNTER = { unit: 3 } as const;
const EVENT = { debugAnnotations: 4, type: 9, nameIid: 10, trackUuid: 11, counterValue: 30 } as const;
const ANNOTATION = { nameIid: 1, intValue: 4, doubleValue: 5, stringValue: 6 } as const;
const INTERNED = { eventNames: 2, debugAnnotationNames: 3 } as const;
const INTERNED_NAME = { iid: 1, name: 2 } as const;

/** TrackEvent.Type */
const TYPE = { sliceBegin: 1, sliceEnd: 2, instant: 3, counter: 4 } as const;
/** TrackDescriptor.ChildTracksOrdering: by their ranks. */
const EXPLICIT = 3;
/** CounterDescriptor.Unit */
const UNIT_SIZE_BYTES = 3;
/** TracePacket.SequenceFlags: names begin anew here; the packet needs names that came before. */
const INCREMENTAL_STATE_CLEARED = 1;
const NEEDS_INCREMENTAL_STATE = 2;

/** All packets are of one sequence, which is the scope of interned names. */
const SEQUENCE = 1;
/** The track that all others are below. */
const ROOT = 1;
/** Uuids of tracks, by their numbers. */
const uuidOf = (track: number) => ROOT + track;

/** What the next event of a track has beside its name. */
interface Annotation {
  readonly name: number;
  readonly value: number | string;
}

/** A track, as far as it is written. */
interface OpenTrack {
  /** Slices that have begun and not ended. */
  depth: number;
  /** Nanoseconds of its last event: none is earlier. */
  lastNs: number;
  annotations: Annotation[];
}

/** Makes packets of records, as they come. */
export interface PerfettoEncoder {
  /** @returns the bytes to be appended to the file, whole packets; good until the next call */
  encode(records: TakenRecords): Uint8Array;
  /** Ends the slices that are still open. */
  finish(): Uint8Array;
}

/** @param title of the track that all others are below */
export function createPerfettoEncoder(title: string): PerfettoEncoder {
  const out = new MessageBuffer(64 * 1024);
  const tracks = new Map<number, OpenTrack>();
  const names = { [INTERNED.eventNames]: new Set<number>(), [INTERNED.debugAnnotationNames]: new Set<number>() };
  let isBegun = false;
  let latestNs = 0;

  const packet = (flags: number, write: (writer: MessageWriter) => void) =>
    out.message(TRACE.packet, (writer) => {
      writer.number(PACKET.trustedPacketSequenceId, SEQUENCE);
      if (flags !== 0) writer.number(PACKET.sequenceFlags, flags);
      write(writer);
    });

  function beginTrace(): void {
    if (isBegun) return;
    isBegun = true;
    packet(INCREMENTAL_STATE_CLEARED, (writer) =>
      writer.message(PACKET.trackDescriptor, (descriptor) => {
        descriptor.number(DESCRIPTOR.uuid, ROOT);
        descriptor.text(DESCRIPTOR.name, title);
        descriptor.number(DESCRIPTOR.childOrdering, EXPLICIT);
      }),
    );
  }

  function describe({ id, name, rank, isCounter }: TraceTrack): void {
    packet(0, (writer) =>
      writer.message(PACKET.trackDescriptor, (descriptor) => {
        descriptor.number(DESCRIPTOR.uuid, uuidOf(id));
        descriptor.number(DESCRIPTOR.parentUuid, ROOT);
        descriptor.text(DESCRIPTOR.name, name);
        descriptor.number(DESCRIPTOR.siblingOrderRank, rank);
        if (isCounter)
          descriptor.message(DESCRIPTOR.counter, (counter) => counter.number(COUNTER.unit, UNIT_SIZE_BYTES));
      }),
    );
  }

  function open(id: number, all: readonly TraceTrack[]): OpenTrack {
    const known = tracks.get(id);
    if (known) return known;
    const track: OpenTrack = { depth: 0, lastNs: 0, annotations: [] };
    tracks.set(id, track);
    describe(all.find((one) => one.id === id) as TraceTrack);
    return track;
  }

  /** Has a name written before it is used first. */
  function intern(index: keyof typeof names, name: number, all: readonly string[]): void {
    if (names[index].has(name)) return;
    names[index].add(name);
    packet(NEEDS_INCREMENTAL_STATE, (writer) =>
      writer.message(PACKET.internedData, (data) =>
        data.message(index, (entry) => {
          entry.number(INTERNED_NAME.iid, iidOf(name));
          entry.text(INTERNED_NAME.name, all[name]);
        }),
      ),
    );
  }

  function event(id: number, type: number, ns: number, annotations: readonly Annotation[], name: number): void {
    packet(NEEDS_INCREMENTAL_STATE, (writer) => {
      writer.number(PACKET.timestamp, ns);
      writer.message(PACKET.trackEvent, (one) => {
        one.number(EVENT.type, type);
        one.number(EVENT.trackUuid, uuidOf(id));
        if (name >= 0) one.number(EVENT.nameIid, iidOf(name));
        for (const annotation of annotations)
          one.message(EVENT.debugAnnotations, (writer) => annotate(writer, annotation));
      });
    });
  }

  function count(id: number, ns: number, value: number): void {
    packet(NEEDS_INCREMENTAL_STATE, (writer) => {
      writer.number(PACKET.timestamp, ns);
      writer.message(PACKET.trackEvent, (one) => {
        one.number(EVENT.type, TYPE.counter);
        one.number(EVENT.trackUuid, uuidOf(id));
        one.number(EVENT.counterValue, value);
      });
    });
  }

  /** Ends slices of a track until no more than `level` are open. */
  function endDownTo(id: number, track: OpenTrack, level: number, ns: number): void {
    for (; track.depth > level; track.depth--) event(id, TYPE.sliceEnd, ns, [], -1);
  }

  function begin(
    id: number,
    track: OpenTrack,
    ns: number,
    annotations: readonly Annotation[],
    name: number,
    level: number,
  ) {
    endDownTo(id, track, level, ns);
    track.depth++;
    event(id, TYPE.sliceBegin, ns, annotations, name);
  }

  /** Ends the slice begun last; one that began before the trace did is not in it. */
  function end(id: number, track: OpenTrack, ns: number, annotations: readonly Annotation[]): void {
    if (track.depth === 0) return;
    track.depth--;
    event(id, TYPE.sliceEnd, ns, annotations, -1);
  }

  function take(chunk: Float64Array, at: number, { names: all, tracks: described }: TakenRecords): void {
    const kind = chunk[at];
    const id = chunk[at + 1];
    const a = chunk[at + 2];
    const b = chunk[at + 3];
    const track = open(id, described);
    if (kind === RECORD.number || kind === RECORD.text) {
      intern(INTERNED.debugAnnotationNames, a, all);
      track.annotations.push({ name: a, value: kind === RECORD.number ? b : all[b] });
      return;
    }
    // No event is earlier than the one before it on its track, whatever the rounding of two clocks has made of it.
    const ns = Math.max(track.lastNs, Math.round(b * 1e6));
    track.lastNs = ns;
    latestNs = Math.max(latestNs, ns);
    const { annotations } = track;
    if (annotations.length > 0) track.annotations = [];
    if (kind === RECORD.begin || kind === RECORD.instant) intern(INTERNED.eventNames, a, all);
    if (kind === RECORD.count) count(id, ns, a);
    else if (kind === RECORD.end) end(id, track, ns, annotations);
    else if (kind === RECORD.instant) event(id, TYPE.instant, ns, annotations, a);
    else begin(id, track, ns, annotations, a, chunk[at + 4]);
  }

  return {
    encode(records) {
      beginTrace();
      for (const chunk of records.chunks) {
        for (let at = 0; at < chunk.length; at += RECORD_FIELDS) take(chunk, at, records);
      }
      return out.take();
    },
    finish() {
      beginTrace();
      for (const [id, track] of tracks) endDownTo(id, track, 0, latestNs);
      return out.take();
    },
  };
}

/** Number of an interned name: from 1. */
function iidOf(name: number): number {
  return name + 1;
}

function annotate(writer: MessageWriter, { name, value }: Annotation): void {
  writer.number(ANNOTATION.nameIid, iidOf(name));
  if (typeof value === 'string') writer.text(ANNOTATION.stringValue, value);
  else if (Number.isSafeInteger(value)) writer.number(ANNOTATION.intValue, value);
  else writer.double(ANNOTATION.doubleValue, value);
}
