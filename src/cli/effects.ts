import { ErrnoError, type MigratorName } from 'mtcopy';
import type { Copiers } from 'mtcopy/experiments';

/** The migrators that an option means something to, where those are not all: whichever command has it. */
const MEANT_FOR: Readonly<Record<string, readonly MigratorName[]>> = {
  inFlight: ['mtcopy', 'dcbm'],
  threads: ['mtcopy'],
  caller: ['mtcopy'],
  channels: ['dcbm'],
  dmaSetup: ['dcbm'],
  device: ['dcbm'],
  iommu: ['dcbm'],
  queueDepth: ['dcbm'],
  bandwidth: ['dcbm'],
  descriptorNs: ['dcbm'],
  cpuShare: ['dcbm'],
  dmaWait: ['dcbm'],
};

/**
 * Refuses what would change nothing of what is measured. The experiments themselves let it pass: whoever sweeps by a program
 * says `threads` whatever copies.
 *
 * @param options those that were given, without defaults
 * @throws ErrnoError EINVAL for an option that means nothing to what copies
 */
export function checkEffects(options: object, { migrators }: Copiers): void {
  for (const [name, meantFor] of Object.entries(MEANT_FOR)) {
    if (!Object.hasOwn(options, name) || migrators.some((migrator) => meantFor.includes(migrator))) continue;
    const option = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new ErrnoError('EINVAL', `${option}: means nothing without --migrator ${meantFor.join(' or ')}`);
  }
}
