import { checkInteger, checkNames, checkObject, message } from "../check.ts";
import {
  LockAbandonedError,
  QueueClosedError,
  TimeoutError,
} from "../errors.ts";
import {
  type Cell,
  createCell,
  definePrimitive,
  OWN,
  sendCell,
  takeParts,
} from "./cell.ts";
import { isGivenUp, note } from "./held.ts";
import { packItem, unpackItem } from "./items.ts";
import { allocate } from "./memory.ts";
import { monitorOf } from "./monitor.ts";
import { Lock } from "./lock.ts";
import type { Mutex } from "./mutex.ts";
import { Ring, RING_WORDS } from "./ring.ts";
import { type Shareable, SHARED_STATE, type SharedState } from "./shareable.ts";
import {
  type AsyncWaitOptions,
  checkAsyncWait,
  checkSyncWait,
  type SyncWaitOptions,
  wait,
  type Waiter,
  waitSync,
  waitTimeoutError,
} from "./waiter.ts";
import { wake } from "./waiting.ts";

/** How many items have been put, and how many got: what is waited for. */
const PUTS = OWN;
const GETS = OWN + 1;
/** How many wait for an item, and how many for room; or more, if some died. */
const GETTERS = OWN + 2;
const PUTTERS = OWN + 3;
const IS_CLOSED = OWN + 4;
const MAX_SIZE = OWN + 5;
const RING = OWN + 6;
const WORDS = 6 + RING_WORDS;

const DEFAULT_BYTES = 2 ** 20;
const MIN_BYTES = 64;
const MAX_BYTES = 2 ** 30;

/** How long something that shall not wait may wait for the lock, in ms. */
const BRIEFLY = 100;

const PUT = "put into a SharedQueue";
const GET = "get from a SharedQueue";

/** Options of a {@linkcode SharedQueue}. */
export interface SharedQueueOptions {
  /**
   * The memory for the items that wait in the queue, in bytes. The largest
   * item must fit.
   *
   * @default {1048576}
   */
  byteLength?: number | undefined;
}

/**
 * A queue in shared memory: tasks and the main thread put items and get them,
 * first in, first out. An item is anything that can be sent to a worker; who
 * gets it has a copy. What does not fit waits until there is room.
 *
 * Memory in items must be that of a `sharedArray()` or the like, and such that
 * processes can share it, too: see `sharedMemory`.
 *
 * @typeParam T The type of the items.
 *
 * @example Usage
 * ```ts
 * import { SharedQueue, WorkerPool } from "@polypool/polypool";
 * import { assertEquals } from "@std/assert";
 *
 * const queue = new SharedQueue<{ square: number }>(10);
 * await using pool = new WorkerPool({ nJobs: 2, sharedObjects: queue });
 * const tasks = pool.map((queue, x: number) => {
 *   queue.putSync({ square: x * x });
 * }, [1, 2, 3]).then(() => queue.close());
 * let sum = 0;
 * for await (const { square } of queue) sum += square;
 * assertEquals(sum, 14);
 * await tasks;
 * ```
 */
export class SharedQueue<T = unknown> implements Shareable, AsyncIterable<T> {
  static {
    definePrimitive(this, "SharedQueue");
  }

  readonly #cell: Cell;
  readonly #bytes: Uint8Array;
  readonly #lock: Lock;
  readonly #mutex: Mutex;
  readonly #ring: Ring;
  #waiting = 0;

