import { checkIterable } from "./check.ts";
import { checkChunking } from "./option_checks.ts";

/** The default number of chunks for each worker (from MPIRE). */
const SPLITS_PER_JOB = 64;

/**
 * Tasks in a chunk of a size of our own choice, at most. V8 keeps an array of
 * more than 128 kB in memory of its own, made anew for each: of 10,000,000
 * numbers each takes 40 to 80 % longer. One that grows up to here has 112 kB.
 */
const LARGEST = 14_000;

/** Decides how many tasks the next chunk gets. */
export interface ChunkSizer {
  /** The number of tasks that the next chunk should have, at least 1. */
  readonly size: number;
  /** The most tasks that a chunk will have, for now. */
  readonly largest: number;
  /** Whether a chunk may be sent before it has that many, if input is slow. */
  readonly mayGoUnfilled: boolean;
  /** Whether the size follows from how long tasks take. */
  readonly adapts: boolean;
  /** A chunk has been cut. */
  cut(): void;
  /** A chunk of `count` tasks took `cost` ms to run, or to send. */
  ran(count: number, cost: number): void;
}

/**
 * Chunks of a size that may be fractional: the fraction is carried, so that
 * a size of 2.5 gives 3, 2, 3, 2 tasks. The scheme is MPIRE's.
 */
export class FixedSizer implements ChunkSizer {
  readonly mayGoUnfilled: boolean;
  readonly adapts = false;
  readonly #chunkSize: number;
  #target: number;

  constructor(chunkSize: number, mayGoUnfilled: boolean = false) {
    this.mayGoUnfilled = mayGoUnfilled;
    // Larger ones would add up to infinity.
    this.#chunkSize = Math.min(chunkSize, Number.MAX_SAFE_INTEGER);
    this.#target = this.#chunkSize;
  }

