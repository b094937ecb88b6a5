import {
  type CallerMode,
  COPY_METHODS,
  CopyEngine,
  type CopyMethod,
  type Distribution,
  ErrnoError,
  formatSize,
  KiB,
  MiB,
  PhysicalMemory,
  type Schedule,
} from 'mtcopy';
import { collectGarbage } from '../shared/collect-garbage.js';
import { combine } from '../shared/combine.js';
import { fillWithPattern, scrub } from '../shared/fill.js';
import { allocFolioBatch, type FolioBatch } from '../shared/folios.js';
import { findDifference } from '../shared/verify.js';
import type { Dimension } from './choose.js';
import type { Runner } from './race.js';

/** How an engine copies. */
export interface CopyManner {
  /** Worker threads; 0 is the calling thread alone. */
  readonly threads: number;
  /** How they share a batch. */
  readonly schedule: Schedule;
  /** How the lists of a static schedule are made. */
  readonly distribution: Distribution;
  /** Bytes of what a thread claims at once. */
  readonly unitBytes: number | 'auto';
  /** Whether the calling thread copies too. */
  readonly caller: Exclude<CallerMode, 'waits'>;
  /** Which loop copies the bytes. */
  readonly method: CopyMethod;
}

/** The calling thread alone. */
export const ALONE: CopyManner = {
  threads: 0,
  schedule: 'dynamic',
  distribution: 'auto',
  unitBytes: 'auto',
  caller: 'auto',
  method: 'auto',
};

/** How a batch is shared out. */
const SHAPES: readonly Pick<CopyManner, 'schedule' | 'distribution' | 'unitBytes'>[] = [
  { schedule: 'dynamic', distribution: 'auto', unitBytes: 'auto' },
  { schedule: 'dynamic', distribution: 'auto', unitBytes: 256 * KiB },
  { schedule: 'dynamic', distribution: 'auto', unitBytes: 4 * MiB },
  { schedule: 'static', distribution: 'folios', unitBytes: 'auto' },
  { schedule: 'static', distribution: 'chunks', unitBytes: 'auto' },
];
const CALLERS = ['auto', 'helps'] as const;
/** Bytes that a run copies, and the calls that it makes at most: a small call alone is shorter than a wake-up. */
const RUN_BYTES = 8 * MiB;
const RUN_CALLS = 16;
/** Bytes of memory that runs go through, more than caches keep; and its batches at most. */
const POOL_BYTES = 64 * MiB;
const POOL_BATCHES = 32;

/** Every way to copy that a search looks at, the calling thread alone first; the loop that copies is looked at by itself. */
export function copyManners(threads: readonly number[]): CopyManner[] {
  const parallel = combine(threads, combine(CALLERS, SHAPES)).map(([count, [caller, shape]]) => ({
    threads: count,
    caller,
    ...shape,
    method: 'auto' as const,
  }));
  return [ALONE, ...parallel];
}

/**
 * A manner with each loop that this machine has, itself first. Where there is none in C, `'auto'` is `'memory.copy'`.
 *
 * @param streams whether there is one
 */
export function copyLoops(manner: CopyManner, streams: boolean): CopyManner[] {
  const others = COPY_METHODS.filter((method) => method !== manner.method && (streams || method === 'typed-array'));
  return [manner, ...others.map((method) => ({ ...manner, method }))];
}

/** Fewer threads first, then what has a caller free, then as little as possible that is no default. */
export function copyCost({ threads, caller, schedule, unitBytes, method }: CopyManner): number[] {
  return [
    threads,
    Number(caller === 'helps'),
    Number(schedule === 'static') + Number(unitBytes !== 'auto'),
    Number(method !== 'auto'),
  ];
}

const sameShape = (a: CopyManner, b: CopyManner) =>
  a.schedule === b.schedule && a.distribution === b.distribution && a.unitBytes === b.unitBytes;
/** Whether both have threads: alone there is nothing to share out. */
const bothShare = (a: CopyManner, b: CopyManner) => a.threads > 0 && b.threads > 0 && a.method === b.method;

/** What is explained of a choice. */
export const COPY_DIMENSIONS: readonly Dimension<CopyManner>[] = [
  {
    name: 'threads',
    of: ({ threads }) => (threads === 0 ? 'none' : String(threads)),
    isComparable: (a, b) => a.threads === 0 || b.threads === 0 || (a.caller === b.caller && sameShape(a, b)),
  },
  {
    name: 'caller',
    of: ({ caller }) => caller,
    isComparable: (a, b) => bothShare(a, b) && a.threads === b.threads && sameShape(a, b),
  },
  {
    name: 'schedule',
    of: ({ schedule }) => schedule,
    isComparable: (a, b) => bothShare(a, b) && a.threads === b.threads && a.caller === b.caller,
  },
  {
    name: 'distribution',
    of: ({ distribution }) => distribution,
    isComparable: (a, b) =>
      bothShare(a, b) && a.threads === b.threads && a.caller === b.caller && a.schedule === b.schedule,
  },
  {
    name: 'unitBytes',
    of: ({ unitBytes }) => (unitBytes === 'auto' ? unitBytes : formatSize(unitBytes)),
    isComparable: (a, b) =>
      bothShare(a, b) && a.threads === b.threads && a.caller === b.caller && a.schedule === b.schedule,
  },
];

