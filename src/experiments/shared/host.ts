import { availableParallelism, cpus, totalmem } from 'node:os';

/** The computer that a measurement was made on, as far as it can be told. */
export interface HostFacts {
  readonly node: string;
  readonly platform: string;
  readonly arch: string;
  readonly cpu: string;
  /** Threads that can run at once. */
  readonly cores: number;
  readonly memoryBytes: number;
}

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
