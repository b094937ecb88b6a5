import { ErrnoError, invalid } from '../errno.js';
import type { AddressSpace } from '../mm/address-space.js';

/** Who makes a system call. */
export interface Credentials {
  /** The caller's user. Default: 0. */
  uid?: number | undefined;
  /** Whether the caller has CAP_SYS_NICE. Default: only user 0 has. */
  capSysNice?: boolean | undefined;
}

/** Whether the caller has CAP_SYS_NICE. Throws EINVAL for a uid that is none. */
export function hasCapSysNice({ uid = 0, capSysNice }: Credentials): boolean {
  if (!Number.isInteger(uid) || uid < 0) throw invalid('uid', 'must be a whole number, 0 or more', uid);
  return capSysNice ?? uid === 0;
}

/** Throws ESRCH for an address space that was closed, and EPERM for another user's without CAP_SYS_NICE. */
export function checkTarget(mm: AddressSpace, credentials: Credentials): void {
  const isCapable = hasCapSysNice(credentials);
  if (mm.closed) throw new ErrnoError('ESRCH', 'the address space is closed');
  if (isCapable || mm.uid === (credentials.uid ?? 0)) return;
  throw new ErrnoError('EPERM', `the address space is of user ${mm.uid}: CAP_SYS_NICE is needed to move its pages`);
}
