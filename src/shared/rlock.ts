import { definePrimitive, sendCell, takeParts } from "./cell.ts";
import { type Guard, ReleasingGuard } from "./guard.ts";
import type { Monitor } from "./monitor.ts";
import { Mutex } from "./mutex.ts";
import type { Shareable, SharedState } from "./shareable.ts";
import {
  type AsyncWaitOptions,
  checkAsyncWait,
  checkSyncWait,
  type SyncWaitOptions,
} from "./waiter.ts";

const ACTION = "acquire an RLock";

/**
 * A lock that its holder may acquire again: it is free when it has been
 * released as often. The holder is a thread: the main thread or a worker, with
 * all asynchronous tasks that run there. Only the holder can release it. In
 * all else it is like a {@linkcode Lock}.
 *
 * @example Usage
 * ```ts
 * import { RLock } from "@polypool/polypool";
 * import { assertEquals } from "@std/assert";
 *
 * const lock = new RLock();
 * const outer = await lock.acquire();
 * const inner = await lock.acquire();
 * inner.release();
 * assertEquals(lock.locked, true);
 * outer.release();
 * assertEquals(lock.locked, false);
 * ```
 */
export class RLock implements Shareable {
  static {
    definePrimitive(this, "RLock");
  }

  readonly #mutex: Mutex;
  /** How often this thread has acquired it. */
  #depth = 0;
  readonly #giveBack = (acquisition: number): void => {
    if (this.#mutex.acquisition === acquisition && this.#isMine()) {
      this.release();
    }
  };

  /** Makes a lock that nobody holds. */
  constructor() {
    this.#mutex = new Mutex(this, "reentrant lock", takeParts());
  }

  /** Whether anybody holds the lock. It may have changed since. */
  get locked(): boolean {
    return this.#mutex.isHeld;
  }

  /**
   * Waits until the lock is free or this thread's, and takes it.
   *
   * @throws {TimeoutError} If the time is over; its stage is `"acquire"`.
   * @throws {LockAbandonedError} If a worker died that held it.
   *
   * @example Usage
   * ```ts
   * import { RLock } from "@polypool/polypool";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new RLock();
   * {
   *   using _guard = await lock.acquire();
   *   assertEquals(lock.locked, true);
   * }
   * assertEquals(lock.locked, false);
   * ```
   */
  async acquire(options?: AsyncWaitOptions): Promise<Guard> {
    checkAsyncWait(ACTION, options);
    if (!this.#isMine()) await this.#mutex.take(ACTION, options);
    return this.#enter();
  }

  /**
   * The same for synchronous code, in a task: blocks the thread.
   *
   * @throws {TimeoutError} If the time is over; its stage is `"acquire"`.
   * @throws {LockAbandonedError} If a worker died that held it.
   */
  acquireSync(options?: SyncWaitOptions): Guard {
    checkSyncWait(ACTION, options);
    if (!this.#isMine()) this.#mutex.takeSync(ACTION, options);
    return this.#enter();
  }

  /**
   * Takes the lock if it is free, or this thread's, right now.
   *
   * @throws {LockAbandonedError} If a worker died that held it.
   *
   * @example Usage
   * ```ts
   * import { RLock } from "@polypool/polypool";
   * import { assert, assertEquals } from "@std/assert";
   *
   * const lock = new RLock();
   * assert(lock.tryAcquire());
   * assert(lock.tryAcquire());
   * lock.release();
   * assertEquals(lock.locked, true);
   * ```
   */
  tryAcquire(): Guard | undefined {
    return this.#isMine() || this.#mutex.tryTake() ? this.#enter() : undefined;
  }

  /**
   * Gives the lock back, once.
   *
   * @throws {Error} If this thread does not hold it.
   */
  release(): void {
    if (!this.#isMine()) {
      throw new Error(
        "Cannot release the reentrant lock as this thread does not hold it",
      );
    }
    if (--this.#depth === 0) this.#mutex.give();
  }

  /** How the lock is sent. */
  polypoolState(): SharedState {
    return sendCell("RLock", this.#mutex.cell);
  }

  /** What the lock is for a condition. */
  polypoolMonitor(): unknown {
    const monitor: Monitor = {
      mutex: this.#mutex,
      leave: () => {
        const depth = this.#depth;
        this.#depth = 0;
        this.#mutex.give();
        return depth;
      },
      enter: (depth) => this.#depth = depth,
    };
    return monitor;
  }

  /** Whether this thread has it. */
  #isMine(): boolean {
    if (this.#depth > 0 && this.#mutex.isMine) return true;
    // A worker that was given up may have lost it.
    this.#depth = 0;
    return false;
  }

  #enter(): Guard {
    this.#depth++;
    return new ReleasingGuard(this.#giveBack, this.#mutex.acquisition);
  }
}
