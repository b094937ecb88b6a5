import type { Attribute, Attributes } from './attribute.js';

/** The files of `/sys/devices/system/node`. */
export function nodeFiles(nodes: number): Attributes {
  return { online: onlineFile('nodes of memory', nodes) };
}

/** The files of `/sys/devices/system/cpu`. */
export function cpuFiles(cpus: number): Attributes {
  return { online: onlineFile('CPUs that run programs', cpus) };
}

/** A file that lists what there is, for a machine has all of it from its boot to its end. */
function onlineFile(what: string, count: number): Attribute {
  return { doc: `the ${what}, by their numbers`, show: () => formatList(count) };
}

/** Numbers from 0 on, as the kernel prints a set (`%*pbl`). */
function formatList(count: number): string {
  if (count === 0) return '';
  return count === 1 ? '0' : `0-${count - 1}`;
}
