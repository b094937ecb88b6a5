import { createCopyOne } from '../copy/copy-one.js';
import { ERRNO } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import type { Migrator } from '../migrate/migrator.js';

/** The migrator that copies on the caller's thread, folio by folio, as the kernel does without a driver. */
export function createKernelMigrator(memory: PhysicalMemory): Migrator {
  const copyOne = createCopyOne(memory);
  const copyFolio = (to: number, from: number, bytes: number) => (copyOne(to, from, bytes) ? 0 : ERRNO.EHWPOISON);
  return {
    name: 'kernel',
    copyFolio,
    copyFolios({ to, from, bytes }, errnos) {
      for (let i = 0; i < to.length; i++) errnos[i] = copyFolio(to[i], from[i], bytes[i]);
    },
  };
}
