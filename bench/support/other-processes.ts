import { readFileSync } from 'node:fs';

/** Time that passed on all cores since boot, in milliseconds, and what of it went to processes or was stolen. */
function readCores(): { total: number; busy: number; stolen: number } {
  const ticks = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]?.trim().split(/\s+/).slice(1, 9).map(Number) ?? [];
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, stolen = 0] = ticks;
  const busy = user + nice + system + irq + softirq;
  return { total: (busy + idle + iowait + stolen) * 10, busy: busy * 10, stolen: stolen * 10 };
}

/**
 * Watches what other processes take of the cores, for figures taken beside them are not the engine's. Only Linux tells.
 *
 * @returns a function that says what they took since its last call, or an empty string elsewhere
 */
export function watchOthers(): () => string {
  if (process.platform !== 'linux') return () => '';
  let before = { ...readCores(), own: process.cpuUsage() };
  return () => {
    const now = { ...readCores(), own: process.cpuUsage() };
    const own = (now.own.user + now.own.system - before.own.user - before.own.system) / 1000;
    const total = Math.max(1, now.total - before.total);
    const share = (ms: number) => `${Math.max(0, Math.round((100 * ms) / total))} %`;
    const said = `Other processes took ${share(now.busy - before.busy - own)} of the cores meanwhile, the host ${share(now.stolen - before.stolen)}.`;
    before = now;
    return said;
  };
}
