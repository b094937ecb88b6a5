import { formatSize, MiB, type MigrationSettings, NR_MAX_BATCHED_MIGRATION, PAGE_SIZE } from 'mtcopy';

/** What copies, and the flow in which it is meant to. */
export const MANNERS = {
  kernel: { migrator: 'kernel', flow: 'vanilla' },
  mtcopy: { migrator: 'mtcopy', flow: 'pre-copy' },
} as const satisfies Readonly<Record<string, MigrationSettings>>;

/** One way to cut a migration into batches. */
export interface BatchSetting {
  /** What copies, in the flow that it is meant for. */
  readonly migrator: keyof typeof MANNERS;
  /** Pages of a batch; one folio at least. */
  readonly limit: number;
  /** Bytes of a folio. */
  readonly folioBytes: number;
}

/** Pages that one call of move_pages hands on at once: no batch is larger. */
export const MAX_LIMIT = 8192;
const QUICK_LIMITS = [1, 8, 64, 512, MAX_LIMIT];
const ALL_LIMITS = Array.from({ length: 14 }, (_, i) => 2 ** i);

/** Each limit with folios of 4 KiB, and the published one with folios of 2 MiB, of which a batch is one; for each migrator. */
export function batchSettings(quick: boolean): BatchSetting[] {
  const limits = quick ? QUICK_LIMITS : ALL_LIMITS;
  return (Object.keys(MANNERS) as (keyof typeof MANNERS)[]).flatMap((migrator) => [
    ...limits.map((limit) => ({ migrator, limit, folioBytes: PAGE_SIZE })),
    { migrator, limit: NR_MAX_BATCHED_MIGRATION, folioBytes: 2 * MiB },
  ]);
}

/** Names a setting for a person. */
export function nameOf({ migrator, limit, folioBytes }: BatchSetting): string {
  return `${migrator}, ${limit} pages, folios of ${formatSize(folioBytes)}`;
}
