import { checkInteger, message } from "../check.ts";
import { LockAbandonedError } from "../errors.ts";
import { clock } from "../runtime/detect.ts";
import {
  type Cell,
  createCell,
  definePrimitive,
  sendCell,
  takeParts,
} from "./cell.ts";
import type { Guard } from "./guard.ts";
import { note } from "./held.ts";
import { Lock } from "./lock.ts";
import { type Monitor, monitorOf } from "./monitor.ts";
import type { RLock } from "./rlock.ts";
import type { Shareable, SharedState } from "./shareable.ts";
import { SLOT_WORDS, Slots } from "./slots.ts";
import {
  type AsyncWaitOptions,
  checkAsyncWait,
  checkSyncWait,
  type SyncWaitOptions,
  wait,
  type Waiter,
  waitSync,
} from "./waiter.ts";

const ACTION = "wait for a Condition";

/**
 * Lets those who hold a lock wait until another, who holds it meanwhile, says
 * that something has changed.
 *
 * When a worker dies that holds the lock, all who wait get a
 * {@linkcode LockAbandonedError}. Then, and only then, do they not hold the
 * lock when the wait has ended.
 *
 * @example Usage
 * ```ts
 * import { Condition, sharedArray, WorkerPool } from "@polypool/polypool";
 * import { assertEquals } from "@std/assert";
 *
 * const changed = new Condition();
 * const count = sharedArray(Int32Array, 1);
 * await using pool = new WorkerPool({
 *   nJobs: 2,
 *   sharedObjects: { changed, count },
 * });
 * const tasks = pool.map(({ changed, count }, x: number) => {
 *   using _guard = changed.acquireSync();
 *   count[0] += x;
 *   changed.notifyAll();
 * }, [1, 2, 3]);
 * {
 *   using _guard = await changed.acquire();
 *   await changed.waitFor(() => count[0] === 6);
 *   assertEquals(count[0], 6);
 * }
 * await tasks;
 * ```
 */
export class Condition implements Shareable {
  static {
    definePrimitive(this, "Condition");
  }

  readonly #lock: Lock | RLock;
  readonly #monitor: Monitor;
  readonly #cell: Cell;
  readonly #slots: Slots;
  #waiting = 0;

