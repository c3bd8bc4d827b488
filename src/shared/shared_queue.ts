import { checkInteger, checkNames, checkObject, message } from "../check.ts";
import { QueueClosedError } from "../errors.ts";
import { definePrimitive, sendCell, takeParts } from "./cell.ts";
import { packItem, unpackItem } from "./items.ts";
import { QueueCore } from "./queue_core.ts";
import type { Shareable, SharedState } from "./shareable.ts";
import {
  type AsyncWaitOptions,
  checkAsyncWait,
  checkSyncWait,
  type SyncWaitOptions,
} from "./waiter.ts";

const DEFAULT_BYTES = 2 ** 20;
const MIN_BYTES = 64;
const MAX_BYTES = 2 ** 30;

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

  readonly #core: QueueCore;

  /** Makes a queue, of at most `maxSize` items if that is not 0. */
  constructor(maxSize: number = 0, options: SharedQueueOptions = {}) {
    const parts = takeParts();
    if (!parts) checkQueue(maxSize, options);
    const { byteLength = DEFAULT_BYTES } = options;
    this.#core = new QueueCore(this, parts, maxSize, byteLength);
  }

  /** The number of items in the queue. It may have changed since. */
  get size(): number {
    return this.#core.size;
  }

  /** Whether there is no item in the queue. */
  get empty(): boolean {
    return this.size === 0;
  }

  /** Whether there are as many items as there may be. */
  get full(): boolean {
    return this.#core.isFull;
  }

  /** Whether the queue is closed. */
  get closed(): boolean {
    return this.#core.isClosed;
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
    options?.signal?.throwIfAborted();
    await this.#core.put(this.#pack(item), timeout, options?.signal);
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
    this.#core.putSync(this.#pack(item), timeout);
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
    return this.#core.tryPut(this.#pack(item));
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
    return unpackItem(await this.#core.get(timeout, options?.signal)) as T;
  }

  /**
   * The same for synchronous code, in a task: blocks the thread.
   *
   * @throws {QueueClosedError} If the queue is closed and empty.
   * @throws {TimeoutError} If the time is over; its stage is `"get"`.
   */
  getSync(options?: SyncWaitOptions): T {
    return unpackItem(this.#core.getSync(checkSyncWait(GET, options))) as T;
  }

  /**
   * Takes the oldest item in an object, if there is one right now. May wait
   * for the moment that others take to put or get theirs.
   *
   * @throws {QueueClosedError} If the queue is closed and empty.
   */
  tryGet(): { item: T } | undefined {
    const record = this.#core.tryGet();
    return record && { item: unpackItem(record) as T };
  }

  /**
   * Closes the queue: nothing can be put any more, and whoever waits for an
   * item when none is left gets an error. Iteration ends then.
   */
  close(): void {
    this.#core.close();
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
  polypoolState(): SharedState {
    const { cell, parts } = this.#core;
    return sendCell("SharedQueue", cell, ...parts);
  }

  #pack(item: T): Uint8Array {
    const record = packItem(item);
    const { maxLength } = this.#core;
    if (record.length <= maxLength) return record;
    throw new RangeError(
      `Cannot ${PUT} as the item must take at most ${maxLength} bytes: ` +
        `it takes ${record.length}`,
    );
  }
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
