import { type Resolvers, withResolvers } from "./promises.ts";
import { Queue } from "./queue.ts";
import { runtime } from "./runtime/detect.ts";
import { passAfterTurn, TurnWatch } from "./turns.ts";
import { giveNumbers } from "./wire/number_buffers.ts";

/** Where the results of a call go. */
export interface Collector {
  /** So many results are to come, unless the input ends earlier. */
  expect?(count: number): void;
  /** Results of consecutive tasks, the first being task `first`. */
  add(first: number, results: ArrayLike<unknown>): void;
  /** All results have been added. */
  finish(): void;
  /** The call has failed. */
  fail(error: unknown): void;
}

/** Results, and the errors by index from `offset` on, as of `allSettled()`. */
export function asSettled(
  results: ArrayLike<unknown>,
  failures: Map<number, unknown> | undefined,
  offset: number,
): PromiseSettledResult<unknown>[] {
  return Array.from(
    results,
    (value, i) =>
      failures?.has(offset + i)
        ? { status: "rejected", reason: failures.get(offset + i) }
        : { status: "fulfilled", value },
  );
}

/** Results of consecutive tasks. */
type Part = ArrayLike<unknown>;

const NONE: Part = [];

/** Puts parts of results in order; without order they pass as they come. */
class Sequence {
  readonly #ordered: boolean;
  /** The number of results that have passed. */
  #passed = 0;
  /** Parts that came before those of earlier tasks, by first task. */
  readonly #early = new Map<number, Part>();

  constructor(ordered: boolean) {
    this.#ordered = ordered;
  }

  /** Adds a part; `pass` gets each part whose turn it is. */
  add(first: number, part: Part, pass: (part: Part) => void): void {
    if (this.#ordered && first !== this.#passed) {
      this.#early.set(first, part);
      return;
    }
    let next: Part | undefined = part;
    while (next) {
      this.#passed += next.length;
      pass(next);
      if (this.#early.size === 0) return;
      next = this.#early.get(this.#passed);
      this.#early.delete(this.#passed);
    }
  }
}

/** Longer arrays are no longer made in one piece by every engine. */
const MAX_PREPARED = 1 << 25;

/** Gathers results in an array, for `map` and `mapUnordered`. */
export class ArrayCollector implements Collector {
  readonly #ordered: boolean;
  /** The number of results that are to come, if it is known. */
  #expected: number | undefined;
  /** Has its length from the start: growing costs several times as much. */
  #results: unknown[] | undefined;
  /** What came before the number of results was known. */
  #parts: [first: number, part: Part][] = [];
  /** The number of results that have come. */
  #count = 0;
  readonly #resolvers: Resolvers<unknown[]> = withResolvers();

  constructor(ordered: boolean) {
    this.#ordered = ordered;
  }

  /** The results. */
  get promise(): Promise<unknown[]> {
    return this.#resolvers.promise;
  }

  expect(count: number): void {
    if (count <= MAX_PREPARED) this.#expected = count;
  }

  add(first: number, part: Part): void {
    const at = this.#ordered ? first : this.#count;
    this.#count += part.length;
    if (this.#expected === undefined) {
      this.#parts.push([at, part]);
      return;
    }
    // Not before the workers have something to do.
    this.#results ??= arrayFor(this.#expected, part);
    write(this.#results, at, part);
  }

  finish(): void {
    const [first] = this.#parts;
    const results = this.#results ??= arrayFor(this.#count, first?.[1]);
    for (const [at, part] of this.#parts) write(results, at, part);
    // There may have been fewer than expected.
    results.length = this.#count;
    this.#resolvers.resolve(results);
  }

  fail(error: unknown): void {
    this.#resolvers.reject(error);
  }
}

/**
 * An array with room for so many results, of which some are known. V8 makes
 * room for small integers where there is nothing yet, and makes it anew when
 * the first other number comes: a fraction shows it what is to come.
 */
function arrayFor(count: number, part: Part | undefined): unknown[] {
  const areNumbers = part instanceof Float64Array;
  if (!areNumbers || !runtime.capabilities.lengthensNumbers) {
    return new Array(count);
  }
  const array: unknown[] = [0.5];
  array.length = count;
  return array;
}

function write(results: unknown[], at: number, part: Part): void {
  if (part instanceof Float64Array) return writeNumbers(results, at, part);
  for (let i = 0; i < part.length; i++) results[at + i] = part[i];
}

// Engines make a loop fast for few kinds of arrays.
function writeNumbers(
  results: unknown[],
  at: number,
  part: Float64Array,
): void {
  for (let i = 0; i < part.length; i++) results[at + i] = part[i];
  giveNumbers(part);
}

/** What an iterator needs of the call whose results it gives. */
export interface IteratedCall {
  /** So many results have been taken. */
  taken(count: number): void;
  /** No more results are wanted. Resolves when the call has ended. */
  cancel(): Promise<void>;
  /** Resolves when all that belongs to the end of the call is done. */
  ended(): Promise<void>;
}

/** Hands results to a consumer one by one, for `imap` and `imapUnordered`. */
export class IteratorCollector implements Collector {
  readonly #sequence: Sequence;
  /** Results whose turn it is. */
  readonly #parts = new Queue<Part>();
  /** The first of them; the next result is the one at `#position`. */
  #part: Part = NONE;
  #position = 0;
  /** From here to there results are taken without more ado. */
  #runStart = 0;
  #runEnd = 0;
  readonly #turns = new TurnWatch();
  #waiting: Resolvers<IteratorResult<unknown, undefined>>[] = [];
  #end: { error?: unknown; failed: boolean } | undefined;
  #hasBegun = false;
  #isEndTold = false;
  readonly #call: IteratedCall;
  readonly #begin: () => void;

  /** `begin` is called when the first result is asked for. */
  constructor(ordered: boolean, call: IteratedCall, begin: () => void) {
    this.#sequence = new Sequence(ordered);
    this.#call = call;
    this.#begin = begin;
  }

  add(first: number, results: ArrayLike<unknown>): void {
    this.#sequence.add(first, results, (part) => {
      if (part.length > 0) this.#parts.push(part);
    });
    this.#handOut();
  }

