import { message } from "../check.ts";
import type { Shareable, SharedState } from "../shared/shareable.ts";
import { checkPrimitive, checkValues } from "./checks.ts";
import { copy, defineManaged, type Operations, Subject } from "./subject.ts";

const KIND = "ManagedList";

// Values are added one by one: there may be more than a call can have.
const operations: Operations<unknown[]> = {
  at: (list, [index]) => list.at(index),
  set(list, [index, value]) {
    const at = index < 0 ? list.length + index : index;
    if (at < 0 || at >= list.length) {
      throw new RangeError(
        `Cannot set in a ${KIND} as 'index' must be that of one of its ` +
          `${list.length} values: current value is ${index}`,
      );
    }
    list[at] = value;
  },
  push(list, values) {
    for (const value of values) list.push(value);
    return list.length;
  },
  pop: (list) => list.pop(),
  shift: (list) => list.shift(),
  unshift(list, values) {
    const rest = list.splice(0);
    for (const value of values) list.push(value);
    for (const value of rest) list.push(value);
    return list.length;
  },
  slice: (list, [start, end]) => list.slice(start, end),
  splice: (list, [start, deleteCount, ...values]) =>
    list.splice(start, deleteCount ?? Infinity, ...values),
  length: (list) => list.length,
  clear: (list) => void (list.length = 0),
  includes: (list, [value]) => list.includes(value),
  indexOf: (list, [value]) => list.indexOf(value),
};

function checkIndex(action: string, name: string, index: unknown): void {
  const fullAction = `${action} a ${KIND}`;
  const rule = "an integer";
  if (typeof index !== "number") {
    throw new TypeError(message(fullAction, name, rule, index));
  }
  if (!Number.isInteger(index)) {
    throw new RangeError(message(fullAction, name, rule, index));
  }
}

/**
 * A list that lives in the thread that made it, and can be used from all
 * workers: for data of no fixed shape, as Python's `Manager().list()`. Send it
 * to workers in shared objects, arguments or results, however deep; each gets
 * a handle to the same list, and so do the workers of a pool inside a worker.
 *
 * The methods are those of an array, but asynchronous. From a worker each is a
 * message to the thread that made the list, and its answer; there, methods act
 * at once. A method is atomic, two are not. The methods that one thread calls
 * take effect in the order it calls them, awaited or not. They are for
 * asynchronous tasks: a thread that does not yield gets no answer, and gives
 * none.
 *
 * Values are copied on their way in and out, by the rules for arguments and
 * results of tasks, also in the thread that made the list: to change an object
 * in the list, set it again.
 *
 * The list lives as long as the thread that made it refers to it, or a worker
 * to which it was sent lives. One that a worker makes is for this worker and
 * its own workers.
 *
 * @typeParam T The type of the values, which can be sent to workers.
 *
 * @example Usage
 * ```ts
 * import { ManagedList, WorkerPool } from "@polypool/polypool";
 * import { assertEquals } from "@std/assert";
 *
 * const primes = new ManagedList<number>();
 * await using pool = new WorkerPool({ nJobs: 2, sharedObjects: primes });
 * await pool.map(async (primes, n: number) => {
 *   for (let i = 2; i * i <= n; i++) if (n % i === 0) return;
 *   await primes.push(n);
 * }, [2, 3, 4, 5, 6]);
 * assertEquals((await primes.slice()).sort(), [2, 3, 5]);
 * ```
 */
export class ManagedList<T> implements Shareable {
  static {
    defineManaged(this as never, KIND);
  }

  readonly #subject: Subject<unknown[]>;

