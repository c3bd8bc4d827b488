import { message } from "../check.ts";
import type { Shareable, SharedState } from "../shared/shareable.ts";
import { checkPrimitive, checkValues } from "./checks.ts";
import { copy, defineManaged, type Operations, Subject } from "./subject.ts";

const KIND = "ManagedMap";

const operations: Operations<Map<unknown, unknown>> = {
  get: (map, [key]) => map.get(key),
  set: (map, [key, value]) => void map.set(key, value),
  has: (map, [key]) => map.has(key),
  delete: (map, [key]) => map.delete(key),
  clear: (map) => map.clear(),
  size: (map) => map.size,
  keys: (map) => [...map.keys()],
  values: (map) => [...map.values()],
  entries: (map) => [...map],
  getOrSet(map, [key, value]) {
    if (!map.has(key)) map.set(key, value);
    return map.get(key);
  },
  increment(map, [key, by]) {
    const value = map.has(key) ? map.get(key) : 0;
    if (typeof value !== "number") {
      const name = `the value at ${JSON.stringify(String(key))}`;
      throw new TypeError(
        `Cannot increment in a ${KIND} as ${name} is no number`,
      );
    }
    map.set(key, value + by);
    return value + by;
  },
  compareExchange(map, [key, expected, replacement]) {
    const value = map.get(key);
    if (Object.is(value, expected)) map.set(key, replacement);
    return value;
  },
};

function checkKey(action: string, key: unknown): void {
  checkPrimitive(`${action} a ${KIND}`, "key", key);
}

/**
 * A map that lives in the thread that made it, and can be used from all
 * workers: for data of no fixed shape, as Python's `Manager().dict()`. Send it
 * to workers in shared objects, arguments or results, however deep; each gets
 * a handle to the same map, and so do the workers of a pool inside a worker.
 *
 * From a worker each method is a message to the thread that made the map, and
 * its answer; there, methods act at once. A method is atomic, two are not: use
 * {@linkcode ManagedMap.increment}, {@linkcode ManagedMap.getOrSet} and
 * {@linkcode ManagedMap.compareExchange} to change what is there. The methods
 * that one thread calls take effect in the order it calls them, awaited or
 * not. They are for asynchronous tasks: a thread that does not yield gets no
 * answer, and gives none.
 *
 * Values are copied on their way in and out, by the rules for arguments and
 * results of tasks, also in the thread that made the map: to change an object
 * in the map, set it again. Keys are primitives.
 *
 * The map lives as long as the thread that made it refers to it, or a worker
 * to which it was sent lives. One that a worker makes is for this worker and
 * its own workers.
 *
 * @typeParam K The type of the keys, which are primitives.
 * @typeParam V The type of the values, which can be sent to workers.
 *
 * @example Usage
 * ```ts
 * import { ManagedMap, WorkerPool } from "@polypool/polypool";
 * import { assertEquals } from "@std/assert";
 *
 * const counts = new ManagedMap<string, number>();
 * await using pool = new WorkerPool({ nJobs: 2, sharedObjects: counts });
 * await pool.map(async (counts, line: string) => {
 *   for (const word of line.split(" ")) await counts.increment(word);
 * }, ["to be or", "not to be"]);
 * assertEquals(await counts.get("be"), 2);
 * ```
 */
export class ManagedMap<K, V> implements Shareable {
  static {
    defineManaged(this as never, KIND);
  }

  readonly #subject: Subject<Map<unknown, unknown>>;

