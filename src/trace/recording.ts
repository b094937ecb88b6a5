import { ErrnoError } from '../errno.js';
import { clockOffset, monotonicMs } from './clock.js';
import {
  BEGIN,
  createRings,
  createTraceReader,
  END,
  EVENTS,
  INSTANT,
  type TakeRecord,
  type TraceReader,
  type TraceSetup,
  type TraceWriter,
} from './ring.js';

/** What a record of a {@link TakenRecords} is; the first three are the rings' kinds. */
export const RECORD = {
  begin: BEGIN,
  end: END,
  instant: INSTANT,
  /** A counter has a new value. */
  count: 3,
  /** A number, or a text, that the next slice's begin or end, or the next instant, has beside its name. */
  number: 4,
  text: 5,
} as const;

/** Doubles of a record: kind, track, and what stands in {@link TakenRecords}. */
export const RECORD_FIELDS = 5;
/** Records of a chunk. */
const CHUNK_RECORDS = 8192;
/** Chunks that are kept until somebody has to take them: 2.6 MB. */
const MOST_CHUNKS = 8;

/** One line of a trace: a thread, a part of a migration, or a counter. */
export interface TraceTrack {
  /** Unlike that of any other of this thread. */
  readonly id: number;
  /** Several may have one: a thread of each engine. */
  readonly name: string;
  /** Where it stands among the others: the lowest first. */
  readonly rank: number;
  /** Whether it counts bytes; it has slices and instants otherwise. */
  readonly isCounter: boolean;
}

/** What was recorded. */
export interface TakenRecords {
  /**
   * Chunks of {@link RECORD_FIELDS} doubles a record, the first being its kind and the second its track: `begin`, with a name, milliseconds
   * and a level; `end`, with 0 and milliseconds; `instant`, with a name and milliseconds; `count`, with a value and
   * milliseconds; `number`, with a name and a value; `text`, with a name and another. Those of each track are in
   * the order of their times.
   */
  readonly chunks: readonly Float64Array[];
  /** All names so far, which records say by their index. */
  readonly names: readonly string[];
  /** All tracks so far. */
  readonly tracks: readonly TraceTrack[];
}

/** Ranks of tracks: the calling thread first, what it does beside itself second. */
const RANK = { caller: 0, lane: 100, bytes: 200, cpu: 300, copy: 400, dma: 500 } as const;
type Threads = 'cpu' | 'copy' | 'dma';
const THREAD_NAMES: Readonly<Record<Threads, string>> = { cpu: 'CPU', copy: 'copy thread', dma: 'DMA channel' };
/** Levels of slices on a lane's track; see {@link Recording.begin}. */
export const LEVEL = { batch: 0, phase: 1, turn: 2 } as const;
const CALLER_LEVEL = 0;
const DROPPED = 'records dropped: the ring was full';

/** Threads that record while the recording does. */
export interface TracedThreads {
  /** To be sent to them. */
  readonly setup: TraceSetup;
  /** Collects what they have recorded last: they are gone. */
  detach(): void;
}

/** Rings of some threads, and their tracks, made when there is something on them. */
interface Rings {
  readonly readers: readonly TraceReader[];
  readonly tracks: (number | undefined)[];
  readonly name: string;
  readonly rank: number;
}

/** Counters of bytes in flight. */
export type BytesOf = 'copy engines' | 'migrators';

/** Numbers of tracks: those of one recording mean nothing to the next. */
let nextTrack = 1;

/** The recording of this thread; `undefined` while it has none: to whoever could record, that is all it costs. */
export let recording: Recording | undefined;

/**
 * Begins to record what this thread, and the threads of engines and machines that it makes from now on, do.
 *
 * @param onFull is called where a program records on and on with no turn of the event loop, in which somebody would take what
 * there is: it has to. Default: all of it is kept
 * @throws ErrnoError EBUSY if it does already
 */
export function startRecording(onFull: () => void = () => {}): Recording {
  if (recording) throw new ErrnoError('EBUSY', 'this thread is being traced already: stop that trace first');
  recording = new Recording(onFull);
  return recording;
}

