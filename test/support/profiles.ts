import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EngineSettings, KiB, type MachineSettings, MiB, type Profile, profileHost } from 'mtcopy';

export const ENGINE: EngineSettings = {
  threads: 3,
  schedule: 'static',
  distribution: 'chunks',
  unitBytes: 'auto',
  caller: 'helps',
  minParallelBytes: 4 * MiB,
  method: 'typed-array',
  stores: 'auto',
};
export const MACHINE: MachineSettings = {
  migrator: 'mtcopy',
  flow: 'pre-copy',
  stores: 'cached',
  threads: 3,
  schedule: 'static',
  caller: 'helps',
  minBytes: 2 * MiB,
  channels: 1,
};

/** A profile of this machine, or of one that differs in some of its members. */
export function profile(own: Partial<Profile> = {}): Profile {
  return {
    schema: 'mtcopy-profile',
    version: 2,
    mtcopy: '0.1.0',
    date: '2026-11-22T03:33:13.000Z',
    host: profileHost(),
    engine: ENGINE,
    machine: MACHINE,
    sizes: [
      { load: 0, folioBytes: 4 * KiB, batchBytes: 2 * MiB, engine: { ...ENGINE, threads: 1 }, machine: MACHINE },
      { load: 0, folioBytes: 4 * KiB, batchBytes: 32 * MiB, engine: { ...ENGINE, threads: 2 }, machine: MACHINE },
      { load: 0, folioBytes: 2 * MiB, batchBytes: 32 * MiB, engine: { ...ENGINE, threads: 4 }, machine: MACHINE },
      { load: 8, folioBytes: 4 * KiB, batchBytes: 2 * MiB, engine: { ...ENGINE, threads: 5 }, machine: MACHINE },
    ],
    ...own,
  };
}

/** A profile of a machine with another CPU and more cores. */
export function foreignProfile(): Profile {
  const host = profileHost();
  return profile({ host: { ...host, cpu: 'another', cores: host.cores + 30 } });
}

/** A file in a folder of its own, which is gone at the end of the block. */
export function fileWith(content: string): {
  readonly path: string;
  readonly folder: string;
  [Symbol.dispose](): void;
} {
  const folder = mkdtempSync(join(tmpdir(), 'mtcopy-profile-'));
  const path = join(folder, 'mtcopy.profile.json');
  writeFileSync(path, content);
  return { path, folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}
