import { createContext, runInContext } from 'node:vm';
import fc from 'fast-check';
import { BOOM } from './faults.js';

/*
 * Values that nobody should give, but somebody may: arbitrary ones, and objects that do something when they are looked at.
 */

/** What {@link reentrant} values call; whoever tests sets it. */
export const reentry = { call: () => {} };

const realm = createContext();

function boom(): never {
  throw BOOM;
}

/** Conversions of an object to something else, each of which calls `run`. */
function converting<T>(run: () => T): object {
  return { valueOf: run, toString: run, toJSON: run, [Symbol.toPrimitive]: run };
}

/** An object of which every property is another value at each look. */
function fickle(): object {
  const values = [1, [0], 'x', undefined, -1, {}, 5n, null, new Uint8Array(4)];
  let looks = 0;
  return new Proxy({}, { get: () => values[looks++ % values.length], has: () => true });
}

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function detached(): Uint32Array {
  const array = new Uint32Array(4);
  structuredClone(0, { transfer: [array.buffer] });
  return array;
}

/** A view that has no memory any more, for its buffer has become shorter. */
function outOfBounds(): Uint8Array {
  const buffer = Reflect.construct(ArrayBuffer, [64, { maxByteLength: 128 }]) as ArrayBuffer & {
    resize(n: number): void;
  };
  const view = new Uint8Array(buffer, 32, 16);
  buffer.resize(8);
  return view;
}

function withLength(array: Uint32Array | Uint8Array, value: unknown): object {
  return Object.defineProperty(array, 'length', { value });
}

const MADE: readonly (() => unknown)[] = [
  () => () => 1,
  () => async () => 1,
  () => class {},
  () => [],
  () => [undefined],
  () => new Array(3),
  () => new Array(2 ** 32 - 1),
  () => ({}),
  () => Object.create(null),
  () => ({ length: 2 ** 53 }),
  () => new Date(Number.NaN),
  () => /x/,
  () => new Map([[1, 2]]),
  () => new Error('an error'),
  () => Promise.resolve(1),
  () => new URL('file:///no/such/module.mjs'),
  () => new String('64K'),
  () => new Number(1),
  () => Object(1n),
  () => new ArrayBuffer(8),
  () => new SharedArrayBuffer(8),
  () => new Uint8Array(8),
  () => new Uint32Array(3),
  () => new Float64Array([Number.NaN, 1]),
  () => new BigInt64Array(2),
  () => new DataView(new SharedArrayBuffer(16), 3),
  () => Buffer.from('bytes'),
  () => Reflect.construct(ArrayBuffer, [8, { maxByteLength: 16 }]),
  () => new Uint8Array(Reflect.construct(SharedArrayBuffer, [8, { maxByteLength: 16 }])),
  detached,
  outOfBounds,
  () => withLength(new Uint32Array(1), 2 ** 32),
  () => withLength(new Uint8Array(new SharedArrayBuffer(8)), -1),
  () => Object.defineProperty(new Uint8Array(new SharedArrayBuffer(8)), 'buffer', { get: boom }),
  () => Object.defineProperty(new Uint8Array(new SharedArrayBuffer(8)), 'byteLength', { value: 8n }),
  () => runInContext('new Uint8Array(new SharedArrayBuffer(8))', realm),
  () => runInContext('new Uint32Array(3)', realm),
  () => runInContext('({ node: 1 })', realm),
  () => runInContext('[1, 2, 3]', realm),
  () => converting(boom),
  () => converting(() => '64K'),
  () => converting(() => Symbol('no primitive that is a number')),
  () => converting(() => ({})),
  () => converting(() => reentry.call()),
  () => new Proxy({}, { get: boom, ownKeys: boom, has: boom, getPrototypeOf: boom }),
  () => new Proxy([], { get: boom }),
  () => new Proxy({}, { get: () => reentry.call(), has: () => true }),
  fickle,
  () => revoked({}),
  () => revoked([]),
];

const PLAIN: readonly unknown[] = [
  undefined,
  null,
  true,
  false,
  Number.NaN,
  -0,
  -1,
  0.5,
  2 ** 31,
  2 ** 32,
  2 ** 32 - 1,
  2 ** 53,
  -(2 ** 53),
  1e300,
  Number.MIN_VALUE,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  0n,
  1n,
  -1n,
  2n ** 64n,
  '',
  ' ',
  '\0',
  '\n',
  'x',
  '-1',
  '1e3',
  '0x10',
  'toString',
  '__proto__',
  'constructor',
  '../x',
  'x'.repeat(10_000),
  Symbol('hostile'),
  Symbol.iterator,
];

/** A value that is made when it is wanted: what draws them would look at it, and so at what it does when it is looked at. */
export interface Hostile {
  readonly name: string;
  readonly make: () => unknown;
}

/** Any of them, or whatever fast-check thinks of. */
export const hostile: fc.Arbitrary<Hostile> = fc.oneof(
  { weight: 4, arbitrary: fc.nat(PLAIN.length - 1).map((at) => ({ name: `plain ${at}`, make: () => PLAIN[at] })) },
  { weight: 5, arbitrary: fc.nat(MADE.length - 1).map((at) => ({ name: String(MADE[at]), make: MADE[at] })) },
  {
    weight: 1,
    arbitrary: fc
      .anything({
        maxDepth: 1,
        withBigInt: true,
        withDate: true,
        withMap: true,
        withNullPrototype: true,
        withSet: true,
        withSparseArray: true,
        withTypedArray: true,
      })
      .map((value) => ({ name: fc.stringify(value), make: () => value })),
  },
);

/** How an argument that is right is made wrong. */
export interface Spoil {
  readonly name: string;
  readonly of: (right: unknown) => unknown;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** An options object with one property that is wrong. */
function spoiled(right: Record<string, unknown>, name: string, value: unknown, how: string): object {
  if (how === 'value') return { ...right, [name]: value };
  if (how === 'unknown') return { ...right, notAnOption: value };
  if (how === 'proxy')
    return new Proxy(right, { get: (target, key) => (key === name ? value : Reflect.get(target, key)) });
  let looks = 0;
  const get = () => (how === 'later' && looks++ === 0 ? right[name] : value);
  return Object.defineProperty({ ...right }, name, { get, enumerable: true });
}

/** At once, by a getter, or only at the second look. */
const spoilOne: fc.Arbitrary<Spoil> = fc
  .record({ value: hostile, at: fc.nat(), how: fc.constantFrom('value', 'getter', 'later', 'unknown', 'proxy') })
  .map(({ value, at, how }) => ({
    name: `${how} ${at}: ${value.name}`,
    of(right) {
      if (!isRecord(right)) return value.make();
      const names = Object.keys(right);
      return spoiled(right, names[at % Math.max(1, names.length)] ?? 'x', value.make(), how);
    },
  }));

/** Leaves an argument, makes it another, or spoils a part of it. */
export const spoil: fc.Arbitrary<Spoil> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Spoil>({ name: 'right', of: (right) => right }) },
  { weight: 3, arbitrary: hostile.map(({ name, make }): Spoil => ({ name, of: make })) },
  { weight: 3, arbitrary: spoilOne },
);