/**
 * What happens on the owner's thread, and what other threads have recorded of themselves, in the order in which it comes: a few
 * numbers each, which somebody else makes a file of. Times are of performance.now().
 */
export class Recording {
  readonly #epochMs = monotonicMs();
  readonly #offset = clockOffset(this.#epochMs);
  readonly #names: string[] = [];
  readonly #indices = new Map<string, number>();
  readonly #tracks: TraceTrack[] = [];
  readonly #firstTrack = nextTrack;
  readonly #threads = new Set<Rings>();
  /** Lanes that nobody has, the lowest last. */
  readonly #freeLanes: number[] = [];
  #lanes = 0;
  readonly #bytes = new Map<BytesOf, { readonly track: number; bytes: number }>();
  #chunks: Float64Array[] = [];
  #chunk = new Float64Array(CHUNK_RECORDS * RECORD_FIELDS);
  #at = 0;
  #dropped = 0;
  #isOver = false;
  /** Whether rings are being read: that has an end. */
  #isDraining = false;
  readonly #onFull: () => void;
  /** The calling thread, as one that copies. */
  readonly caller: TraceWriter;

  /** @internal */
  constructor(onFull: () => void) {
    this.#onFull = onFull;
    const track = this.#addTrack('calling thread', RANK.caller);
    const now = () => performance.now();
    this.caller = {
      begin: (event, value) => {
        const { name, says } = EVENTS[event];
        if (says.begin !== undefined) this.number(track, says.begin, value);
        this.begin(track, name, now(), CALLER_LEVEL);
      },
      end: (event, value) => {
        const { says } = EVENTS[event];
        if (says.end !== undefined) this.number(track, says.end, value);
        this.end(track, now());
      },
      instant: (event) => this.instant(track, EVENTS[event].name, now()),
    };
  }

  /** Slices and instants of other threads that are in no record, for their rings were full. */
  get dropped(): number {
    return this.#dropped;
  }

  /** A track for what is under way beside others, with slices that don't overlap; to be given back. */
  takeLane(): number {
    return this.#freeLanes.pop() ?? this.#addTrack(`migration lane ${this.#lanes++}`, RANK.lane + this.#lanes);
  }