  get size(): number {
    return Math.max(1, Math.ceil(this.#target));
  }

  get largest(): number {
    return Math.max(1, Math.ceil(this.#chunkSize));
  }

  cut(): void {
    // Added before the subtraction: rounding then cuts as MPIRE does.
    const target = this.#target + this.#chunkSize;
    this.#target = target - Math.ceil(this.#target);
  }

  ran(): void {}
}

/**
 * For input of which nobody sees how it is read: chunks of a fixed size, and
 * several of them at once while they are short. A message costs as much as
 * thousands of quick tasks.
 */
export class JoiningSizer implements ChunkSizer {
  /** How long what is sent at once should take, in ms. */
  static readonly #TARGET = 1;
  /** Chunks that are sent at once, at most. */
  static readonly #MOST = 16;
  readonly mayGoUnfilled = true;
  readonly adapts = false;
  readonly #chunkSize: number;
  readonly #single: FixedSizer;
  readonly #nJobs: number;
  /** Tasks that have not been cut. */
  #left: number;
  #count = 1;

  constructor(chunkSize: number, length: number, nJobs: number) {
    this.#chunkSize = chunkSize;
    this.#single = new FixedSizer(chunkSize);
    this.#nJobs = nJobs;
    this.#left = length;
  }

  get size(): number {
    if (this.#count === 1) return this.#single.size;
    const joined = Math.min(this.#count * this.#chunkSize, LARGEST);
    // The last ones are for all workers, but not for a message each.
    const share = Math.max(this.#left / this.#nJobs, joined / 2);
    return Math.max(this.#single.size, Math.ceil(Math.min(joined, share)));
  }

  get largest(): number {
    return Math.ceil(Math.min(JoiningSizer.#MOST * this.#chunkSize, LARGEST));
  }

  cut(): void {
    this.#left -= this.size;
    this.#single.cut();
  }

  ran(count: number, cost: number): void {
    if (cost > 2 * JoiningSizer.#TARGET) this.#count = 1;
    // Only what was as large as allowed tells that more would fit.
    else if (
      cost < JoiningSizer.#TARGET / 2 &&
      count >= Math.floor(this.#count * this.#chunkSize)
    ) this.#count = Math.min(this.#count * 4, JoiningSizer.#MOST);
  }
}

/**
 * For input of unknown length: starts with one task and grows while chunks
 * are short, so that neither many quick tasks nor a few long ones suffer.
 */
export class AdaptiveSizer implements ChunkSizer {
  /** How long a chunk should take, in ms. */
  static readonly #TARGET = 2;
  /** What takes less, in ms, is not worth a message of its own. */
  static readonly #QUICK = 0.1;
  readonly mayGoUnfilled = true;
  readonly adapts = true;
  #size = 1;
  #least = 1;

  get size(): number {
    return this.#size;
  }

  get largest(): number {
    return this.#size;
  }

  /** So many tasks are quick together: a chunk need not be smaller. */
  get least(): number {
    return this.#least;
  }

  cut(): void {}

  ran(count: number, cost: number): void {
    const rate = count / Math.max(cost, 1e-3);
    // What takes long for once, as when a thread has slept, says little.
    const least = Math.max(rate * AdaptiveSizer.#QUICK, this.#least / 2);
    this.#least = Math.ceil(least);
    const fitting = rate * AdaptiveSizer.#TARGET;
    if (fitting >= this.#size) {
      // Only a chunk as large as allowed tells that more would fit.
      if (count < this.#size) return;
      this.#size = Math.min(
        Math.ceil(fitting),
        this.#size * 2,
        LARGEST,
      );
    } else if (cost > 2 * AdaptiveSizer.#TARGET) {
      this.#size = Math.max(1, Math.floor(fitting));
    }
  }
}

/** What a call says about its chunks. */
interface SizeOptions {
  chunkSize?: number | undefined;
  nSplits?: number | undefined;
}

/**
 * The sizer for the chunk options of a call. With `mayJoin` chunks of a size
 * that nobody has asked for may be sent several at once.
 */
export function createSizer(
  options: SizeOptions,
  length: number | undefined,
  nJobs: number,
  mayJoin = false,
): ChunkSizer {
  const { chunkSize, nSplits } = options;
  if (chunkSize !== undefined) return new FixedSizer(chunkSize);
  if (length === undefined) return new AdaptiveSizer();
  if (nSplits !== undefined) return new FixedSizer(length / nSplits);
  const size = Math.min(length / (nJobs * SPLITS_PER_JOB), LARGEST);
  return mayJoin
    ? new JoiningSizer(size, length, nJobs)
    : new FixedSizer(size, true);
}

/** The number of elements of an iterable, where it tells. */
export function lengthOf(iterable: object | string): number | undefined {
  const { length, size } = iterable as { length?: unknown; size?: unknown };
  for (const count of [length, size]) {
    if (typeof count === "number" && count >= 0 && Number.isInteger(count)) {
      return count;
    }
  }
  return undefined;
}

/** Options of {@linkcode chunkTasks}. */
export interface ChunkTasksOptions {
  /**
   * The number of elements. A longer iterable is cut there.
   *
   * @default {iterable.length ?? iterable.size}
   */
  iterableLen?: number | undefined;
  /** Elements in a chunk, at least 1; may be fractional. */
  chunkSize?: number | undefined;
  /** The number of chunks; used when there is no `chunkSize`. */
  nSplits?: number | undefined;
}

/**
 * Cuts an iterable into chunks, as the pool does. Lazy: a chunk is read when
 * it is asked for.
 *
 * @typeParam T The type of the elements.
 * @param iterable What to cut.
 * @param options The size or the number of chunks.
 * @returns A generator of arrays, asynchronous for an asynchronous iterable.
 * @throws {TypeError} If there is neither `chunkSize` nor `nSplits`, or only
 * `nSplits` and the length is unknown.
 * @throws {RangeError} If a number is out of range.
 *
 * @example Usage
 * ```ts
 * import { chunkTasks } from "@polypool/polypool";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   [...chunkTasks([1, 2, 3, 4, 5], { chunkSize: 2.5 })],
 *   [[1, 2, 3], [4, 5]],
 * );
 * ```
 */
export function chunkTasks<T>(
  iterable: Iterable<T>,
  options: ChunkTasksOptions,
): Generator<T[], void, void>;
/** The same for an asynchronous iterable. */
export function chunkTasks<T>(
  iterable: AsyncIterable<T>,
  options: ChunkTasksOptions,
): AsyncGenerator<T[], void, void>;
export function chunkTasks<T>(
  iterable: Iterable<T> | AsyncIterable<T>,
  options: ChunkTasksOptions,
): Generator<T[], void, void> | AsyncGenerator<T[], void, void> {
  const isAsync = checkChunking(iterable, options);
  const length = options.iterableLen ?? lengthOf(iterable);
  const sizer = createSizer(options, length, 1);
  const limit = options.iterableLen ?? Infinity;
  return isAsync
    ? chunkAsync(iterable as AsyncIterable<T>, sizer, limit)
    : chunkSync(iterable as Iterable<T>, sizer, limit);
}

function* chunkSync<T>(
  iterable: Iterable<T>,
  sizer: ChunkSizer,
  limit: number,
): Generator<T[], void, void> {
  let left = limit;
  let chunk: T[] = [];
  if (left > 0) {
    for (const element of iterable) {
      chunk.push(element);
      left--;
      if (left === 0) break;
      if (chunk.length === sizer.size) {
        yield chunk;
        sizer.cut();
        chunk = [];
      }
    }
  }
  if (chunk.length > 0) yield chunk;
}

async function* chunkAsync<T>(
  iterable: AsyncIterable<T>,
  sizer: ChunkSizer,
  limit: number,
): AsyncGenerator<T[], void, void> {
  let left = limit;
  let chunk: T[] = [];
  if (left > 0) {
    for await (const element of iterable) {
      chunk.push(element);
      left--;
      if (left === 0) break;
      if (chunk.length === sizer.size) {
        yield chunk;
        sizer.cut();
        chunk = [];
      }
    }
  }
  if (chunk.length > 0) yield chunk;
}

/**
 * Wraps each element in an array, so that a task gets elements that are
 * arrays themselves whole, as one argument.
 *
 * @typeParam T The type of the elements.
 * @param iterable What to wrap; may be asynchronous.
 * @returns A lazy iterable of `[element]`, asynchronous for an asynchronous
 * iterable.
 * @throws {TypeError} If `iterable` is not iterable.
 *
 * @example Usage
 * ```ts
 * import { makeSingleArguments } from "@polypool/polypool";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...makeSingleArguments([[1, 2], [3]])], [[[1, 2]], [[3]]]);
 * ```
 */
export function makeSingleArguments<T>(
  iterable: Iterable<T | []>,
): Iterable<[T]>;
/** The same for an asynchronous iterable. */
export function makeSingleArguments<T>(
  iterable: AsyncIterable<T | []>,
): AsyncIterable<[T]>;
export function makeSingleArguments<T>(
  iterable: Iterable<T> | AsyncIterable<T>,
): Iterable<[T]> | AsyncIterable<[T]> {
  const isAsync = checkIterable("make single arguments", "iterable", iterable);
  const wrapped: Iterable<[T]> | AsyncIterable<[T]> = isAsync
    ? { [Symbol.asyncIterator]: () => wrapAsync(iterable as AsyncIterable<T>) }
    : { [Symbol.iterator]: () => wrapSync(iterable as Iterable<T>) };
  // What the input tells of its length helps to cut it.
  const length = lengthOf(iterable);
  return length === undefined ? wrapped : Object.assign(wrapped, { length });
}

function* wrapSync<T>(iterable: Iterable<T>): Generator<[T], void, void> {
  for (const element of iterable) yield [element];
}

async function* wrapAsync<T>(
  iterable: AsyncIterable<T>,
): AsyncGenerator<[T], void, void> {
  for await (const element of iterable) yield [element];
}