  /**
   * Makes a condition of a lock, or of a `Lock` of its own. (In Python that is
   * an `RLock`, which all asynchronous tasks of a thread would hold together.)
   */
  constructor(lock?: Lock | RLock) {
    const parts = takeParts();
    const given = parts ? parts[1] as Lock | RLock : lock;
    if (given !== undefined && !("polypoolMonitor" in Object(given))) {
      throw new TypeError(
        message("create a Condition", "lock", "a Lock or an RLock", given),
      );
    }
    this.#lock = given ?? new Lock();
    this.#monitor = monitorOf(this.#lock);
    this.#cell = createCell(
      this,
      {
        lock: this.#monitor.mutex.cell,
        abandon: (token) => this.#slots.abandon(token),
        lockAbandoned: () => this.#slots.wakeAll(),
        isIdle: () => this.#waiting === 0,
      },
      SLOT_WORDS,
      parts,
    );
    this.#slots = new Slots(this.#cell);
  }

  /** Acquires the lock, see {@linkcode Lock.acquire}. */
  acquire(options?: AsyncWaitOptions): Promise<Guard> {
    return this.#lock.acquire(options);
  }

  /** Acquires the lock in synchronous code, see {@linkcode Lock.acquireSync}. */
  acquireSync(options?: SyncWaitOptions): Guard {
    return this.#lock.acquireSync(options);
  }

  /** Acquires the lock if it is free, see {@linkcode Lock.tryAcquire}. */
  tryAcquire(): Guard | undefined {
    return this.#lock.tryAcquire();
  }

  /** Releases the lock, see {@linkcode Lock.release}. */
  release(): void {
    this.#lock.release();
  }

  /**
   * Releases the lock, waits until notified, and acquires the lock again. False
   * when the time is over; then, too, the lock is held again.
   *
   * @throws {Error} If this thread does not hold the lock.
   * @throws {RangeError} If 510 others wait already.
   * @throws {LockAbandonedError} If a worker died that held it.
   */
  async wait(options?: AsyncWaitOptions): Promise<boolean> {
    const timeout = checkAsyncWait(ACTION, options);
    options?.signal?.throwIfAborted();
    const { waiter, slot, reenter } = this.#begin();
    let failure: { error: unknown } | undefined;
    try {
      await wait(waiter, timeout, options?.signal);
    } catch (error) {
      failure = { error };
    }
    const wasNotified = this.#end(slot, failure);
    await this.#monitor.mutex.take(ACTION, undefined);
    reenter();
    // Whoever aborts it can still see that it was notified, by the condition.
    if (failure) throw failure.error;
    return wasNotified;
  }

  /**
   * The same for synchronous code, in a task: blocks the thread.
   *
   * @throws {Error} If this thread does not hold the lock.
   * @throws {RangeError} If 510 others wait already.
   * @throws {LockAbandonedError} If a worker died that held it.
   */
  waitSync(options?: SyncWaitOptions): boolean {
    const timeout = checkSyncWait(ACTION, options);
    const { waiter, slot, reenter } = this.#begin();
    let failure: { error: unknown } | undefined;
    try {
      waitSync(waiter, timeout);
    } catch (error) {
      failure = { error };
    }
    const wasNotified = this.#end(slot, failure);
    this.#monitor.mutex.takeSync(ACTION, undefined);
    reenter();
    return wasNotified;
  }

  /**
   * Waits until the predicate, which is called with the lock held, returns
   * something true. Resolves to what it returned last.
   *
   * @throws {Error} If this thread does not hold the lock.
   * @throws {RangeError} If 510 others wait already.
   * @throws {LockAbandonedError} If a worker died that held it.
   */
  async waitFor<T>(
    predicate: () => T,
    options: AsyncWaitOptions = {},
  ): Promise<T> {
    checkPredicate(predicate);
    const deadline = clock.now() + checkAsyncWait(ACTION, options);
    let result = predicate();
    while (!result) {
      const timeout = deadline - clock.now();
      if (timeout <= 0) break;
      await this.wait({ ...options, timeout });
      result = predicate();
    }
    return result;
  }

  /**
   * The same for synchronous code, in a task: blocks the thread.
   *
   * @throws {Error} If this thread does not hold the lock.
   * @throws {RangeError} If 510 others wait already.
   * @throws {LockAbandonedError} If a worker died that held it.
   */
  waitForSync<T>(predicate: () => T, options?: SyncWaitOptions): T {
    checkPredicate(predicate);
    const deadline = clock.now() + checkSyncWait(ACTION, options);
    let result = predicate();
    while (!result) {
      const timeout = deadline - clock.now();
      if (timeout <= 0) break;
      this.waitSync({ timeout });
      result = predicate();
    }
    return result;
  }

  /**
   * Wakes those who have waited longest.
   *
   * @param n How many.
   * @throws {Error} If this thread does not hold the lock.
   */
  notify(n: number = 1): void {
    const action = "notify a Condition";
    checkInteger(action, "n", n, 1);
    this.#checkHeld(action);
    this.#slots.notify(n);
  }

  /**
   * Wakes all who wait.
   *
   * @throws {Error} If this thread does not hold the lock.
   */
  notifyAll(): void {
    this.#checkHeld("notify a Condition");
    this.#slots.notify(Infinity);
  }

  /** How the condition is sent. */
  polypoolState(): SharedState {
    return sendCell("Condition", this.#cell, this.#lock);
  }

  #begin(): {
    waiter: Waiter;
    slot: number;
    reenter: () => void;
  } {
    this.#checkHeld(ACTION);
    note(this.#cell);
    const { mutex } = this.#monitor;
    const { epoch } = mutex;
    const slot = this.#slots.take();
    this.#waiting++;
    const waiter = {
      cell: this.#cell,
      index: slot,
      attempt: () => {
        const seen = this.#slots.look(slot);
        if (seen !== undefined) mutex.throwIfAbandonedSince(epoch);
        return seen;
      },
      passOn() {},
    };
    const { acquisition } = mutex;
    const depth = this.#monitor.leave();
    const reenter = () => {
      // The guards that were given before are good again.
      mutex.acquisition = acquisition;
      this.#monitor.enter(depth);
    };
    return { waiter, slot, reenter };
  }

  #end(slot: number, failure: { error: unknown } | undefined): boolean {
    this.#waiting--;
    const wasNotified = this.#slots.leave(slot);
    const { error } = failure ?? {};
    if (!(error instanceof LockAbandonedError)) return wasNotified;
    // There is no way back into the lock.
    if (wasNotified) this.#slots.notify(1);
    throw error;
  }

  #checkHeld(action: string): void {
    if (this.#monitor.mutex.isMine) return;
    throw new Error(
      `Cannot ${action} as this thread does not hold its lock`,
    );
  }
}

function checkPredicate(predicate: unknown): void {
  if (typeof predicate === "function") return;
  throw new TypeError(message(ACTION, "predicate", "a function", predicate));
}
