/** Results of consecutive tasks. */
export class ResultList {
  /** For results as long as all are numbers. */
  #buffer: Float64Array | undefined;
  #others: unknown[] = [];
  #length = 0;

  /** `buffer` has room for all results that there will be. */
  constructor(buffer: Float64Array | undefined) {
    this.#buffer = buffer;
  }

  /** Where results may be put; undefined once there are others than numbers. */
  get buffer(): Float64Array | undefined {
    return this.#buffer;
  }

  /** How many there are. */
  get length(): number {
    return this.#length;
  }

  /** The buffer now holds so many. */
  set length(length: number) {
    this.#length = length;
  }

  /** Adds one. */
  add(result: unknown): void {
    if (this.#buffer !== undefined && typeof result === "number") {
      this.#buffer[this.#length++] = result;
    } else {
      this.#addOther(result);
    }
  }

  /** Takes all of them; they are nobody else's. */
  take(): ArrayLike<unknown> {
    const buffer = this.#buffer;
    const results = buffer === undefined
      ? this.#others
      : this.#length === buffer.length
      ? buffer
      : buffer.slice(0, this.#length);
    this.#buffer = undefined;
    this.#others = [];
    this.#length = 0;
    return results;
  }

  #addOther(result: unknown): void {
    if (this.#buffer !== undefined) {
      this.#others = Array.from(this.#buffer.subarray(0, this.#length));
      this.#buffer = undefined;
    }
    // An array that grows from nothing takes room for many.
    if (this.#length === 0) this.#others = [result];
    else this.#others.push(result);
    this.#length++;
  }
}
