import { availableParallelism, cpus, totalmem } from 'node:os';

/** The computer that a measurement was made on, as far as it can be told. */
export interface HostFacts {
  /** `process.version`. */
  readonly node: string;
  /** `process.platform`. */
  readonly platform: string;
  /** `process.arch`. */
  readonly arch: string;
  /** The model of its first CPU; `unknown` where the system doesn't say. */
  readonly cpu: string;
  /** Threads that can run at once. */
  readonly cores: number;
  /** Bytes of its memory. */
  readonly memoryBytes: number;
}

/** The computer that this runs on. */
export function hostFacts(): HostFacts {
  return {
    node: process.version,
    platform: process.platform,
    arch: process.arch,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
  };
}
