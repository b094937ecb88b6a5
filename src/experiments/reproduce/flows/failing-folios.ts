import { tracingChannel } from 'node:diagnostics_channel';
import { ErrnoError, type Folio, type Machine, type MigrateTrace } from 'mtcopy';

/**
 * How folios fail: somebody holds a reference on them from before the call; takes one while their batch is copied; or they have
 * a memory error, so that the copy fails. References are held until the call has ended.
 */
export const FAILURES = ['pinned before', 'pinned in copy', 'poisoned'] as const;
export type Failure = (typeof FAILURES)[number];

/**
 * Makes folios fail in a migration that begins now.
 *
 * @param folios in the order in which they will be migrated
 * @returns to be called when the migration has ended: they are as they were. @throws ErrnoError EIO if one of them was never copied
 */
export function makeFail(machine: Machine, folios: readonly Folio[], how: Failure): () => void {
  if (how === 'poisoned') return poisonThem(machine, folios);
  if (how === 'pinned in copy') return pinInCopy(folios);
  for (const folio of folios) folio.get();
  return () => {
    for (const folio of folios) folio.put();
  };
}

function poisonThem({ memory }: Machine, folios: readonly Folio[]): () => void {
  const pfns = folios.map(({ pfn }) => pfn);
  for (const pfn of pfns) memory.poison(pfn);
  return () => {
    for (const pfn of pfns) memory.unpoison(pfn);
  };
}

/** As whoever finds a page by its frame number, or in a page cache, does in the moment after its bytes were copied. */
function pinInCopy(folios: readonly Folio[]): () => void {
  const { end } = tracingChannel<MigrateTrace>('mtcopy:migrate');
  let held = 0;
  const pin = (trace: unknown) => {
    if ((trace as MigrateTrace).phase !== 'copy') return;
    // Those of the batch are locked; batches come in the order of the folios.
    for (; held < folios.length && folios[held].locked; held++) folios[held].get();
  };
  end.subscribe(pin);
  return () => {
    end.unsubscribe(pin);
    for (const folio of folios.slice(0, held)) folio.put();
    if (held < folios.length) throw new ErrnoError('EIO', `${folios.length - held} folios were in no batch's copy`);
  };
}

/** Positions of that share of `count` things, spread evenly. */
export function spreadOver(count: number, share: number): number[] {
  const failing = Math.round(count * share);
  return Array.from({ length: failing }, (_, i) => Math.floor(((i + 0.5) * count) / failing));
}
