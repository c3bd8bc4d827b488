import { sliceOf } from "./slices.ts";
import type { TypedArray } from "./types.ts";
import {
  clearTimeout,
  queueMicrotask,
  setTimeout,
  type Timer,
} from "./timers.ts";

/** Where the elements of a call come from, read no further than asked. */
export interface ElementReader {
  /** Whether no element is left. */
  readonly ended: boolean;
  /**
   * Up to `count` elements that are at hand. None does not mean the end: see
   * `ended`; the reader's owner is told when more can be had. What the input
   * throws is thrown here.
   */
  take(count: number, sendPartly: boolean): ArrayLike<unknown>;
  /** Stops reading, as when a loop over the input is left. */
  close(): void;
}

/** Makes the reader for an input that has been checked. */
export function createReader(
  input: Iterable<unknown> | AsyncIterable<unknown>,
  isAsync: boolean,
  limit: number,
  onReady: () => void,
): ElementReader {
  const reader = isAsync
    ? new AsyncReader(input as AsyncIterable<unknown>, limit, onReady)
    : isPlainArray(input)
    ? new ArrayReader(input, limit)
    : new IterableReader(input as Iterable<unknown>, limit);
  return new LoneReader(reader, onReady);
}

/**
 * Reads one thing at a time: input may itself call the pool, which then asks
 * for more of it. Who does so is told when more can be had.
 */
class LoneReader implements ElementReader {
  readonly #reader: ElementReader;
  readonly #onReady: () => void;
  #isReading = false;
  #wasAsked = false;

  constructor(reader: ElementReader, onReady: () => void) {
    this.#reader = reader;
    this.#onReady = onReady;
  }

  get ended(): boolean {
    return !this.#isReading && this.#reader.ended;
  }

  take(count: number, sendPartly: boolean): ArrayLike<unknown> {
    if (this.#isReading) {
      this.#wasAsked = true;
      return [];
    }
    this.#isReading = true;
    try {
      return this.#reader.take(count, sendPartly);
    } finally {
      this.#isReading = false;
      if (this.#wasAsked) queueMicrotask(this.#onReady);
      this.#wasAsked = false;
    }
  }

  close(): void {
    this.#reader.close();
  }
}

type PlainArray = unknown[] | TypedArray;

const typedArrayIterator = Int8Array.prototype[Symbol.iterator];

/** Arrays whose iteration nobody has changed can be cut without iterating. */
export function isPlainArray(input: object): input is PlainArray {
  return Array.isArray(input)
    ? input[Symbol.iterator] === Array.prototype[Symbol.iterator]
    : ArrayBuffer.isView(input) && "length" in input &&
      (input as TypedArray)[Symbol.iterator] === typedArrayIterator;
}

class ArrayReader implements ElementReader {
  readonly #array: PlainArray;
  readonly #limit: number;
  readonly #hadElements: boolean;
  #position = 0;

  constructor(array: PlainArray, limit: number) {
    this.#array = array;
    this.#limit = limit;
    this.#hadElements = array.length > 0;
  }