  /**
   * Makes a list.
   *
   * @param values The first values.
   * @throws {TypeError} If they are no iterable.
   * @throws {DOMException} If one cannot be sent: a `DataCloneError`.
   */
  constructor(values?: Iterable<T> | null) {
    this.#subject = new Subject(this, {
      kind: KIND,
      operations,
      createState: () => createList(values),
    });
  }

  /**
   * The value at an index.
   *
   * @param index The index; a negative one counts from the end.
   * @returns A copy of the value; `undefined` if there is none.
   * @throws {TypeError} If the index is no number.
   * @throws {RangeError} If it is no integer.
   *
   * @example Usage
   * ```ts
   * import { ManagedList } from "@polypool/polypool";
   * import { assertEquals } from "@std/assert";
   *
   * const list = new ManagedList([1, 2, 3]);
   * assertEquals(await list.at(-1), 3);
   * ```
   */
  async at(index: number): Promise<T | undefined> {
    checkIndex("get from", "index", index);
    return await this.#subject.call("at", index) as T | undefined;
  }

  /**
   * Replaces the value at an index.
   *
   * @param index The index; a negative one counts from the end.
   * @param value The value, which is copied.
   * @throws {TypeError} If the index is no number.
   * @throws {RangeError} If it is no integer, or the list has no such index.
   * @throws {DOMException} If the value cannot be sent: a `DataCloneError`.
   *
   * @example Usage
   * ```ts
   * import { ManagedList } from "@polypool/polypool";
   * import { assertEquals } from "@std/assert";
   *
   * const list = new ManagedList([1, 2, 3]);
   * await list.set(1, 20);
   * assertEquals(await list.slice(), [1, 20, 3]);
   * ```
   */
  async set(index: number, value: T): Promise<void> {
    checkIndex("set in", "index", index);
    await this.#subject.call("set", index, value);
  }

  /**
   * Adds values at the end: all next to each other.
   *
   * @param values The values, which are copied.
   * @returns The new length.
   * @throws {DOMException} If one cannot be sent: a `DataCloneError`.
   */
  async push(...values: T[]): Promise<number> {
    return await this.#subject.call("push", ...values) as number;
  }

  /**
   * Removes the last value.
   *
   * @returns The value; `undefined` if there was none.
   */
  async pop(): Promise<T | undefined> {
    return await this.#subject.call("pop") as T | undefined;
  }

  /**
   * Removes the first value.
   *
   * @returns The value; `undefined` if there was none.
   */
  async shift(): Promise<T | undefined> {
    return await this.#subject.call("shift") as T | undefined;
  }

  /**
   * Adds values at the beginning: all next to each other.
   *
   * @param values The values, which are copied.
   * @returns The new length.
   * @throws {DOMException} If one cannot be sent: a `DataCloneError`.
   */
  async unshift(...values: T[]): Promise<number> {
    return await this.#subject.call("unshift", ...values) as number;
  }

  /**
   * Copies of the values in a range; without one, of all.
   *
   * @param start Where it begins; a negative index counts from the end.
   * @param end The index behind the last value; a negative one counts from
   * the end.
   * @throws {TypeError} If an index is no number.
   * @throws {RangeError} If one is no integer.
   */
  async slice(start: number = 0, end?: number): Promise<T[]> {
    checkIndex("slice", "start", start);
    if (end !== undefined) checkIndex("slice", "end", end);
    return await this.#subject.call("slice", start, end) as T[];
  }

  /**
   * Removes values and puts others in their place.
   *
   * @param start Where it begins; a negative index counts from the end.
   * @param deleteCount How many are removed; if `undefined`, all from there.
   * @param values The values that are put there, which are copied.
   * @returns What has been removed.
   * @throws {TypeError} If a number is none.
   * @throws {RangeError} If one is no integer.
   * @throws {DOMException} If a value cannot be sent: a `DataCloneError`.
   *
   * @example Usage
   * ```ts
   * import { ManagedList } from "@polypool/polypool";
   * import { assertEquals } from "@std/assert";
   *
   * const list = new ManagedList([1, 2, 3]);
   * assertEquals(await list.splice(0, 2, 9), [1, 2]);
   * assertEquals(await list.slice(), [9, 3]);
   * ```
   */
  async splice(
    start: number,
    deleteCount?: number,
    ...values: T[]
  ): Promise<T[]> {
    checkIndex("splice", "start", start);
    if (deleteCount !== undefined) {
      checkIndex("splice", "deleteCount", deleteCount);
    }
    const args = [start, deleteCount, ...values];
    return await this.#subject.call("splice", ...args) as T[];
  }

  /** The number of values. */
  async length(): Promise<number> {
    return await this.#subject.call("length") as number;
  }

  /** Removes all values. */
  async clear(): Promise<void> {
    await this.#subject.call("clear");
  }

  /**
   * Whether the value is in the list.
   *
   * @param value The value.
   * @throws {TypeError} If it is an object.
   */
  async includes(value: T): Promise<boolean> {
    checkPrimitive(`search a ${KIND}`, "value", value);
    return await this.#subject.call("includes", value) as boolean;
  }

  /**
   * The index at which the value is found first; -1 if it is not in the list.
   *
   * @param value The value.
   * @throws {TypeError} If it is an object.
   */
  async indexOf(value: T): Promise<number> {
    checkPrimitive(`search a ${KIND}`, "value", value);
    return await this.#subject.call("indexOf", value) as number;
  }

  /**
   * Goes through the values as they are when it begins.
   *
   * @example Usage
   * ```ts
   * import { ManagedList } from "@polypool/polypool";
   * import { assertEquals } from "@std/assert";
   *
   * let sum = 0;
   * for await (const value of new ManagedList([1, 2])) sum += value;
   * assertEquals(sum, 3);
   * ```
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    yield* await this.slice();
  }

  /** How the list is sent. */
  polypoolState(): SharedState {
    return this.#subject.send();
  }

  /** How a worker's call reaches the list. */
  polypoolPerform(method: string, args: unknown[]): unknown {
    return this.#subject.perform(method, args);
  }
}

function createList(values: unknown): unknown[] {
  checkValues(`make a ${KIND}`, "values", values);
  return Array.from(
    values as Iterable<unknown> ?? [],
    (value) => copy(value, `a value of a ${KIND}`),
  );
}