  freeLane(track: number): void {
    if (!this.#isOwn(track)) return;
    this.#freeLanes.push(track);
    this.#freeLanes.sort((a, b) => b - a);
  }

  /**
   * A slice begins.
   *
   * @param level how many slices of its track it lies in at most: those beyond that were cut short, and end here
   */
  begin(track: number, name: string, ms: number, level: number): void {
    this.#put(RECORD.begin, track, this.#name(name), ms + this.#offset, level);
  }

  /** The slice of the track begun last ends. */
  end(track: number, ms: number): void {
    this.#put(RECORD.end, track, 0, ms + this.#offset, 0);
  }

  instant(track: number, name: string, ms: number): void {
    this.#put(RECORD.instant, track, this.#name(name), ms + this.#offset, 0);
  }

  /** What the next begin, end or instant of the track has beside its name; rounded. */
  number(track: number, name: string, value: number): void {
    this.#put(RECORD.number, track, this.#name(name), Math.round(value), 0);
  }

  text(track: number, name: string, text: string): void {
    this.#put(RECORD.text, track, this.#name(name), this.#name(text), 0);
  }

  /** So many bytes more are on their way; fewer once those have arrived that were added here, and no others. */
  addBytes(of: BytesOf, bytes: number): void {
    let counter = this.#bytes.get(of);
    if (!counter) {
      counter = { track: this.#addTrack(`bytes in flight: ${of}`, RANK.bytes, true), bytes: 0 };
      this.#bytes.set(of, counter);
    }
    counter.bytes += bytes;
    this.#put(RECORD.count, counter.track, counter.bytes, performance.now() + this.#offset, 0);
  }

  /** Rings for threads that are about to start. */
  attach(threads: Threads, count: number): TracedThreads {
    const rings = createRings(count);
    const entry: Rings = {
      readers: Array.from({ length: count }, (_, index) => createTraceReader(rings, index)),
      tracks: new Array(count).fill(undefined),
      name: THREAD_NAMES[threads],
      rank: RANK[threads],
    };
    this.#threads.add(entry);
    const detach = () => {
      this.#drainAll(entry);
      this.#threads.delete(entry);
    };
    return { setup: { rings, epochMs: this.#epochMs }, detach };
  }

  /** Collects what other threads have recorded. To be called often enough that their rings don't fill up. */
  drain(): void {
    for (const rings of this.#threads) this.#drainAll(rings);
  }

  /** What was recorded since this was asked last. */
  take(): TakenRecords {
    this.drain();
    const chunks = [...this.#chunks, this.#chunk.slice(0, this.#at)];
    this.#chunks = [];
    this.#at = 0;
    return { chunks, names: this.#names, tracks: this.#tracks };
  }

  /** Ends the recording; what is left of it can still be taken. */
  stop(): void {
    if (this.#isOver) return;
    for (const { readers } of this.#threads) for (const reader of readers) reader.stop();
    this.drain();
    this.#threads.clear();
    this.#isOver = true;
    recording = undefined;
  }

  #drainAll(rings: Rings): void {
    const { readers } = rings;
    this.#isDraining = true;
    let index = 0;
    let last = Number.NaN;
    const take: TakeRecord = (kind, event, ms, value, more) => {
      const track = this.#trackOf(rings, index);
      const { name, level, says } = EVENTS[event];
      const said = kind === BEGIN ? says.begin : kind === END ? says.end : undefined;
      if (said !== undefined) this.number(track, said, value);
      if (kind === END && says.more !== undefined) this.number(track, says.more, more);
      this.#put(kind, track, kind === END ? 0 : this.#name(name), ms, level);
      last = ms;
    };
    for (; index < readers.length; index++) {
      last = Number.NaN;
      const dropped = readers[index].drain(take);
      if (dropped > 0) this.#tellDropped(this.#trackOf(rings, index), dropped, last);
    }
    this.#isDraining = false;
  }

  /** @param last when the last record of the track was made that has come: more are behind it, so this may not be later */
  #tellDropped(track: number, dropped: number, last: number): void {
    this.#dropped += dropped;
    this.#put(RECORD.number, track, this.#name('records'), dropped, 0);
    this.#put(
      RECORD.instant,
      track,
      this.#name(DROPPED),
      Number.isNaN(last) ? performance.now() + this.#offset : last,
      0,
    );
  }

  #trackOf({ tracks, name, rank }: Rings, index: number): number {
    tracks[index] ??= this.#addTrack(`${name} ${index}`, rank + index);
    return tracks[index];
  }

  #addTrack(name: string, rank: number, isCounter = false): number {
    const id = nextTrack++;
    this.#tracks.push({ id, name, rank, isCounter });
    return id;
  }

  #isOwn(track: number): boolean {
    return track >= this.#firstTrack && !this.#isOver;
  }

  #name(name: string): number {
    const known = this.#indices.get(name);
    if (known !== undefined) return known;
    this.#indices.set(name, this.#names.length);
    return this.#names.push(name) - 1;
  }

  #put(kind: number, track: number, a: number, b: number, c: number): void {
    // What began before the recording, or ends after it.
    if (!this.#isOwn(track)) return;
    if (this.#at === this.#chunk.length) {
      this.#chunks.push(this.#chunk);
      this.#chunk = new Float64Array(CHUNK_RECORDS * RECORD_FIELDS);
      this.#at = 0;
      if (this.#chunks.length >= MOST_CHUNKS && !this.#isDraining) this.#onFull();
    }
    const chunk = this.#chunk;
    const at = this.#at;
    chunk[at] = kind;
    chunk[at + 1] = track;
    chunk[at + 2] = a;
    chunk[at + 3] = b;
    chunk[at + 4] = c;
    this.#at = at + RECORD_FIELDS;
  }
}
