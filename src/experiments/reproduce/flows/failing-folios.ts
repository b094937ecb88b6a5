import { tracingChannel } from 'node:diagnostics_channel';
import { ErrnoError, type Folio, type Machine, type MigrateTrace } from 'mtcopy';

/**
 * How folios fail: somebody holds a reference on them from before the call; takes one while their batch is copied; or they have
 * a memory error, so that the copy fails. References are held until the call has ended.
 */
export const FAILURES = ['pinned before', 'pinned in copy', 'poisoned'] as const;
export type Failure = (typeof FAILURES)[number];

/**
 * Migrates while folios fail. When that has ended, whatever it throws, they are as they were.
 *
 * @param folios in the order in which they will be migrated
 * @param migrate begins now, beside no other migration
 * @throws ErrnoError EIO if one that was to be pinned in its copy was in none; whatever `migrate` throws
 */
export async function whileFailing<Result>(
  machine: Machine,
  folios: readonly Folio[],
  how: Failure,
  migrate: () => Promise<Result>,
): Promise<Result> {
  const failing = makeFail(machine, folios, how);
  try {
    const result = await migrate();
    const left = folios.length - failing.reached;
    if (left > 0) throw new ErrnoError('EIO', `${left} of ${folios.length} folios were in no batch's copy`);
    return result;
  } finally {
    failing.end();
  }
}

/** Folios that are made to fail. */
interface Failing {
  /** How many that has reached. */
  readonly reached: number;
  end(): void;
}

function makeFail(machine: Machine, folios: readonly Folio[], how: Failure): Failing {
  if (how === 'poisoned') return poisonThem(machine, folios);
  if (how === 'pinned in copy') return pinInCopy(folios);
  for (const folio of folios) folio.get();
  const end = () => {
    for (const folio of folios) folio.put();
  };
  return { reached: folios.length, end };
}

function poisonThem({ memory }: Machine, folios: readonly Folio[]): Failing {
  const pfns = folios.map(({ pfn }) => pfn);
  for (const pfn of pfns) memory.poison(pfn);
  const end = () => {
    for (const pfn of pfns) memory.unpoison(pfn);
  };
  return { reached: folios.length, end };
}

/** As whoever finds a page by its frame number, or in a page cache, does in the moment after its bytes were copied. */
function pinInCopy(folios: readonly Folio[]): Failing {
  const { end } = tracingChannel<MigrateTrace>('mtcopy:migrate');
  let held = 0;
  const pin = (trace: unknown) => {
    if ((trace as MigrateTrace).phase !== 'copy') return;
    // Those of the batch are locked; batches come in the order of the folios.
    for (; held < folios.length && folios[held].locked; held++) folios[held].get();
  };
  end.subscribe(pin);
  return {
    get reached() {
      return held;
    },
    end() {
      end.unsubscribe(pin);
      for (const folio of folios.slice(0, held)) folio.put();
    },
  };
}

/** Positions of that share of `count` things, spread evenly. */
export function spreadOver(count: number, share: number): number[] {
  const failing = Math.round(count * share);
  return Array.from({ length: failing }, (_, i) => Math.floor(((i + 0.5) * count) / failing));
}
