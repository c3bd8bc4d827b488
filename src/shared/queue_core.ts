import {
  LockAbandonedError,
  QueueClosedError,
  TimeoutError,
} from "../errors.ts";
import { clock } from "../runtime/detect.ts";
import { type Cell, createCell, OWN } from "./cell.ts";
import { isGivenUp, note } from "./held.ts";
import { Lock } from "./lock.ts";
import { allocate } from "./memory.ts";
import { monitorOf } from "./monitor.ts";
import type { Mutex } from "./mutex.ts";
import { Ring, RING_WORDS } from "./ring.ts";
import { wait, type Waiter, waitSync, waitTimeoutError } from "./waiter.ts";
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

/** How long something that shall not wait may wait for the lock, in ms. */
const BRIEFLY = 100;

/**
 * A queue of records of bytes: a ring, a lock for whoever writes or reads, and
 * what they wait for. Nobody waits with the lock.
 */
export class QueueCore {
  /** Its words. */
  readonly cell: Cell;
  /** Its other parts. */
  readonly parts: [bytes: Uint8Array, lock: Lock];
  readonly #mutex: Mutex;
  readonly #ring: Ring;
  #waiting = 0;

  /** Makes the queue of its parts, or a new one. */
  constructor(
    subject: object,
    parts: unknown[] | undefined,
    maxSize: number,
    byteLength: number,
  ) {
    this.cell = createCell(
      subject,
      {
        abandon: () => this.#wakeAll(),
        isIdle: () => this.#waiting === 0,
      },
      WORDS,
      parts,
    );
    const { words } = this.cell;
    if (parts) {
      this.parts = parts.slice(1) as [Uint8Array, Lock];
    } else {
      const { buffer, byteOffset } = allocate(byteLength);
      this.parts = [
        new Uint8Array(buffer, byteOffset, byteLength),
        new Lock(),
      ];
      words[MAX_SIZE] = Math.min(maxSize, 2 ** 31 - 1);
    }
    const [bytes, lock] = this.parts;
    this.#mutex = monitorOf(lock).mutex;
    this.#ring = new Ring(words.subarray(RING, RING + RING_WORDS), bytes);
  }

  /** The longest record that there can be. */
  get maxLength(): number {
    return this.#ring.maxLength;
  }

  /** The number of records. */
  get size(): number {
    const { words } = this.cell;
    const size = Atomics.load(words, PUTS) - Atomics.load(words, GETS) | 0;
    // Another may have been got between the two.
    return Math.max(0, size);
  }

  /** Whether there are as many as there may be. */
  get isFull(): boolean {
    const max = this.cell.words[MAX_SIZE]!;
    return max > 0 && this.size >= max;
  }

  /** Whether nothing can be put any more. */
  get isClosed(): boolean {
    return Atomics.load(this.cell.words, IS_CLOSED) === 1;
  }

  /** Closes the queue. */
  close(): void {
    Atomics.store(this.cell.words, IS_CLOSED, 1);
    this.#wakeAll();
  }