  finish(): void {
    // Taking a result may itself end the call, before the others are taken.
    this.#handOut();
    this.#close({ failed: false });
  }

  fail(error: unknown): void {
    // Results that nobody has taken go with the call.
    this.#clear();
    this.#close({ error, failed: true });
  }

  /** The iterator to give to the user. */
  iterator(): AsyncIterableIterator<unknown, undefined> & AsyncDisposable {
    const iterator = {
      next: () => this.#step(),
      return: async (): Promise<IteratorResult<unknown, undefined>> => {
        this.#clear();
        this.#close({ failed: false });
        await this.#over(this.#call.cancel());
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]: () => iterator,
      [Symbol.asyncDispose]: async () => {
        await iterator.return();
      },
    };
    return iterator as unknown as
      & AsyncIterableIterator<unknown, undefined>
      & AsyncDisposable;
  }

  #step(): Promise<IteratorResult<unknown, undefined>> {
    if (this.#position < this.#runEnd) {
      return Promise.resolve({ done: false, value: this.#take() });
    }
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      if (!this.#end) this.#begin();
    }
    if (this.#parts.length > 0) {
      const isDue = this.#turns.isDue();
      this.#beginRun(isDue ? 1 : this.#turns.stepsLeft);
      const result = { done: false, value: this.#take() } as const;
      return isDue ? passAfterTurn(result) : Promise.resolve(result);
    }
    if (this.#end) return this.#last();
    const resolvers = withResolvers<IteratorResult<unknown, undefined>>();
    this.#waiting.push(resolvers);
    return resolvers.promise;
  }

  /** What a consumer gets who asks past the results. */
  async #last(): Promise<IteratorResult<unknown, undefined>> {
    const end = this.#end!;
    // An error is told once.
    this.#end = { failed: false };
    const over = this.#over(this.#call.ended());
    if (end.failed) {
      await over.catch(() => {});
      throw end.error;
    }
    await over;
    return { done: true, value: undefined };
  }

  /** Waits for the end of the call. What fails there is told once as well. */
  async #over(ended: Promise<void>): Promise<void> {
    try {
      await ended;
    } catch (error) {
      if (this.#isEndTold) return;
      this.#isEndTold = true;
      throw error;
    }
  }

  /** Gives results to those who wait for them. */
  #handOut(): void {
    while (this.#waiting.length > 0 && this.#parts.length > 0) {
      if (this.#position === this.#runEnd) this.#beginRun(1);
      const { resolve } = this.#waiting.shift()!;
      resolve({ done: false, value: this.#take() });
    }
  }

  /** So many of the results that are there may be taken, or fewer. */
  #beginRun(most: number): void {
    this.#part = this.#parts.peek()!;
    this.#runStart = this.#position;
    this.#runEnd = Math.min(this.#position + most, this.#part.length);
  }

  #take(): unknown {
    const value = this.#part[this.#position++];
    if (this.#position === this.#runEnd) this.#endRun();
    return value;
  }

  #endRun(): void {
    const part = this.#part;
    const count = this.#runEnd - this.#runStart;
    if (this.#position === part.length) {
      this.#parts.shift();
      this.#forgetPart();
      if (part instanceof Float64Array) giveNumbers(part);
    }
    this.#turns.pass(count);
    this.#call.taken(count);
  }

  /** Drops the results that are there. */
  #clear(): void {
    this.#parts.clear();
    this.#forgetPart();
  }

  #forgetPart(): void {
    this.#part = NONE;
    this.#position = this.#runStart = this.#runEnd = 0;
  }

  #close(end: { error?: unknown; failed: boolean }): void {
    if (this.#end) return;
    this.#end = end;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve } of waiting) resolve(this.#last());
  }
}
