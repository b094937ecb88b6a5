import { ErrnoError, type Machine, type Migrator, type OffloadBatch } from 'mtcopy';

/** A migrator that counts the bytes of what it has copied. */
export interface CountingMigrator extends Migrator {
  /** Since it was made. */
  readonly copiedBytes: number;
}

/**
 * The migrator that is registered with a machine, and a count of what it copies, by its own marks.
 *
 * @throws ErrnoError EINVAL if there is none
 */
export function countCopies({ offload: { active } }: Machine): CountingMigrator {
  if (!active) throw new ErrnoError('EINVAL', 'the machine has no migrator registered: boot it with one');
  let copiedBytes = 0;
  const { memory, minFolios, minBytes } = active;
  return {
    name: 'counting',
    memory,
    minFolios,
    minBytes,
    get copiedBytes() {
      return copiedBytes;
    },
    async copyFolios(batch: OffloadBatch) {
      const errno = await active.copyFolios(batch);
      const { bytes } = batch.items;
      for (let i = 0; i < bytes.length; i++) if (batch.copied[i] !== 0) copiedBytes += bytes[i];
      return errno;
    },
  };
}
