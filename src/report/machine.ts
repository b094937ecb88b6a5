import { availableParallelism, cpus, totalmem } from 'node:os';

/** The machine that a measurement was made on, as far as it can be told. */
export interface MachineFacts {
  readonly node: string;
  readonly platform: string;
  readonly arch: string;
  readonly cpu: string;
  /** Threads that can run at once. */
  readonly cores: number;
  readonly memoryBytes: number;
}

export function machineFacts(): MachineFacts {
  return {
    node: process.version,
    platform: process.platform,
    arch: process.arch,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
  };
}