  get ended(): boolean {
    if (this.#position >= this.#limit) return true;
    // The array may have been shortened meanwhile.
    return this.#position >= this.#array.length && !this.#isGone;
  }

  take(count: number): ArrayLike<unknown> {
    if (this.#isGone) {
      this.close();
      throw new TypeError(
        "Cannot read the input to its end as its memory has been transferred",
      );
    }
    const array = this.#array;
    const start = this.#position;
    const end = Math.min(start + count, this.#limit, array.length);
    this.#position = end;
    return sliceOf(array, start, end);
  }

  /** Whether it is a typed array that lost its memory. */
  get #isGone(): boolean {
    const array = this.#array;
    if (!this.#hadElements || array.length > 0) return false;
    return !Array.isArray(array) &&
      !(array.buffer as { resizable?: boolean }).resizable;
  }

  close(): void {
    this.#position = Infinity;
  }
}

class IterableReader implements ElementReader {
  readonly #iterable: Iterable<unknown>;
  #iterator: Iterator<unknown> | undefined;
  #left: number;
  #isReading = false;
  ended = false;

  constructor(iterable: Iterable<unknown>, limit: number) {
    this.#iterable = iterable;
    this.#left = limit;
    if (limit === 0) this.ended = true;
  }

  take(count: number): unknown[] {
    const elements: unknown[] = [];
    this.#iterator ??= this.#iterable[Symbol.iterator]();
    while (elements.length < count && !this.ended) {
      let step: IteratorResult<unknown>;
      this.#isReading = true;
      try {
        step = checkStep(this.#iterator.next());
      } catch (error) {
        this.ended = true;
        throw error;
      } finally {
        this.#isReading = false;
      }
      if (step.done) {
        this.ended = true;
      } else if (this.ended) {
        // It has ended the call itself, and could not be left meanwhile.
        this.#iterator.return?.();
      } else {
        elements.push(step.value);
        if (--this.#left === 0) this.close();
      }
    }
    return elements;
  }

  close(): void {
    if (this.ended) return;
    this.ended = true;
    if (!this.#isReading) this.#iterator?.return?.();
  }
}

/** As `for ... of` does: what is no object would never say that it is done. */
function checkStep(step: IteratorResult<unknown>): IteratorResult<unknown> {
  if (Object(step) === step) return step;
  throw new TypeError(`Iterator result ${String(step)} is not an object`);
}

/** How long elements wait for a chunk to fill, where it may go unfilled. */
const PATIENCE = 1;

class AsyncReader implements ElementReader {
  readonly #iterable: AsyncIterable<unknown>;
  readonly #onReady: () => void;
  #iterator: AsyncIterator<unknown> | undefined;
  #left: number;
  /** Elements that have been read and not been taken. */
  #elements: unknown[] = [];
  /** How many shall be read. */
  #wanted = 0;
  #isReading = false;
  #isClosed = false;
  #failure: { error: unknown } | undefined;
  #inputEnded = false;
  #timer: Timer;
  #isPatienceOver = false;

  constructor(
    iterable: AsyncIterable<unknown>,
    limit: number,
    onReady: () => void,
  ) {
    this.#iterable = iterable;
    this.#left = limit;
    this.#onReady = onReady;
    if (limit === 0) this.#inputEnded = true;
  }

  get ended(): boolean {
    return this.#inputEnded && this.#elements.length === 0 && !this.#failure;
  }

  take(count: number, sendPartly: boolean): unknown[] {
    if (this.#failure) {
      const { error } = this.#failure;
      this.#failure = undefined;
      throw error;
    }
    const isEnough = this.#elements.length >= count || this.#inputEnded ||
      (sendPartly && this.#isPatienceOver && this.#elements.length > 0);
    if (!isEnough) {
      this.#wanted = count;
      if (!this.#isReading) this.#read();
      if (sendPartly) this.#startPatience();
      return [];
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isPatienceOver = false;
    const taken = this.#elements.splice(0, count);
    // What has been taken counts elsewhere from now on.
    this.#wanted = Math.max(0, this.#wanted - taken.length);
    return taken;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#elements = [];
    if (this.#isClosed || this.#inputEnded) return;
    this.#isClosed = true;
    this.#inputEnded = true;
    this.#leave();
  }

  /** What return() does is nobody's concern any more. */
  async #leave(): Promise<void> {
    try {
      await this.#iterator?.return?.();
    } catch {
      // As it says.
    }
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    try {
      this.#iterator ??= this.#iterable[Symbol.asyncIterator]();
      while (this.#elements.length < this.#wanted && !this.#inputEnded) {
        const step = checkStep(await this.#iterator.next());
        if (this.#isClosed) return;
        if (step.done) {
          this.#inputEnded = true;
        } else {
          this.#elements.push(step.value);
          if (--this.#left === 0) this.#cut();
          this.#startPatience();
        }
      }
    } catch (error) {
      if (this.#isClosed) return;
      this.#inputEnded = true;
      this.#failure = { error };
    } finally {
      this.#isReading = false;
    }
    this.#onReady();
  }

  /** The input is longer than it shall be read. */
  #cut(): void {
    this.#inputEnded = true;
    this.#leave();
  }

  #startPatience(): void {
    if (this.#timer !== undefined || this.#elements.length === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#isPatienceOver = true;
      this.#onReady();
    }, PATIENCE);
  }
}
