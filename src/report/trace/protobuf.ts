/** Writes messages of Protocol Buffers: of their wire format just what a trace needs. */
export interface MessageWriter {
  /**
   * A whole number as a varint: of every integer type but those with zigzag encoding, and of bool and enum.
   *
   * @throws RangeError for what is no safe integer
   */
  number(field: number, value: number): void;
  /** Any number, also one that is none. */
  double(field: number, value: number): void;
  text(field: number, value: string): void;
  /** A message within this one, which `write` writes. */
  message(field: number, write: (writer: MessageWriter) => void): void;
}

/** Wire types: what a field's number is followed by. */
const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;
/** Bytes that are kept for the length of a message: enough for one of up to 2^14 - 1, as nearly all are. */
const LENGTH_BYTES = 2;
const MAX_LENGTH = 2 ** (7 * LENGTH_BYTES) - 1;
/** Bytes of the longest varint. */
const MAX_VARINT = 10;

const utf8 = new TextEncoder();

/** Messages one after the other, in memory that grows. */
export class MessageBuffer implements MessageWriter {
  #bytes: Uint8Array;
  #at = 0;

  /** @param capacity bytes to begin with, above 0 */
  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  number(field: number, value: number): void {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is no safe integer`);
    this.#varint(field * 8 + VARINT);
    if (value < 0) this.#negativeVarint(value);
    else this.#varint(value);
  }

  double(field: number, value: number): void {
    this.#varint(field * 8 + FIXED_64);
    this.#makeRoom(8);
    new DataView(this.#bytes.buffer).setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  text(field: number, value: string): void {
    const bytes = utf8.encode(value);
    this.#varint(field * 8 + LENGTH_DELIMITED);
    this.#varint(bytes.length);
    this.#makeRoom(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  message(field: number, write: (writer: MessageWriter) => void): void {
    this.#varint(field * 8 + LENGTH_DELIMITED);
    this.#makeRoom(LENGTH_BYTES);
    const start = this.#at + LENGTH_BYTES;
    // Its length is known once it is written; a varint may have leading zeros.
    this.#at = start;
    write(this);
    const length = this.#at - start;
    if (length > MAX_LENGTH) {
      this.#lengthBefore(start, length);
      return;
    }
    this.#bytes[start - 2] = (length & 0x7f) | 0x80;
    this.#bytes[start - 1] = length >>> 7;
  }

  /** Writes the length of a message for which less room is kept than it takes: the message moves on. */
  #lengthBefore(start: number, length: number): void {
    this.#makeRoom(MAX_VARINT);
    const message = this.#bytes.slice(start, start + length);
    this.#at = start - LENGTH_BYTES;
    this.#varint(length);
    this.#bytes.set(message, this.#at);
    this.#at += length;
  }

  /** All that was written since this was asked last; good until something else is written. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#at);
    this.#at = 0;
    return taken;
  }

  #varint(value: number): void {
    this.#makeRoom(MAX_VARINT);
    let rest = value;
    // By division: numbers have up to 53 bits, and shifts take 32.
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) this.#bytes[this.#at++] = (rest % 128) | 0x80;
    this.#bytes[this.#at++] = rest;
  }

  /** As two's complement of 64 bits. */
  #negativeVarint(value: number): void {
    this.#makeRoom(MAX_VARINT);
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 0x7fn; rest >>= 7n) this.#bytes[this.#at++] = Number(rest & 0x7fn) | 0x80;
    this.#bytes[this.#at++] = Number(rest);
  }

  #makeRoom(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#at + bytes));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}