  /** Adds a record when it has room. */
  async put(
    record: Uint8Array,
    timeout: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const deadline = clock.now() + timeout;
    while (true) {
      const seen = await this.#locked(() => this.#write(record));
      if (seen === undefined) return this.#announce(PUTS, GETTERS, 1);
      const waiter = this.#waiter(GETS, seen);
      const isNew = await this.#counted(
        PUTTERS,
        () => wait(waiter, leftUntil(deadline), signal),
      );
      if (!isNew) throw noRoom(timeout);
    }
  }

  /** The same, blocking the thread. */
  putSync(record: Uint8Array, timeout: number): void {
    const deadline = clock.now() + timeout;
    while (true) {
      const seen = this.#lockedSync(() => this.#write(record));
      if (seen === undefined) return this.#announce(PUTS, GETTERS, 1);
      const waiter = this.#waiter(GETS, seen);
      const isNew = this.#countedSync(
        PUTTERS,
        () => waitSync(waiter, leftUntil(deadline)),
      );
      if (!isNew) throw noRoom(timeout);
    }
  }

  /** Adds a record if it has room. */
  tryPut(record: Uint8Array): boolean {
    const seen = this.#lockedBriefly(() => this.#write(record));
    if (seen !== undefined) return false;
    this.#announce(PUTS, GETTERS, 1);
    return true;
  }

  /** Takes the oldest record when there is one. */
  async get(
    timeout: number,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    const deadline = clock.now() + timeout;
    while (true) {
      const found = await this.#locked(() => this.#read());
      if (typeof found !== "number") return this.#got(found);
      const waiter = this.#waiter(PUTS, found);
      const isNew = await this.#counted(
        GETTERS,
        () => wait(waiter, leftUntil(deadline), signal),
      );
      if (!isNew) throw noItem(timeout);
    }
  }

  /** The same, blocking the thread. */
  getSync(timeout: number): Uint8Array {
    const deadline = clock.now() + timeout;
    while (true) {
      const found = this.#lockedSync(() => this.#read());
      if (typeof found !== "number") return this.#got(found);
      const waiter = this.#waiter(PUTS, found);
      const isNew = this.#countedSync(
        GETTERS,
        () => waitSync(waiter, leftUntil(deadline)),
      );
      if (!isNew) throw noItem(timeout);
    }
  }

  /** Takes the oldest record if there is one. */
  tryGet(): Uint8Array | undefined {
    const found = this.#lockedBriefly(() => this.#read());
    return typeof found === "number" ? undefined : this.#got(found);
  }

  #got(record: Uint8Array): Uint8Array {
    // Those who wait for room may need more or less of it.
    this.#announce(GETS, PUTTERS, Infinity);
    return record;
  }

  /** With the lock: `undefined` if the record was added, else `GETS`. */
  #write(record: Uint8Array): number | undefined {
    const { words } = this.cell;
    if (this.isClosed) throw new QueueClosedError("The queue is closed");
    if (this.isFull || !this.#ring.hasRoom(record.length)) {
      return Atomics.load(words, GETS);
    }
    this.#ring.write(record);
    Atomics.add(words, PUTS, 1);
    return undefined;
  }

  /** With the lock: the oldest record if there is one, else `PUTS`. */
  #read(): Uint8Array | number {
    const { words } = this.cell;
    const record = this.#ring.read();
    if (record) {
      Atomics.add(words, GETS, 1);
      return record;
    }
    if (this.isClosed) throw new QueueClosedError("The queue is closed");
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
        this.#mutex.takeSync("use a SharedQueue", { timeout });
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
    const { words } = this.cell;
    const size = this.#ring.count();
    Atomics.store(words, PUTS, Atomics.load(words, GETS) + size | 0);
    this.#wakeAll();
  }

  // --- waiting ---

  /** For one who has seen the word as it is, and waits until it is another. */
  #waiter(index: number, seen: number): Waiter {
    const cell = this.cell;
    const { words } = cell;
    const { epoch } = this.#mutex;
    return {
      cell,
      index,
      attempt: () =>
        Atomics.load(words, index) !== seen || this.isClosed ||
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
    note(this.cell);
    this.#waiting++;
    Atomics.add(this.cell.words, word, 1);
  }

  #leave(word: number): void {
    this.#waiting--;
    Atomics.sub(this.cell.words, word, 1);
  }

  #announce(index: number, sleepers: number, count: number): void {
    if (Atomics.load(this.cell.words, sleepers) === 0) return;
    wake(this.cell, index, count);
  }

  #wakeAll(): void {
    wake(this.cell, PUTS, Infinity);
    wake(this.cell, GETS, Infinity);
  }
}

function rethrowUnlessAbandoned(error: unknown): void {
  if (!(error instanceof LockAbandonedError) || isGivenUp()) throw error;
}

function leftUntil(deadline: number): number {
  return Math.max(0, deadline - clock.now());
}

function noRoom(timeout: number): Error {
  return waitTimeoutError("There was no room in the queue", "put", timeout);
}

function noItem(timeout: number): Error {
  return waitTimeoutError("There was no item in the queue", "get", timeout);
}
