/**
 * What something has to be: a number, NaN among them, for JSON has null for what is none; a whole number from 0, or such or
 * `'auto'`; a text, yes or no; one of some texts; a list of such; or an object with such members, and any others. A name that ends in `?` may be missing.
 */
export type Shape =
  | 'number'
  | 'count'
  | 'auto'
  | 'string'
  | 'boolean'
  | ReadonlySet<string>
  | readonly [Shape]
  | { readonly [name: string]: Shape };

/** What is wrong with a value, and where: `results[3].gbps.median must be a number, got nothing`. `undefined` if nothing is. */
export function misshapen(value: unknown, shape: Shape, where: string): string | undefined {
  if (typeof shape === 'string') return isKind(value, shape) ? undefined : wrong(where, WORDS[shape], value);
  if (shape instanceof Set) {
    return shape.has(value) ? undefined : wrong(where, `one of ${[...shape].join(', ')}`, value);
  }
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return wrong(where, 'a list', value);
    return first(value, (one, i) => misshapen(one, shape[0], `${where}[${i}]`));
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong(where, 'an object', value);
  return first(Object.entries(shape), ([key, inner]) => {
    const name = key.replace('?', '');
    const member = (value as Record<string, unknown>)[name];
    if (member === undefined && key !== name) return undefined;
    return misshapen(member, inner, where === '' ? name : `${where}.${name}`);
  });
}

const WORDS = {
  number: 'a number, from 10^-21 to 10^21 or 0',
  count: 'a whole number from 0',
  auto: "a whole number from 0, or 'auto'",
  string: 'a text',
  boolean: 'yes or no',
} as const;

function isKind(value: unknown, kind: keyof typeof WORDS): boolean {
  if (kind === 'number') return typeof value === 'number' && isDrawable(value);
  if (kind === 'auto') return value === 'auto' || isKind(value, 'count');
  if (kind === 'count') return Number.isSafeInteger(value) && (value as number) >= 0;
  return typeof value === kind;
}

/** What is further from 1 than anything measured: sums and ratios of such are no numbers, and no axis has them. */
const MOST = 1e21;

function isDrawable(value: number): boolean {
  const size = Math.abs(value);
  return Number.isNaN(value) || value === 0 || (size <= MOST && size >= 1 / MOST);
}

function wrong(where: string, what: string, value: unknown): string {
  return `${where} must be ${what}, got ${shortText(value, 'nothing')}`;
}

/** How a value begins. */
export function shortText(value: unknown, missing: string): string {
  return value === undefined ? missing : JSON.stringify(value).slice(0, 40);
}

/** The first answer that there is. */
function first<T>(list: readonly T[], of: (one: T, i: number) => string | undefined): string | undefined {
  for (const [i, one] of list.entries()) {
    const found = of(one, i);
    if (found !== undefined) return found;
  }
  return undefined;
}
