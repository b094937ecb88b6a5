import { types } from 'node:util';

/** What of an object's properties a program can read: own ones and inherited ones, getters too, and what is in typed arrays. */
interface Walk {
  readonly number: number;
  readonly seen: Set<unknown>;
  readonly found: string[];
}

/** The paths at which a 32-bit number, or a text with it, is found among all that can be reached from an object. */
export function pathsOf(number: number, root: unknown): string[] {
  const walk: Walk = { number, seen: new Set(), found: [] };
  let level: [string, unknown][] = [['', root]];
  while (level.length > 0) level = level.flatMap(([path, value]) => look(walk, path, value));
  return walk.found;
}

/** Looks at one value. Returns what it leads to. */
function look(walk: Walk, path: string, value: unknown): [string, unknown][] {
  if (isIt(walk.number, value)) walk.found.push(path);
  if (value === null || (typeof value !== 'object' && typeof value !== 'function') || walk.seen.has(value)) return [];
  walk.seen.add(value);
  if (ArrayBuffer.isView(value)) return [[`${path}.buffer`, value.buffer]];
  if (types.isAnyArrayBuffer(value)) {
    if (new Uint32Array(value, 0, value.byteLength >>> 2).includes(walk.number)) walk.found.push(path);
    return [];
  }
  const next: [string, unknown][] = [];
  for (let holder: object | null = value; holder; holder = Reflect.getPrototypeOf(holder)) {
    for (const key of Reflect.ownKeys(holder)) next.push([`${path}.${String(key)}`, read(value, key)]);
  }
  if (value instanceof Map || value instanceof Set) next.push([`${path}.entries`, [...value.entries()]]);
  return next;
}

function isIt(number: number, value: unknown): boolean {
  if (typeof value === 'string') return value.includes(String(number));
  return (typeof value === 'number' || typeof value === 'bigint') && Number(value) >>> 0 === number;
}

function read(value: object, key: string | symbol): unknown {
  try {
    return Reflect.get(value, key);
  } catch {
    return undefined;
  }
}
