import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** The clock of the first CPU in MHz, as the system says; 0 if it doesn't. Some virtual machines say it in /proc/cpuinfo alone. */
export function clockMhz(): number {
  const mhz = cpus()[0]?.speed ?? 0;
  if (mhz > 0) return mhz;
  try {
    return Number(/^cpu MHz\s*:\s*([\d.]+)/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
