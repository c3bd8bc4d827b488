import { type Resolvers, withResolvers } from "./promises.ts";

/** Where the results of a call go. */
export interface Collector {
  /** Results of consecutive tasks, the first being task `first`. */
  add(first: number, results: ArrayLike<unknown>): void;
  /** All results have been added. */
  finish(): void;
  /** The call has failed. */
  fail(error: unknown): void;
}

/** Gathers results in an array, for `map` and `mapUnordered`. */
export class ArrayCollector implements Collector {
  readonly #ordered: boolean;
  readonly #results: unknown[] = [];
  readonly #resolvers: Resolvers<unknown[]> = withResolvers();

  constructor(ordered: boolean) {
    this.#ordered = ordered;
  }

  /** The results. */
  get promise(): Promise<unknown[]> {
    return this.#resolvers.promise;
  }

  add(first: number, results: ArrayLike<unknown>): void {
    const all = this.#results;
    const start = this.#ordered ? first : all.length;
    // An array that is filled from its end on turns into a slow hash table.
    while (all.length < start) all.push(undefined);
    for (let i = 0; i < results.length; i++) all[start + i] = results[i];
  }

  finish(): void {
    this.#resolvers.resolve(this.#results);
  }

  fail(error: unknown): void {
    this.#resolvers.reject(error);
  }
}

/** What an iterator needs of the call whose results it gives. */
export interface IteratedCall {
  /** A result has been taken. */
  taken(): void;
  /** No more results are wanted. Resolves when the call has ended. */
  cancel(): Promise<void>;
  /** Resolves when all that belongs to the end of the call is done. */
  ended(): Promise<void>;
}

/** Hands results to a consumer one by one, for `imap` and `imapUnordered`. */
export class IteratorCollector implements Collector {
  readonly #ordered: boolean;
  /** Ordered: results by task. Unordered: by arrival. */
  readonly #results = new Map<number, unknown>();
  #next = 0;
  #arrived = 0;
  #waiting: Resolvers<IteratorResult<unknown, undefined>>[] = [];
  #end: { error?: unknown; failed: boolean } | undefined;
  #hasBegun = false;
  readonly #call: IteratedCall;
  readonly #begin: () => void;

  /** `begin` is called when the first result is asked for. */
  constructor(ordered: boolean, call: IteratedCall, begin: () => void) {
    this.#ordered = ordered;
    this.#call = call;
    this.#begin = begin;
  }

  add(first: number, results: ArrayLike<unknown>): void {
    const start = this.#ordered ? first : this.#arrived;
    this.#arrived += results.length;
    for (let i = 0; i < results.length; i++) {
      this.#results.set(start + i, results[i]);
    }
    while (this.#waiting.length > 0 && this.#results.has(this.#next)) {
      this.#waiting.shift()!.resolve({ done: false, value: this.#take() });
    }
  }

  finish(): void {
    this.#close({ failed: false });
  }

  fail(error: unknown): void {
    // Results that nobody has taken go with the call.
    this.#results.clear();
    this.#close({ error, failed: true });
  }

  /** The iterator to give to the user. */
  iterator(): AsyncIterableIterator<unknown, undefined> & AsyncDisposable {
    const iterator = {
      next: () => this.#step(),
      return: async (): Promise<IteratorResult<unknown, undefined>> => {
        this.#results.clear();
        this.#close({ failed: false });
        await this.#call.cancel();
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
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      if (!this.#end) this.#begin();
    }
    if (this.#results.has(this.#next)) {
      return Promise.resolve({ done: false, value: this.#take() });
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
    await this.#call.ended();
    if (end.failed) throw end.error;
    return { done: true, value: undefined };
  }

  #take(): unknown {
    const value = this.#results.get(this.#next);
    this.#results.delete(this.#next++);
    this.#call.taken();
    return value;
  }

  #close(end: { error?: unknown; failed: boolean }): void {
    if (this.#end) return;
    this.#end = end;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve } of waiting) resolve(this.#last());
  }
}