/** Of the loop that copies, which is looked at once all else is chosen. */
export const METHOD_DIMENSION: Dimension<CopyManner> = {
  name: 'method',
  of: ({ method }) => method,
  isComparable: () => true,
};

/** For the progress. */
export function copyText({ threads, caller, schedule, distribution, unitBytes, method }: CopyManner): string {
  const loop = method === 'auto' ? '' : ` ${method}`;
  if (threads === 0) return `calling thread alone${loop}`;
  const shape = schedule === 'static' ? distribution : unitBytes === 'auto' ? '' : formatSize(unitBytes);
  return `${threads} thread${threads === 1 ? '' : 's'}, caller ${caller}, ${schedule}${shape && ` ${shape}`}${loop}`;
}

/** What is copied, or migrated. */
export interface Copied {
  /** Bytes of a folio. */
  readonly folioBytes: number;
  /** Bytes of a batch. */
  readonly batchBytes: number;
  /** Of the order of shuffled frames, and of the pattern that fills them. Default: 1. */
  readonly seed?: number | undefined;
}

/** A batch of one size in several places, which runs take in turns. */
interface Pool {
  readonly memory: PhysicalMemory;
  readonly folioBytes: number;
  readonly folios: FolioBatch;
  /** Folios of a batch. */
  readonly perBatch: number;
  readonly batches: number;
  next: number;
}

/**
 * Has manners of copying batches of one size measured, each of which is made of shuffled folios, in memory of its own.
 *
 * @param measure gets one for each manner, in their order, and has them until it returns. A run says the nanoseconds of a batch
 * @throws ErrnoError ENOMEM for more memory than there is; EIO if a byte came out wrong
 */
export async function withCopies<T>(
  manners: readonly CopyManner[],
  { folioBytes, batchBytes, seed }: Copied,
  measure: (runners: readonly Runner<CopyManner>[]) => Promise<T>,
): Promise<T> {
  const batches = Math.min(POOL_BATCHES, Math.max(1, Math.floor(POOL_BYTES / batchBytes)));
  const bytes = batches * batchBytes;
  const memory = PhysicalMemory.create({ nodes: [bytes, bytes] });
  const folios = allocFolioBatch(memory, bytes, folioBytes, 'shuffled', seed);
  fillWithPattern(memory, folios.sources, folioBytes, seed);
  const pool = { memory, folioBytes, folios, perBatch: batchBytes / folioBytes, batches, next: 0 };
  const engines = new Map<string, CopyEngine>();
  try {
    const runners: Runner<CopyManner>[] = [];
    for (const manner of manners) {
      const engine = await engineFor(manner, memory, engines);
      runners.push({ name: copyText(manner), settings: manner, run: () => runOnce(pool, engine, manner) });
    }
    return await measure(runners);
  } finally {
    await Promise.all(Array.from(engines.values(), (engine) => engine.close()));
    collectGarbage();
  }
}

/** An engine for several manners: threads and caller are set later. A memory has no room for one each. */
async function engineFor(manner: CopyManner, memory: PhysicalMemory, engines: Map<string, CopyEngine>) {
  const { threads, schedule, distribution, unitBytes, method } = manner;
  const isAlone = threads === 0;
  const name = isAlone ? `alone ${method}` : [schedule, distribution, unitBytes, method].join();
  const known = engines.get(name);
  if (known) return known;
  const minParallelBytes = isAlone ? Number.POSITIVE_INFINITY : 0;
  const shape = { schedule, distribution, unitBytes, method };
  const engine = await CopyEngine.create({ memory, threads: 1, minParallelBytes, ...shape });
  engines.set(name, engine);
  return engine;
}

/** Copies some batches, and compares them. */
async function runOnce(pool: Pool, engine: CopyEngine, { threads, caller }: CopyManner): Promise<number> {
  const { memory, folioBytes, folios, perBatch, batches } = pool;
  if (threads > 0) engine.threads = threads;
  const calls = Math.min(batches, RUN_CALLS, Math.max(1, Math.floor(RUN_BYTES / (perBatch * folioBytes))));
  const parts = Array.from({ length: calls }, (_, i) =>
    partOf(folios, ((pool.next + i) % batches) * perBatch, perBatch),
  );
  pool.next = (pool.next + calls) % batches;
  // Not timed: whoever copied before leaves the caches, and all threads are there.
  await copyEach(engine, parts, caller);
  for (const { targets } of parts) scrub(memory, targets, folioBytes);
  if (threads > 0) await engine.ready();
  const started = performance.now();
  await copyEach(engine, parts, caller);
  const ns = (performance.now() - started) * 1e6;
  if (parts.some((part) => findDifference(memory, part) >= 0)) {
    throw new ErrnoError('EIO', 'a folio was not copied right');
  }
  return ns / calls;
}

async function copyEach(engine: CopyEngine, parts: readonly Part[], caller: CallerMode): Promise<void> {
  for (const { to, from, bytes } of parts) await engine.copyBatch({ to, from, bytes }, { caller });
}

type Part = Pick<FolioBatch, 'to' | 'from' | 'bytes' | 'targets'>;

function partOf({ to, from, bytes, targets }: FolioBatch, first: number, count: number): Part {
  const cut = (array: Uint32Array) => array.subarray(first, first + count);
  return {
    to: cut(to as Uint32Array),
    from: cut(from as Uint32Array),
    bytes: cut(bytes as Uint32Array),
    targets: cut(targets),
  };
}
