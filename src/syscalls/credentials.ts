import { type Checks, wholeNumber, yesOrNo } from '../check.js';
import { ErrnoError } from '../errno.js';
import type { AddressSpace } from '../mm/address-space.js';

/** Who makes a system call. */
export interface Credentials {
  /** The caller's user. Default: 0. */
  uid?: number | undefined;
  /** Whether the caller has CAP_SYS_NICE. Default: only user 0 has. */
  capSysNice?: boolean | undefined;
}

/** What {@link Credentials} are checked by. */
export const CREDENTIALS: Checks<Credentials> = {
  uid: wholeNumber(0, Number.POSITIVE_INFINITY),
  capSysNice: yesOrNo,
};

/** Whether the caller has CAP_SYS_NICE. */
export function hasCapSysNice({ uid = 0, capSysNice }: Credentials): boolean {
  return capSysNice ?? uid === 0;
}

/** Throws ESRCH for an address space that was closed, and EPERM for another user's without CAP_SYS_NICE. */
export function checkTarget(mm: AddressSpace, credentials: Credentials): void {
  const isCapable = hasCapSysNice(credentials);
  if (mm.closed) throw new ErrnoError('ESRCH', 'the address space is closed');
  if (isCapable || mm.uid === (credentials.uid ?? 0)) return;
  throw new ErrnoError('EPERM', `the address space is of user ${mm.uid}: CAP_SYS_NICE is needed to move its pages`);
}
