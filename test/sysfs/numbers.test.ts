import fc from 'fast-check';
import { Machine } from 'mtcopy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errno, errorOf } from '../support/errors.js';

const machine = await Machine.boot({ nodes: ['4M'], cpus: 0 });
const { sysfs } = machine;
afterAll(() => machine.close());

const THREADS = 'kernel/cpu_mt/threads';
const BYTES = 'kernel/cpu_mt/min_bytes';
const MAX_U32 = 2 ** 32 - 1;

describe('a number', () => {
  it.each([
    ['8', 8],
    ['+8', 8],
    ['8\n', 8],
    ['+8\n', 8],
    ['1', 1],
    ['64', 64],
    ['0x10', 16],
    ['0X1f', 31],
    ['0x1F\n', 31],
    ['+0x10', 16],
    ['0x00000000000000000000000040', 64],
    ['010', 8],
    ['+010\n', 8],
    ['00000000000000000000000001', 1],
  ])('is written as %j', async (text, value) => {
    await sysfs.write(THREADS, '5');
    await sysfs.write(THREADS, text);
    expect([sysfs.read(THREADS), machine.threads]).toEqual([String(value), value]);
  });

  it.each([
    ['EINVAL', 'abc'],
    ['EINVAL', '-1'],
    ['EINVAL', '-0'],
    ['EINVAL', ''],
    ['EINVAL', '+'],
    ['EINVAL', '+\n'],
    ['EINVAL', '\n'],
    ['EINVAL', '1 2'],
    ['EINVAL', ' 8'],
    ['EINVAL', '8 '],
    ['EINVAL', '\t8'],
    ['EINVAL', '\n8'],
    ['EINVAL', '8\n\n'],
    ['EINVAL', '8\r\n'],
    ['EINVAL', '8\0'],
    ['EINVAL', '++8'],
    ['EINVAL', '+-8'],
    ['EINVAL', '+ 8'],
    ['EINVAL', '0x'],
    ['EINVAL', '0xg'],
    ['EINVAL', '0x+8'],
    ['EINVAL', '08'],
    ['EINVAL', '0o10'],
    ['EINVAL', '0b1'],
    ['EINVAL', '1e1'],
    ['EINVAL', '8.0'],
    ['EINVAL', '1_0'],
    ['EINVAL', '８'],
    ['EINVAL', 'Infinity'],
    ['EINVAL', 'auto'],
    // Out of the file's own range, within 32 bits.
    ['EINVAL', '0'],
    ['EINVAL', '0x0'],
    ['EINVAL', '65'],
    ['EINVAL', '0x41'],
    ['EINVAL', '4294967295'],
    // Looked at to its end, as 64 bits hold it; what exceeds those isn't.
    ['EINVAL', '4294967296x'],
    ['EINVAL', '18446744073709551615x'],
    ['ERANGE', '4294967296'],
    ['ERANGE', '+4294967296\n'],
    ['ERANGE', '0x100000000'],
    ['ERANGE', '040000000000'],
    ['ERANGE', '18446744073709551615'],
    ['ERANGE', '18446744073709551616'],
    ['ERANGE', '18446744073709551616x'],
    ['ERANGE', '9'.repeat(1000)],
  ])('is %s as %j, and stays what it was', async (code, text) => {
    await sysfs.write(THREADS, '5');
    const error = await errorOf(() => sysfs.write(THREADS, text));
    expect(error).toEqual(errno(code));
    expect(error.message).toContain('/sys/kernel/cpu_mt/threads: must be a number');
    expect(error.message).toContain(`'${text.slice(0, 200)}`);
    expect([sysfs.read(THREADS), machine.threads]).toEqual(['5', 5]);
  });

  it.each([8, null, undefined, {}, ['8']])('is a string: %j is EINVAL', async (value) => {
    await sysfs.write(THREADS, '5');
    expect(await errorOf(() => sysfs.write(THREADS, value as string))).toEqual(errno('EINVAL'));
    expect(machine.threads).toBe(5);
  });

  it.each([
    ['kernel/cpu_mt/min_folios', 1, MAX_U32],
    ['kernel/dcbm/min_folios', 1, MAX_U32],
    ['kernel/cpu_mt/min_bytes', 0, MAX_U32],
    ['kernel/mm/migration/max_batch', 1, 2 ** 20],
    ['kernel/cpu_mt/threads', 1, 64],
  ])('of %s is from %d to %d', async (path, from, to) => {
    for (const value of [from, to]) {
      await sysfs.write(path, String(value));
      expect(sysfs.read(path)).toBe(String(value));
    }
    for (const value of [from - 1, to + 1]) {
      const code = value > MAX_U32 ? 'ERANGE' : 'EINVAL';
      expect(await errorOf(() => sysfs.write(path, String(value)))).toEqual(errno(code));
    }
    expect(sysfs.read(path)).toBe(String(to));
  });

  it('prints back what it was, however it was spelt', async () => {
    const spellings = [
      (value: number) => String(value),
      (value: number) => `0x${value.toString(16)}`,
      (value: number) => `0X${value.toString(16).toUpperCase()}`,
      (value: number) => `0${value.toString(8)}`,
    ];
    const number = fc.oneof(fc.integer({ min: 0, max: MAX_U32 }), fc.constantFrom(0, MAX_U32));
    const signs = fc.constantFrom('', '+');
    const ends = fc.constantFrom('', '\n');
    await fc.assert(
      fc.asyncProperty(number, fc.constantFrom(...spellings), signs, ends, async (value, spell, sign, end) => {
        await sysfs.write(BYTES, `${sign}${spell(value)}${end}`);
        expect(sysfs.read(BYTES)).toBe(String(value));
      }),
    );
  });

  it('is refused or prints back what may be written again, whatever the text', async () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom(...'0123789abfxX+- \n'), maxLength: 12 }),
      fc.bigInt({ min: 0n, max: 2n ** 65n }).map(String),
    );
    await fc.assert(
      fc.asyncProperty(text, async (text) => {
        await sysfs.write(BYTES, '5');
        const code = await sysfs.write(BYTES, text).then(
          () => 'taken',
          (error) => error.code,
        );
        // What a number looks like, said in another way than the library says it.
        const looks = /^\+?(0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)\n?$/i.test(text);
        expect(code).toMatch(looks ? /^(taken|ERANGE)$/ : /^(EINVAL|ERANGE)$/);
        const value = sysfs.read(BYTES);
        if (code !== 'taken') expect(value).toBe('5');
        expect(Number(value)).toBeLessThanOrEqual(MAX_U32);
        await sysfs.write(BYTES, value);
        expect(sysfs.read(BYTES)).toBe(value);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a switch', () => {
  // What is switched on has its threads started: the 64 of above would take longer than all the rest.
  beforeAll(() => sysfs.write(THREADS, '1'));

  it.each(['1', '+1', '01', '0x1', '1\n'])('is 1 as %j, and 0 as 0', async (text) => {
    await sysfs.write('kernel/cpu_mt/offloading', text);
    expect(sysfs.read('kernel/cpu_mt/offloading')).toBe('1');
    await sysfs.write('kernel/cpu_mt/offloading', '0');
    expect(sysfs.read('kernel/cpu_mt/offloading')).toBe('0');
  });

  it.each([
    ['EINVAL', '2'],
    ['EINVAL', '-1'],
    ['EINVAL', 'y'],
    ['EINVAL', 'on'],
    ['EINVAL', 'true'],
    ['EINVAL', ''],
    ['EINVAL', '1 '],
    ['ERANGE', '4294967296'],
    ['ERANGE', '4294967297'],
  ])('is %s as %j, and stays what it was', async (code, text) => {
    for (const before of ['1', '0']) {
      await sysfs.write('kernel/cpu_mt/offloading', before);
      expect(await errorOf(() => sysfs.write('kernel/cpu_mt/offloading', text))).toEqual(errno(code));
      expect(sysfs.read('kernel/cpu_mt/offloading')).toBe(before);
    }
  });
});
