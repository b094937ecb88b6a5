import { setImmediate } from 'node:timers/promises';
import { wholeNumber } from '../check.js';
import { type PageTable, VPN_LIMIT } from '../cpu/page-table.js';
import { MIGRATION, PRESENT, WRITE } from '../cpu/pte.js';
import { ErrnoError, errnoName } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { PAGE_SIZE, type Vpn } from '../units.js';
import { entryAt, frameAt, touch } from './page-entries.js';

/** What is accessed: a page table, and who makes a page of it accessible. */
interface Accessed {
  readonly table: PageTable;
  /** Returns 0, or the errno that the access fails with. */
  fault(vpn: Vpn, isStore: boolean): Promise<number>;
}

const checkAddress = wholeNumber(0, Number.POSITIVE_INFINITY);

/**
 * Faults in each page of a range of an address space and hands its bytes, with their position in the range, to `use`
 * (access_process_vm).
 *
 * @throws ErrnoError EINVAL for an address that is none; what the fault comes to; EHWPOISON for a page with a memory error
 */
export async function accessProcessVm(
  memory: PhysicalMemory,
  mm: Accessed,
  address: number,
  length: number,
  isStore: boolean,
  use: (physical: Uint8Array, done: number) => void,
): Promise<void> {
  checkAddress('address', address);
  for (let done = 0; done < length; ) {
    const offset = (address + done) % PAGE_SIZE;
    const bytes = Math.min(PAGE_SIZE - offset, length - done);
    const vpn = (address + done - offset) / PAGE_SIZE;
    // No await from the look at the entry to the use of the frame: at each a migration may go on, and move the page.
    const frame = accessibleFrame(mm.table, vpn, isStore);
    if (frame === undefined) {
      await faultIn(mm, vpn, isStore);
      continue;
    }
    if (memory.isPoisoned(frame * PAGE_SIZE, PAGE_SIZE)) {
      throw new ErrnoError('EHWPOISON', `the page at ${address + done - offset} has a memory error`);
    }
    use(memory.bytes.subarray(frame * PAGE_SIZE + offset, frame * PAGE_SIZE + offset + bytes), done);
    done += bytes;
  }
}

/** The frame of a page, if it may be loaded, or stored to, now. */
function accessibleFrame(table: PageTable, vpn: number, isStore: boolean): number | undefined {
  const needed = isStore ? PRESENT | WRITE : PRESENT;
  const entry = vpn < VPN_LIMIT ? entryAt(table, vpn) : 0;
  if ((entry & needed) !== needed) return undefined;
  touch(table, vpn, isStore);
  return frameAt(table, vpn, entry);
}

/** Makes a page accessible, or waits a turn of the event loop for one that is being migrated. */
async function faultIn(mm: Accessed, vpn: number, isStore: boolean): Promise<void> {
  if (vpn < VPN_LIMIT && entryAt(mm.table, vpn) & MIGRATION) {
    await setImmediate();
    return;
  }
  const errno = await mm.fault(vpn as Vpn, isStore);
  if (errno === 0) return;
  throw new ErrnoError(
    errnoName(errno) ?? 'EFAULT',
    `the page at 0x${(vpn * PAGE_SIZE).toString(16)} cannot be accessed`,
  );
}
