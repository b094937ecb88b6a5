import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { startTraceFile } from '#src/report/index.js';
import { recording } from '#src/trace/recording.js';
import { MessageBuffer } from '../../../src/report/trace/protobuf.js';
import { readTrace } from '../../support/perfetto.js';
import { tracePlace } from '../../support/traces.js';

const SCHEMA = `
syntax = "proto2";
message One { optional int64 whole = 1; optional double any = 2; optional string text = 3; optional One one = 4; }
`;
const One = protobuf.parse(SCHEMA).root.lookupType('One');
const decode = (buffer: MessageBuffer) =>
  One.toObject(One.decode(buffer.take()), { longs: Number, defaults: false }) as Record<string, unknown>;

describe('a message of Protocol Buffers', () => {
  it.each([0, 1, 127, 128, 2 ** 31, 2 ** 32 + 1, 2 ** 53 - 1, -1, -128, -(2 ** 31), -(2 ** 53) + 1])(
    'has the whole number %d as it is',
    (whole) => {
      const buffer = new MessageBuffer(1);
      buffer.number(1, whole);
      expect(decode(buffer)).toEqual({ whole });
    },
  );

  it.each([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 0.5, 2 ** 53, 2 ** 64, -(2 ** 60)])(
    'has no %d as a whole number, and is what it was before',
    (value) => {
      const buffer = new MessageBuffer(1);
      buffer.number(1, 7);
      expect(() => buffer.number(1, value)).toThrow(RangeError);
      buffer.double(2, value);
      expect(decode(buffer)).toEqual({ whole: 7, any: value });
    },
  );

  it.each([100, 16_380, 16_381, 16_383, 16_384, 100_000, 3_000_000])(
    'may have a text of %d bytes, in others',
    (bytes) => {
      const buffer = new MessageBuffer(1);
      const text = 'x'.repeat(bytes);
      buffer.number(1, 1);
      buffer.message(4, (one) => {
        one.number(1, 2);
        one.message(4, (inner) => inner.text(3, text));
        one.number(1, 3);
      });
      buffer.text(3, 'behind it');
      expect(decode(buffer)).toEqual({ whole: 1, one: { whole: 3, one: { text } }, text: 'behind it' });
    },
  );
});

it('a trace says what it was told, whatever number or name that is', () => {
  using place = tracePlace();
  const file = startTraceFile(place.path, 'a test');
  const long = 'migrator '.repeat(5000);
  const track = recording?.takeLane() ?? -1;
  const numbers = [Number.POSITIVE_INFINITY, Number.NaN, -5, 2 ** 60, 2 ** 53 - 1];
  for (const [i, value] of numbers.entries()) recording?.number(track, `n${i}`, value);
  recording?.text(track, 'text', long);
  recording?.begin(track, long, performance.now(), 0);
  recording?.end(track, performance.now());
  expect(file.stop()).toBe(0);
  const { slices, open } = readTrace(place.path);
  expect(open).toBe(0);
  expect(slices.map(({ name }) => name)).toEqual([long]);
  expect(slices[0]?.says).toEqual({
    ...{ n0: Number.POSITIVE_INFINITY, n1: Number.NaN, n2: -5, n3: 2 ** 60, n4: 2 ** 53 - 1 },
    text: long,
  });
});