  /**
   * Makes a map.
   *
   * @param entries The first keys and values.
   * @throws {TypeError} If they are no iterable of pairs, or a key is an
   * object.
   * @throws {DOMException} If a value cannot be sent: a `DataCloneError`.
   */
  constructor(entries?: Iterable<readonly [K, V]> | null) {
    this.#subject = new Subject(this, {
      kind: KIND,
      operations,
      createState: () => createMap(entries),
    });
  }

  /**
   * The value at a key.
   *
   * @param key The key.
   * @returns A copy of the value; `undefined` if there is none.
   * @throws {TypeError} If the key is an object.
   *
   * @example Usage
   * ```ts
   * import { ManagedMap } from "@polypool/polypool";
   * import { assertEquals } from "@std/assert";
   *
   * const map = new ManagedMap([["a", [1]]]);
   * assertEquals(await map.get("a"), [1]);
   * ```
   */
  async get(key: K): Promise<V | undefined> {
    checkKey("get from", key);
    return await this.#subject.call("get", key) as V | undefined;
  }

  /**
   * Sets the value at a key.
   *
   * @param key The key.
   * @param value The value, which is copied.
   * @throws {TypeError} If the key is an object.
   * @throws {DOMException} If the value cannot be sent: a `DataCloneError`.
   *
   * @example Usage
   * ```ts
   * import { ManagedMap } from "@polypool/polypool";
   * import { assertEquals } from "@std/assert";
   *
   * const map = new ManagedMap<string, number>();
   * await map.set("a", 1);
   * assertEquals(await map.entries(), [["a", 1]]);
   * ```
   */
  async set(key: K, value: V): Promise<void> {
    checkKey("set in", key);
    await this.#subject.call("set", key, value);
  }

  /**
   * Whether there is a value at a key.
   *
   * @param key The key.
   * @throws {TypeError} If the key is an object.
   */
  async has(key: K): Promise<boolean> {
    checkKey("look into", key);
    return await this.#subject.call("has", key) as boolean;
  }

  /**
   * Removes a key and its value.
   *
   * @param key The key.
   * @returns Whether it was there: of several that delete it, one is told so.
   * @throws {TypeError} If the key is an object.
   */
  async delete(key: K): Promise<boolean> {
    checkKey("delete from", key);
    return await this.#subject.call("delete", key) as boolean;
  }

  /** Removes all that is in the map. */
  async clear(): Promise<void> {
    await this.#subject.call("clear");
  }

  /** The number of keys. */
  async size(): Promise<number> {
    return await this.#subject.call("size") as number;
  }

  /** All keys, in the order in which they were first set. */
  async keys(): Promise<K[]> {
    return await this.#subject.call("keys") as K[];
  }

  /** Copies of all values, in the order of their keys. */
  async values(): Promise<V[]> {
    return await this.#subject.call("values") as V[];
  }

  /** All keys with copies of their values. */
  async entries(): Promise<[K, V][]> {
    return await this.#subject.call("entries") as [K, V][];
  }

  /**
   * Goes through the entries as they are when it begins.
   *
   * @example Usage
   * ```ts
   * import { ManagedMap } from "@polypool/polypool";
   * import { assertEquals } from "@std/assert";
   *
   * let sum = 0;
   * for await (const [, value] of new ManagedMap([["a", 1], ["b", 2]])) {
   *   sum += value;
   * }
   * assertEquals(sum, 3);
   * ```
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<[K, V], void, void> {
    yield* await this.entries();
  }

  /**
   * Sets the value at a key unless there is one: of several that do so, the
   * first sets it, and all get what it set.
   *
   * @param key The key.
   * @param value The value, which is copied.
   * @returns A copy of what is at the key then.
   * @throws {TypeError} If the key is an object.
   * @throws {DOMException} If the value cannot be sent: a `DataCloneError`.
   *
   * @example Usage
   * ```ts
   * import { ManagedMap } from "@polypool/polypool";
   * import { assertEquals } from "@std/assert";
   *
   * const map = new ManagedMap<string, number>();
   * assertEquals(await map.getOrSet("a", 1), 1);
   * assertEquals(await map.getOrSet("a", 2), 1);
   * ```
   */
  async getOrSet(key: K, value: V): Promise<V> {
    checkKey("set in", key);
    return await this.#subject.call("getOrSet", key, value) as V;
  }

  /**
   * Adds to the number at a key. Where there is none, it counts as 0.
   *
   * @param key The key.
   * @param by What is added.
   * @returns The new number.
   * @throws {TypeError} If the key is an object, or `by` or the value is no
   * number.
   *
   * @example Usage
   * ```ts
   * import { ManagedMap } from "@polypool/polypool";
   * import { assertEquals } from "@std/assert";
   *
   * const map = new ManagedMap<string, number>();
   * assertEquals(await map.increment("a"), 1);
   * assertEquals(await map.increment("a", 4), 5);
   * ```
   */
  async increment(key: K, by: number = 1): Promise<number> {
    checkKey("increment in", key);
    if (typeof by !== "number") {
      const action = `increment in a ${KIND}`;
      throw new TypeError(message(action, "by", "a number", by));
    }
    return await this.#subject.call("increment", key, by) as number;
  }

  /**
   * Sets the value at a key if it is what it is expected to be: the way to any
   * other change of a primitive. Where it is not, begin again with what is
   * returned.
   *
   * @param key The key.
   * @param expected What the value must be, by `Object.is()`; `undefined` if
   * there must be none.
   * @param replacement The new value, which is copied.
   * @returns A copy of the value before: the expected one if it was replaced.
   * @throws {TypeError} If the key or the expected value is an object.
   * @throws {DOMException} If the new value cannot be sent: a
   * `DataCloneError`.
   *
   * @example Usage
   * ```ts
   * import { ManagedMap } from "@polypool/polypool";
   * import { assertEquals } from "@std/assert";
   *
   * const map = new ManagedMap([["best", 3]]);
   * async function offer(score: number) {
   *   let best = await map.get("best");
   *   while (best === undefined || score > best) {
   *     const found = await map.compareExchange("best", best, score);
   *     if (found === best) break;
   *     best = found;
   *   }
   * }
   * await Promise.all([5, 4].map(offer));
   * assertEquals(await map.get("best"), 5);
   * ```
   */
  async compareExchange(
    key: K,
    expected: V | undefined,
    replacement: V,
  ): Promise<V | undefined> {
    checkKey("set in", key);
    checkPrimitive(`set in a ${KIND}`, "expected", expected);
    return await this.#subject.call(
      "compareExchange",
      key,
      expected,
      replacement,
    ) as V | undefined;
  }

  /** How the map is sent. */
  polypoolState(): SharedState {
    return this.#subject.send();
  }

  /** How a worker's call reaches the map. */
  polypoolPerform(method: string, args: unknown[]): unknown {
    return this.#subject.perform(method, args);
  }
}

function createMap(entries: unknown): Map<unknown, unknown> {
  const action = `make a ${KIND}`;
  checkValues(action, "entries", entries);
  const map = new Map<unknown, unknown>();
  for (const entry of entries as Iterable<unknown> ?? []) {
    if (typeof entry !== "object" || entry === null) {
      throw new TypeError(
        message(action, "entries", "pairs of a key and a value", entry),
      );
    }
    const [key, value] = [(entry as unknown[])[0], (entry as unknown[])[1]];
    checkKey("make", key);
    map.set(key, copy(value, `a value of a ${KIND}`));
  }
  return map;
}
