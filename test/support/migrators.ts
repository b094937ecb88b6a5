import type { Machine, Migrator, OffloadBatch } from 'mtcopy';
import { createCopyOne } from '#src/copy/copy-one.js';

interface CpuMigrator {
  readonly migrator: Migrator;
  /** Batches and folios that it was asked for, and folios that it has copied and marked. */
  readonly counts: { batches: number; folios: number; copied: number };
}

/**
 * A migrator that copies on the calling thread.
 *
 * @param copies whether it copies a folio, by its place in the batch and the address that it comes from, and marks it
 */
export function createCpuMigrator(
  { memory }: Pick<Machine, 'memory'>,
  copies: (i: number, from: number) => boolean = () => true,
): CpuMigrator {
  const copyOne = createCopyOne(memory);
  const counts = { batches: 0, folios: 0, copied: 0 };
  const migrator: Migrator = {
    name: 'cpu',
    copyFolios({ items: { to, from, bytes }, copied }) {
      counts.batches++;
      counts.folios += to.length;
      for (let i = 0; i < to.length; i++) {
        if (!copies(i, from[i]) || !copyOne(to[i], from[i], bytes[i])) continue;
        copied[i] = 1;
        counts.copied++;
      }
      return 0;
    },
  };
  return { migrator, counts };
}

/** Moves no byte: what is left is the work on metadata. */
export const COPIES_NOTHING: Migrator = {
  name: 'nothing',
  copyFolios({ copied }) {
    copied.fill(1);
    return 0;
  },
};

/** A migrator that waits, at its first copy, to be told to go on. */
interface TestMigrator extends Migrator {
  /** Resolves once the first copy is asked for. */
  readonly entered: Promise<void>;
  readonly go: () => void;
}

export function createTestMigrator(machine: Pick<Machine, 'memory'>): TestMigrator {
  const { migrator } = createCpuMigrator(machine);
  let enter = () => {};
  let go = () => {};
  const entered = new Promise<void>((resolve) => {
    enter = resolve;
  });
  const isLetGo = new Promise<void>((resolve) => {
    go = resolve;
  });
  return {
    name: 'test',
    entered,
    go: () => go(),
    async copyFolios(batch: OffloadBatch) {
      enter();
      await isLetGo;
      return migrator.copyFolios(batch);
    },
  };
}
