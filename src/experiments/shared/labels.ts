import type { MigratorName, Phases } from 'mtcopy';

/** The phases of a migration in their order, and what a column of each is called. */
export const PHASES: readonly { readonly head: string; readonly name: keyof Phases }[] = [
  { head: 'isolate', name: 'isolate' },
  { head: 'unmap', name: 'unmap' },
  { head: 'flush', name: 'flush' },
  { head: 'copy', name: 'copy' },
  { head: 'move', name: 'move' },
  { head: 'put\nback', name: 'putBack' },
];

/** What copied, with the number of its threads: `kernel` has none of its own. */
export function migratorText({ migrator, threads }: { migrator: MigratorName; threads: number }): string {
  return migrator === 'kernel' ? migrator : `${migrator}×${threads}`;
}
