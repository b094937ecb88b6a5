import type { FAULT } from './worker/ring.js';

/** What can be made to go wrong with a descriptor. */
export type DescriptorFault = Exclude<keyof typeof FAULT, 'cancel'>;

/**
 * What a test has go wrong, where it would on a device. Each is asked once for whatever it could happen to, and answers
 * whether it does.
 */
export interface FaultPlan {
  /** Whether this mapping fails, with ENOMEM. */
  map?(): boolean;
  /** Whether submitting this descriptor fails, with EIO. */
  submit?(channel: number): boolean;
  /** What the device does with this descriptor. */
  descriptor?(channel: number): DescriptorFault;
}
