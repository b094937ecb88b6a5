import { PAGE_SIZE } from '../units.js';
import type { AddressSpace } from './address-space.js';

/** A range of an address space that `mmap` returned. A plain description: unmapping changes nothing in it. */
export class Area {
  /** The address space that it is in. */
  readonly mm: AddressSpace;
  /** First virtual address, in bytes; a multiple of 2 MiB and of the folio size. */
  readonly address: number;
  /** Bytes. */
  readonly length: number;
  /** Bytes of the folios that it was mapped with. */
  readonly folioSize: number;

  /** @internal */
  constructor(mm: AddressSpace, address: number, length: number, folioSize: number) {
    this.mm = mm;
    this.address = address;
    this.length = length;
    this.folioSize = folioSize;
  }

  /** The virtual address of every page, in bytes. */
  pages(): Float64Array {
    return this.#every(PAGE_SIZE);
  }

  /** The virtual address of every folio, in bytes: one moves it whole. */
  folios(): Float64Array {
    return this.#every(this.folioSize);
  }

  #every(step: number): Float64Array {
    return Float64Array.from({ length: this.length / step }, (_, i) => this.address + i * step);
  }
}
