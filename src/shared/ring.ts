/** Where the next record begins that is to be read. */
const HEAD = 0;
/** Where the next record is to be written. */
const TAIL = 1;

/** The number of words of a {@linkcode Ring}. */
export const RING_WORDS = 2;

/** Each record begins with its length, in so many bytes. */
const LENGTH_BYTES = 4;

/**
 * Records of bytes, one after the other, in memory that is used in a circle.
 * One thread at a time may use it.
 *
 * Head and tail run from 0 to twice the capacity, so that empty and full
 * differ. A record counts when the tail has passed it, and no more when the
 * head has: a thread may die at any time in between.
 */
export class Ring {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;

  /** Uses the words for its state and the bytes for the records. */
  constructor(words: Int32Array, bytes: Uint8Array) {
    this.#words = words;
    this.#bytes = bytes;
  }

  /** The longest record that there can be. */
  get maxLength(): number {
    return this.#bytes.length - LENGTH_BYTES;
  }

  /** Whether a record of so many bytes has room now. */
  hasRoom(length: number): boolean {
    return this.#used() + LENGTH_BYTES + length <= this.#bytes.length;
  }

  /** Adds a record, which must have room. */
  write(record: Uint8Array): void {
    const { length } = record;
    let tail = this.#words[TAIL]!;
    tail = this.#copyIn(tail, lengthBytes(length));
    tail = this.#copyIn(tail, record);
    Atomics.store(this.#words, TAIL, tail);
  }

  /** Takes the oldest record, if there is one. */
  read(): Uint8Array<ArrayBuffer> | undefined {
    const head = this.#words[HEAD]!;
    if (head === this.#words[TAIL]!) return undefined;
    const length = this.#lengthAt(head);
    const record = this.#copyOut(this.#after(head, LENGTH_BYTES), length);
    Atomics.store(
      this.#words,
      HEAD,
      this.#after(head, LENGTH_BYTES + length),
    );
    return record;
  }

  /** Counts the records. */
  count(): number {
    let count = 0;
    const tail = this.#words[TAIL]!;
    for (let at = this.#words[HEAD]!; at !== tail; count++) {
      at = this.#after(at, LENGTH_BYTES + this.#lengthAt(at));
    }
    return count;
  }

  #used(): number {
    const used = this.#words[TAIL]! - this.#words[HEAD]!;
    return used < 0 ? used + this.#bytes.length * 2 : used;
  }

  #after(position: number, length: number): number {
    const limit = this.#bytes.length * 2;
    const next = position + length;
    return next >= limit ? next - limit : next;
  }

  #lengthAt(position: number): number {
    const { buffer } = this.#copyOut(position, LENGTH_BYTES);
    return new DataView(buffer).getUint32(0);
  }

  #copyIn(position: number, record: Uint8Array): number {
    const bytes = this.#bytes;
    const at = position % bytes.length;
    const first = Math.min(record.length, bytes.length - at);
    bytes.set(record.subarray(0, first), at);
    bytes.set(record.subarray(first), 0);
    return this.#after(position, record.length);
  }

  #copyOut(position: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes;
    const record = new Uint8Array(length);
    const at = position % bytes.length;
    const first = Math.min(length, bytes.length - at);
    record.set(bytes.subarray(at, at + first));
    record.set(bytes.subarray(0, length - first), first);
    return record;
  }
}

function lengthBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES);
  new DataView(bytes.buffer).setUint32(0, length);
  return bytes;
}
