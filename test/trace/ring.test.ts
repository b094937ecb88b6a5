import { expect, it } from 'vitest';
import { startTraceFile } from '#src/report/index.js';
import { recording, startRecording } from '#src/trace/recording.js';
import {
  BEGIN,
  createRings,
  createTraceReader,
  createTraceWriter,
  END,
  INSTANT,
  INTERRUPT,
  PROGRAM,
  RING_RECORDS,
  WAIT,
} from '#src/trace/ring.js';
import { readTrace } from '../support/perfetto.js';
import { tracePlace } from '../support/traces.js';

const SETUP = () => ({ rings: createRings(2), epochMs: 0 });

it('a ring gives what was written, in its order, also once it has gone round', () => {
  const setup = SETUP();
  const writer = createTraceWriter(setup, 1);
  const reader = createTraceReader(setup.rings, 1);
  let expected = 0;
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 1000; i++) {
      writer.begin(PROGRAM, round * 1000 + i);
      writer.end(PROGRAM, 0, 0);
    }
    const dropped = reader.drain((kind, event, _, value) => {
      expect(event).toBe(PROGRAM);
      if (kind === BEGIN) expect(value).toBe(expected++);
    });
    expect(dropped).toBe(0);
  }
  expect(expected).toBe(5000);
});

it('what finds no room is counted, and a slice that is recorded has its end too', () => {
  const setup = SETUP();
  const writer = createTraceWriter(setup, 0);
  const reader = createTraceReader(setup.rings, 0);
  writer.begin(PROGRAM, 0);
  writer.begin(WAIT, 0);
  for (let i = 0; i < RING_RECORDS; i++) writer.instant(INTERRUPT);
  writer.end(WAIT, 0, 0);
  // Neither this one nor its end.
  writer.begin(WAIT, 0);
  writer.end(WAIT, 0, 0);
  writer.end(PROGRAM, 0, 0);
  const kinds: number[] = [];
  const drain = () => reader.drain((kind) => void kinds.push(kind));
  expect(drain()).toBe(4 + 1);
  expect(kinds.filter((kind) => kind === INSTANT)).toHaveLength(RING_RECORDS - 4);
  expect(kinds.filter((kind) => kind === BEGIN)).toHaveLength(2);
  expect(kinds.slice(-2)).toEqual([END, END]);
  // It goes on once there is room.
  writer.instant(INTERRUPT);
  expect(drain()).toBe(0);
  expect(kinds.at(-1)).toBe(INSTANT);
});

it('who writes after another goes on where that has stopped', () => {
  const setup = SETUP();
  const reader = createTraceReader(setup.rings, 0);
  createTraceWriter(setup, 0).begin(PROGRAM, 1);
  createTraceWriter(setup, 0).begin(PROGRAM, 2);
  const values: number[] = [];
  reader.drain((_kind, _event, _ms, value) => void values.push(value));
  expect(values).toEqual([1, 2]);
});

it('nothing is recorded any more once the reader has stopped', () => {
  const setup = SETUP();
  const writer = createTraceWriter(setup, 0);
  const reader = createTraceReader(setup.rings, 0);
  reader.stop();
  writer.begin(PROGRAM, 0);
  writer.end(PROGRAM, 0, 0);
  expect(reader.drain(() => expect.unreachable())).toBe(0);
});

it('a trace says what its threads have dropped, and where', () => {
  using place = tracePlace();
  const file = startTraceFile(place.path, 'a test');
  const threads = recording?.attach('cpu', 3);
  if (!threads) throw new Error('nothing is recorded');
  const writer = createTraceWriter(threads.setup, 2);
  for (let i = 0; i < RING_RECORDS + 10; i++) writer.instant(INTERRUPT);
  recording?.drain();
  writer.instant(INTERRUPT);
  expect(file.stop()).toBe(10);
  const { instants } = readTrace(place.path);
  expect(instants).toHaveLength(RING_RECORDS + 2);
  expect(instants.at(-2)).toEqual({
    name: 'records dropped: the ring was full',
    track: 'CPU 2',
    says: { records: 10 },
  });
});

it('a slice that nothing has ended ends where the next one of its level begins, and at the end of the trace', () => {
  using place = tracePlace();
  const file = startTraceFile(place.path, 'a test');
  const threads = recording?.attach('cpu', 1);
  if (!threads) throw new Error('nothing is recorded');
  // A thread that was ended in the middle of a wait, and the one after it.
  const lost = createTraceWriter(threads.setup, 0);
  lost.begin(PROGRAM, 0);
  lost.begin(WAIT, 0);
  createTraceWriter(threads.setup, 0).begin(PROGRAM, 0);
  file.stop();
  const { slices, open } = readTrace(place.path);
  expect(open).toBe(0);
  expect(slices.map(({ name, parent }) => [name, parent?.name])).toEqual([
    ['program', undefined],
    ['wait for migration', 'program'],
    ['program', undefined],
  ]);
});

it('one thread has one recording at a time', () => {
  const first = startRecording();
  expect(() => startRecording()).toThrow('EBUSY');
  first.stop();
  startRecording().stop();
  expect(recording).toBeUndefined();
});