  /** Makes a queue, of at most `maxSize` items if that is not 0. */
  constructor(maxSize: number = 0, options: SharedQueueOptions = {}) {
    const parts = takeParts();
    if (!parts) checkQueue(maxSize, options);
    this.#cell = createCell(
      this,
      {
        abandon: () => this.#wakeAll(),
        isIdle: () => this.#waiting === 0,
      },
      WORDS,
      parts,
    );
    const { words } = this.#cell;
    if (parts) {
      [this.#bytes, this.#lock] = parts.slice(1) as [Uint8Array, Lock];
    } else {
      const { byteLength = DEFAULT_BYTES } = options;
      const { buffer, byteOffset } = allocate(byteLength);
      this.#bytes = new Uint8Array(buffer, byteOffset, byteLength);
      this.#lock = new Lock();
      words[MAX_SIZE] = Math.min(maxSize, 2 ** 31 - 1);
    }
    this.#mutex = monitorOf(this.#lock).mutex;
    this.#ring = new Ring(
      words.subarray(RING, RING + RING_WORDS),
      this.#bytes,
    );
  }

  /** The number of items in the queue. It may have changed since. */
  get size(): number {
    const { words } = this.#cell;
    return Math.max(
      0,
      Atomics.load(words, PUTS) - Atomics.load(words, GETS) | 0,
    );
  }

  /** Whether there is no item in the queue. */
  get empty(): boolean {
    return this.size === 0;
  }

  /** Whether there are as many items as there may be. */
  get full(): boolean {
    const max = this.#cell.words[MAX_SIZE]!;
    return max > 0 && this.size >= max;
  }

  /** Whether the queue is closed. */
  get closed(): boolean {
    return Atomics.load(this.#cell.words, IS_CLOSED) === 1;
  }

  /**
   * Adds an item as soon as there is room.
   *
   * @throws {DataCloneError} If it cannot be sent.
   * @throws {RangeError} If it is larger than the queue's memory.
   * @throws {QueueClosedError} If the queue is closed.
   * @throws {TimeoutError} If the time is over; its stage is `"put"`.
   */
  async put(item: T, options?: AsyncWaitOptions): Promise<void> {
    const timeout = checkAsyncWait(PUT, options);
    const record = this.#pack(item);
    const deadline = performance.now() + timeout;
    while (true) {
      const seen = await this.#locked(() => this.#tryPut(record));
      if (seen === undefined) return this.#announce(PUTS, GETTERS, 1);
      const left = leftUntil(deadline);
      const waiter = this.#waiter(GETS, seen);
      const isNew = await this.#counted(
        PUTTERS,
        () => wait(waiter, left, options?.signal),
      );
      if (!isNew) throw noRoom(timeout);
    }
  }

  /**
   * The same for synchronous code, in a task: blocks the thread.
   *
   * @throws {DataCloneError} If it cannot be sent.
   * @throws {RangeError} If it is larger than the queue's memory.
   * @throws {QueueClosedError} If the queue is closed.
   * @throws {TimeoutError} If the time is over; its stage is `"put"`.
   */
  putSync(item: T, options?: SyncWaitOptions): void {
    const timeout = checkSyncWait(PUT, options);
    const record = this.#pack(item);
    const deadline = performance.now() + timeout;
    while (true) {
      const seen = this.#lockedSync(() => this.#tryPut(record));
      if (seen === undefined) return this.#announce(PUTS, GETTERS, 1);
      const left = leftUntil(deadline);
      const waiter = this.#waiter(GETS, seen);
      if (!this.#countedSync(PUTTERS, () => waitSync(waiter, left))) {
        throw noRoom(timeout);
      }
    }
  }

  /**
   * Adds an item if there is room right now. Returns whether there was. May
   * wait for the moment that others take to put or get theirs.
   *
   * @throws {DataCloneError} If it cannot be sent.
   * @throws {RangeError} If it is larger than the queue's memory.
   * @throws {QueueClosedError} If the queue is closed.
   */
  tryPut(item: T): boolean {
    const record = this.#pack(item);
    const seen = this.#lockedBriefly(() => this.#tryPut(record));
    if (seen !== undefined) return false;
    this.#announce(PUTS, GETTERS, 1);
    return true;
  }

  /**
   * Takes the oldest item as soon as there is one.
   *
   * @throws {QueueClosedError} If the queue is closed and empty.
   * @throws {TimeoutError} If the time is over; its stage is `"get"`.
   */
  async get(options?: AsyncWaitOptions): Promise<T> {
    const timeout = checkAsyncWait(GET, options);
    options?.signal?.throwIfAborted();
    const deadline = performance.now() + timeout;
    while (true) {
      const found = await this.#locked(() => this.#tryGet());
      if (typeof found !== "number") return this.#unpack(found);
      const left = leftUntil(deadline);
      const waiter = this.#waiter(PUTS, found);
      const isNew = await this.#counted(
        GETTERS,
        () => wait(waiter, left, options?.signal),
      );
      if (!isNew) throw noItem(timeout);
    }
  }

  /**
   * The same for synchronous code, in a task: blocks the thread.
   *
   * @throws {QueueClosedError} If the queue is closed and empty.
   * @throws {TimeoutError} If the time is over; its stage is `"get"`.
   */
  getSync(options?: SyncWaitOptions): T {
    const timeout = checkSyncWait(GET, options);
    const deadline = performance.now() + timeout;
    while (true) {
      const found = this.#lockedSync(() => this.#tryGet());
      if (typeof found !== "number") return this.#unpack(found);
      const left = leftUntil(deadline);
      const waiter = this.#waiter(PUTS, found);
      if (!this.#countedSync(GETTERS, () => waitSync(waiter, left))) {
        throw noItem(timeout);
      }
    }
  }

  /**
   * Takes the oldest item in an object, if there is one right now. May wait
   * for the moment that others take to put or get theirs.
   *
   * @throws {QueueClosedError} If the queue is closed and empty.
   */
  tryGet(): { item: T } | undefined {
    const found = this.#lockedBriefly(() => this.#tryGet());
    return typeof found === "number"
      ? undefined
      : { item: this.#unpack(found) };
  }

  /**
   * Closes the queue: nothing can be put any more, and whoever waits for an
   * item when none is left gets an error. Iteration ends then.
   */
  close(): void {
    Atomics.store(this.#cell.words, IS_CLOSED, 1);
    this.#wakeAll();
  }

  /** Takes the items until the queue is closed and empty. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    while (true) {
      let item: T;
      try {
        item = await this.get();
      } catch (error) {
        if (error instanceof QueueClosedError) return;
        throw error;
      }
      yield item;
    }
  }

  /** How the queue is sent. */
  [SHARED_STATE](): SharedState {
    return sendCell("SharedQueue", this.#cell, this.#bytes, this.#lock);
  }

  #pack(item: T): Uint8Array {
    const record = packItem(item);
    const { maxLength } = this.#ring;
    if (record.length <= maxLength) return record;
    throw new RangeError(
      `Cannot ${PUT} as the item must take at most ${maxLength} bytes: ` +
        `it takes ${record.length}`,
    );
  }

  #unpack(record: Uint8Array): T {
    // Those who wait for room may need more or less of it.
    this.#announce(GETS, PUTTERS, Infinity);
    return unpackItem(record) as T;
  }

  /** With the lock: `undefined` if the item was added, else `GETS`. */
  #tryPut(record: Uint8Array): number | undefined {
    const { words } = this.#cell;
    if (this.closed) throw new QueueClosedError("The queue is closed");
    if (this.full || !this.#ring.hasRoom(record.length)) {
      return Atomics.load(words, GETS);
    }
    this.#ring.write(record);
    Atomics.add(words, PUTS, 1);
    return undefined;
  }

  /** With the lock: the bytes of the item if there is one, else `PUTS`. */
  #tryGet(): Uint8Array | number {
    const { words } = this.#cell;
    const record = this.#ring.read();
    if (record) {
      Atomics.add(words, GETS, 1);
      return record;
    }
    if (this.closed) throw new QueueClosedError("The queue is closed");
    return Atomics.load(words, PUTS);
  }

  // --- the lock ---

  async #locked<R>(action: () => R): Promise<R> {
    for (let isFound = false;; isFound = true) {
      try {
        return await this.#mutex.run(() => {
          if (isFound) this.#recover();
          return action();
        });
      } catch (error) {
        rethrowUnlessAbandoned(error);
      }
    }
  }

  #lockedSync<R>(action: () => R, timeout = Infinity): R {
    for (let isFound = false;; isFound = true) {
      try {
        this.#mutex.takeSync(GET, { timeout });
      } catch (error) {
        rethrowUnlessAbandoned(error);
        continue;
      }
      try {
        if (isFound) this.#recover();
        return action();
      } finally {
        this.#mutex.give();
      }
    }
  }

  /** The thread may be the one that must learn of a holder's death. */
  #lockedBriefly<R>(action: () => R): R | number {
    try {
      return this.#lockedSync(action, BRIEFLY);
    } catch (error) {
      if (error instanceof TimeoutError) return 0;
      throw error;
    }
  }

  /** A worker died with the lock: what it put or got may not be counted. */
  #recover(): void {
    const { words } = this.#cell;
    const size = this.#ring.count();
    Atomics.store(words, PUTS, Atomics.load(words, GETS) + size | 0);
    this.#wakeAll();
  }

  // --- waiting ---

  /** For one who has seen the word as it is, and waits until it is another. */
  #waiter(index: number, seen: number): Waiter {
    const cell = this.#cell;
    const { words } = cell;
    const { epoch } = this.#mutex;
    return {
      cell,
      index,
      attempt: () =>
        Atomics.load(words, index) !== seen || this.closed ||
          this.#mutex.epoch !== epoch
          ? undefined
          : seen,
      passOn: () => wake(cell, index, 1),
    };
  }

  /** Counts this thread among those who wait, so that somebody wakes it. */
  async #counted(
    word: number,
    waiting: () => Promise<boolean>,
  ): Promise<boolean> {
    this.#enter(word);
    try {
      return await waiting();
    } finally {
      this.#leave(word);
    }
  }

  #countedSync(word: number, waiting: () => boolean): boolean {
    this.#enter(word);
    try {
      return waiting();
    } finally {
      this.#leave(word);
    }
  }

  #enter(word: number): void {
    note(this.#cell);
    this.#waiting++;
    Atomics.add(this.#cell.words, word, 1);
  }

  #leave(word: number): void {
    this.#waiting--;
    Atomics.sub(this.#cell.words, word, 1);
  }

  #announce(index: number, sleepers: number, count: number): void {
    if (Atomics.load(this.#cell.words, sleepers) === 0) return;
    wake(this.#cell, index, count);
  }

  #wakeAll(): void {
    wake(this.#cell, PUTS, Infinity);
    wake(this.#cell, GETS, Infinity);
  }
}

function rethrowUnlessAbandoned(error: unknown): void {
  if (!(error instanceof LockAbandonedError) || isGivenUp()) throw error;
}

function checkQueue(maxSize: unknown, options: unknown): void {
  const action = "create a SharedQueue";
  checkInteger(action, "maxSize", maxSize, 0);
  checkObject(action, "options", options);
  checkNames(action, options as object, ["byteLength"]);
  const { byteLength } = options as SharedQueueOptions;
  checkInteger(action, "byteLength", byteLength, 1);
  if (byteLength === undefined) return;
  if (byteLength >= MIN_BYTES && byteLength <= MAX_BYTES) return;
  const rule = `at least ${MIN_BYTES} and at most ${MAX_BYTES}`;
  throw new RangeError(message(action, "byteLength", rule, byteLength));
}

function leftUntil(deadline: number): number {
  return Math.max(0, deadline - performance.now());
}

function noRoom(timeout: number): Error {
  return waitTimeoutError("There was no room in the queue", "put", timeout);
}

function noItem(timeout: number): Error {
  return waitTimeoutError("There was no item in the queue", "get", timeout);
}
