import { reportOf } from 'mtcopy/report';
import { expect, it } from 'vitest';
import { named, type Printed } from '../support/results.js';

const HOSTILE = `"><script>alert(1)</script><img src=x onerror=alert(2)>' &amp; \u0000\u001b]]>`;

/** What no such text may become: mark-up, or a character that no document may have. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are meant.
const MARKUP = /<script|<img|<iframe|[\u0000\u001b]/;

/** Every text of something, made hostile; but those that a report goes by. */
function poison(value: Printed, kept: readonly string[]): void {
  for (const [name, one] of Object.entries(value)) {
    if (typeof one === 'string' && !kept.includes(name)) value[name] = HOSTILE;
    else if (typeof one === 'object' && one !== null) poison(one, kept);
  }
}

it.each([
  'copy',
  'migrate',
  'pmbench',
  'reproduce-folio-size',
  'reproduce-breakdown',
  'reproduce-tlb',
  'tune',
  'sysfs',
])('nothing that %s.json says is mark-up in the report', (name) => {
  const kept = ['command', 'version', 'name', 'kind', 'way', 'accounting', 'unitBytes'];
  const result = named(`${name}.json`, (printed) => {
    poison(printed, kept);
    printed.arguments = [HOSTILE];
  });
  const html = reportOf([{ name: HOSTILE, result: result.result }, named(`${name}.json`)]);
  expect(MARKUP.exec(html)?.[0]).toBeUndefined();
  expect(html.includes('&lt;script&gt;alert(1)')).toBe(true);
  // Charts that are saved have it too.
  for (const [, base64] of html.matchAll(/base64,([^"]*)"/g)) {
    expect(MARKUP.exec(Buffer.from(base64, 'base64').toString())?.[0]).toBeUndefined();
  }
});

it.each(['__proto__', 'of __proto__\n__proto__'])(
  'nothing that a file says changes what objects inherit: %j',
  (what) => {
    const { result } = named('reproduce-tlb.json', (printed) => {
      printed.tables[0].findings[0].what = what;
    });
    const html = reportOf([{ name: 'it', result }]);
    const inherited = Object.keys(Object.prototype);
    for (const name of inherited) Reflect.deleteProperty(Object.prototype, name);
    expect(inherited).toEqual([]);
    expect(html).toContain('>__proto__<');
  },
);

it('the report is one document that asks nobody for anything', () => {
  const html = reportOf(['copy', 'migrate', 'pmbench', 'tune'].map((name) => named(`${name}.json`)));
  expect(html.startsWith('<!doctype html>')).toBe(true);
  expect(html.includes('http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;')).toBe(true);
  const addresses = Array.from(
    html.matchAll(/\b(?:src|href|action|srcset|poster|xlink:href)="([^"]*)"/g),
    ([, to]) => to,
  );
  expect(addresses.filter((to) => !/^(#s\d+$|data:image\/svg\+xml;base64,)/.test(to))).toEqual([]);
  expect(/@import|url\((?!#c\d+-)/.exec(html)?.[0]).toBeUndefined();
});
