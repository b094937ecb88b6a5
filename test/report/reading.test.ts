import { basename } from 'node:path';
import { readResult, reportOf } from 'mtcopy/report';
import { describe, expect, it } from 'vitest';
import { FIXTURE_FILES, fixtureText, type Printed, printed } from '../support/results.js';

/** Why a text is refused. */
function refusal(text: string): { code: string; message: string } {
  try {
    readResult(text, 'a/file.json');
  } catch (error) {
    const { code, message } = error as Error & { code: string };
    return { code, message };
  }
  throw new Error('it was read');
}

function changed(name: string, change: (result: Printed) => void): string {
  const result = printed(name);
  change(result);
  return JSON.stringify(result);
}

describe('what a command printed', () => {
  it.each(FIXTURE_FILES.map((path) => basename(path)))('is read: %s', (name) => {
    expect(readResult(fixtureText(name), name)).toMatchObject({ command: printed(name).command });
  });

  it('is read with members that are not known, and without those that it may lack', () => {
    const text = changed('reproduce-tlb.json', (result) => {
      result.tables[0].samples = [[1, 2, 3]];
      result.tables[0].measured.rows[0].samples = [1];
      delete result.tables[0].findings[0].isOpen;
    });
    expect(readResult(text, 'it')).toHaveProperty('tables');
  });

  it.each<[string, (result: Printed) => unknown]>([
    ['reproduce-folio-size.json', ({ tables }) => Object.assign(tables[0].measured.rows[1], { way: 'constructor' })],
    ['reproduce-batch-limit.json', ({ tables }) => Object.assign(tables[0].turns[0], { ended: 'time', variants: [] })],
  ])('is drawn, whatever ways to run it names: %s', (name, change) => {
    const result = readResult(changed(name, change), name);
    expect(reportOf([{ name, result }])).toContain('<figure>');
  });

  it('has what is no number where JSON has null', () => {
    const text = changed('pmbench.json', ({ results }) => {
      results[0].ipisPerPage = null;
    });
    expect(readResult(text, 'it')).toMatchObject({ results: [{ ipisPerPage: Number.NaN }, {}] });
  });
});

describe('a file is refused, by its name and with the reason,', () => {
  it.each([1, 100, 1000, 2000, fixtureText('copy.json').trimEnd().length - 1])(
    'that ends after %d characters',
    (end) => {
      const { code, message } = refusal(fixtureText('copy.json').slice(0, end));
      expect(code).toBe('EIO');
      expect(message).toMatch(/^EIO: report: a\/file\.json is no JSON, or ends too soon: /);
    },
  );

  it.each(['', 'not JSON', '<html>', '\u0000'])('that is no JSON: %j', (text) => {
    expect(refusal(text).message).toContain('a/file.json is no JSON, or ends too soon');
  });

  it.each([
    '{}',
    '[]',
    'null',
    '1',
    '"copy"',
    '{"command":"toString"}',
    '{"command":"perf","version":"0.1.0"}',
    '{"command":1}',
  ])('that is of another program: %s', (text) => {
    expect(refusal(text)).toMatchObject({
      code: 'EIO',
      message: expect.stringContaining('a/file.json is not what a command of mtcopy printed'),
    });
  });

  it.each([
    '\u001b]0;title\u0007 {',
    JSON.stringify({ command: 'x'.repeat(1e6) }),
    JSON.stringify({ command: 'copy', version: 'x'.repeat(1e6) }),
  ])('in few words, none of which a terminal would take for a command: %#', (text) => {
    const { message } = refusal(text);
    expect(message).not.toMatch(/(?!\n)\p{Cc}/u);
    expect(message.length).toBeLessThan(200);
  });

  it.each(['0.2.0', '1.0.0', '0.10.0', '', 7, undefined])('that is of version %j', (version) => {
    const text = changed('copy.json', (result) => {
      result.version = version;
    });
    expect(refusal(text).message).toMatch(/a\/file\.json is of version .*: this mtcopy reads results of 0\.1$/);
  });

  it.each<[string, (result: Printed) => unknown, string]>([
    ['copy.json', (result) => delete result.results, 'results must be a list, got nothing'],
    ['copy.json', (result) => delete result.host, 'host must be an object, got nothing'],
    [
      'copy.json',
      (result) => delete result.results[4].gbps.median,
      'results[4].gbps.median must be a number, from 10^-21 to 10^21 or 0, got nothing',
    ],
    [
      'copy.json',
      (result) => Object.assign(result.results[1], { threads: '2' }),
      'results[1].threads must be a whole number from 0, got "2"',
    ],
    [
      'migrate.json',
      (result) => Object.assign(result.results[0], { phasesNs: [1] }),
      'results[0].phasesNs must be an object, got [1]',
    ],
    [
      'pmbench.json',
      (result) => Object.assign(result.results[0].migrationWaits, { buckets: {} }),
      'buckets must be a list, got {}',
    ],
    [
      'reproduce-tlb.json',
      (result) => Object.assign(result.tables[0].verdict, { holds: 'so' }),
      'verdict.holds must be yes or no, got "so"',
    ],
    [
      'reproduce-tlb.json',
      (result) => Object.assign(result.tables[0], { name: 'constructor' }),
      'tables[0].name must be one of ',
    ],
    [
      'reproduce-tlb.json',
      (result) => delete result.tables[0].measured.rows[1].ipisPerPage,
      'measured.rows[1].ipisPerPage must be a number',
    ],
    [
      'tune.json',
      (result) => Object.assign(result.sizes[0].copies, { tried: 3 }),
      'sizes[0].copies.tried must be a list, got 3',
    ],
  ])('that lacks what the command prints: %s %#', (name, change, why) => {
    const { code, message } = refusal(changed(name, change));
    expect(code).toBe('EIO');
    expect(message).toContain(why);
  });
});
