import { invalid } from '../errno.js';

/** Why a migration happens: the kernel's enum migrate_reason, in the order of its bits. */
export const MIGRATE_REASONS = [
  'compaction',
  'memory_failure',
  'memory_hotplug',
  'syscall_or_cpuset',
  'mempolicy_mbind',
  'numa_misplaced',
  'contig_range',
  'longterm_pin',
  'demotion',
  'damon',
] as const;
/** Why a migration happens: one of {@link MIGRATE_REASONS}. */
export type MigrateReason = (typeof MIGRATE_REASONS)[number];

/** A set of reasons: bit `i` stands for entry `i` of {@link MIGRATE_REASONS}. */
export type ReasonMask = number;

const ALL_REASONS: ReasonMask = 2 ** MIGRATE_REASONS.length - 1;
const NUMBER = /^(?:0x[\da-f]+|\d+)$/i;

/** The bit of a reason. */
export function reasonBit(reason: MigrateReason): ReasonMask {
  return 1 << MIGRATE_REASONS.indexOf(reason);
}

/**
 * Reads a set of reasons: names with commas between (`'compaction, demotion'`), `'all'`, `'none'`, or the mask as a number,
 * in a string decimal or hexadecimal (`'0x101'`). White space around a name is ignored.
 *
 * @param name what an error calls it
 * @throws ErrnoError EINVAL for anything else, such as a name that is no reason's
 */
export function parseReasonMask(value: string | number, name = 'reason_mask'): ReasonMask {
  if (typeof value === 'number') return checkMask(name, value, value);
  if (typeof value !== 'string') throw notAMask(name, value);
  const text = value.trim();
  if (text === 'all') return ALL_REASONS;
  if (text === 'none') return 0;
  if (NUMBER.test(text)) return checkMask(name, Number(text), value);
  let mask = 0;
  for (const reason of text.split(',')) {
    const bit = MIGRATE_REASONS.indexOf(reason.trim() as MigrateReason);
    if (bit < 0) throw notAMask(name, value);
    mask |= 1 << bit;
  }
  return mask;
}

/**
 * A set of reasons as names that {@link parseReasonMask} reads; `'none'` for the empty one.
 *
 * @throws ErrnoError EINVAL for what is no mask
 */
export function formatReasonMask(mask: ReasonMask): string {
  checkMask('mask', mask, mask);
  return MIGRATE_REASONS.filter((reason) => mask & reasonBit(reason)).join(',') || 'none';
}

function checkMask(name: string, mask: number, value: unknown): ReasonMask {
  if (Number.isInteger(mask) && mask >= 0 && mask <= ALL_REASONS) return mask;
  throw notAMask(name, value);
}

function notAMask(name: string, value: unknown): Error {
  const what = `must be names of ${MIGRATE_REASONS.join(', ')}, 'all', 'none', or a number from 0 to ${ALL_REASONS}`;
  return invalid(name, what, value);
}
