import { definePrimitive, sendCell, takeParts } from "./cell.ts";
import { type Guard, ReleasingGuard } from "./guard.ts";
import type { Monitor } from "./monitor.ts";
import { Mutex } from "./mutex.ts";
import type { Shareable, SharedState } from "./shareable.ts";
import type { AsyncWaitOptions, SyncWaitOptions } from "./waiter.ts";

const ACTION = "acquire a Lock";

/**
 * A lock that one holder at a time can have: a task in any worker, or the main
 * thread. Send it to workers in shared objects, arguments or results.
 *
 * Any thread may release it, as Python's `multiprocessing.Lock`; it is not
 * reentrant. A task that throws while it holds the lock still holds it: use
 * `using`, or `try` and `finally`. When a worker dies that holds it, whoever
 * waits gets a {@linkcode LockAbandonedError}, or else the next who comes, and
 * the lock is free again.
 *
 * @example Usage
 * ```ts
 * import { Lock, sharedArray, WorkerPool } from "@polypool/polypool";
 * import { assertEquals } from "@std/assert";
 *
 * const lock = new Lock();
 * const sum = sharedArray(Float64Array, 1);
 * await using pool = new WorkerPool({ nJobs: 2, sharedObjects: { lock, sum } });
 * await pool.map(({ lock, sum }, x: number) => {
 *   using _guard = lock.acquireSync();
 *   sum[0] += x;
 * }, [1, 2, 3, 4]);
 * assertEquals(sum[0], 10);
 * ```
 */
export class Lock implements Shareable {
  static {
    definePrimitive(this, "Lock");
  }

  readonly #mutex: Mutex;
  readonly #giveBack = (acquisition: number): void =>
    this.#mutex.giveBack(acquisition);

  /** Makes a lock that nobody holds. */
  constructor() {
    this.#mutex = new Mutex(this, "lock", takeParts());
  }

  /** Whether anybody holds the lock. It may have changed since. */
  get locked(): boolean {
    return this.#mutex.isHeld;
  }

  /**
   * Waits until the lock is free, and takes it.
   *
   * @throws {TimeoutError} If the time is over; its stage is `"acquire"`.
   * @throws {LockAbandonedError} If a worker died that held it.
   *
   * @example Usage
   * ```ts
   * import { Lock } from "@polypool/polypool";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new Lock();
   * {
   *   using _guard = await lock.acquire();
   *   assertEquals(lock.locked, true);
   * }
   * assertEquals(lock.locked, false);
   * ```
   */
  async acquire(options?: AsyncWaitOptions): Promise<Guard> {
    await this.#mutex.take(ACTION, options);
    return this.#guard();
  }

  /**
   * The same for synchronous code, in a task: blocks the thread.
   *
   * @throws {TimeoutError} If the time is over; its stage is `"acquire"`.
   * @throws {LockAbandonedError} If a worker died that held it.
   */
  acquireSync(options?: SyncWaitOptions): Guard {
    this.#mutex.takeSync(ACTION, options);
    return this.#guard();
  }

  /**
   * Takes the lock if it is free right now.
   *
   * @throws {LockAbandonedError} If a worker died that held it.
   *
   * @example Usage
   * ```ts
   * import { Lock } from "@polypool/polypool";
   * import { assert, assertEquals } from "@std/assert";
   *
   * const lock = new Lock();
   * assert(lock.tryAcquire());
   * assertEquals(lock.tryAcquire(), undefined);
   * ```
   */
  tryAcquire(): Guard | undefined {
    return this.#mutex.tryTake() ? this.#guard() : undefined;
  }

  /**
   * Gives the lock back.
   *
   * @throws {Error} If nobody holds it.
   */
  release(): void {
    this.#mutex.give();
  }

  /** How the lock is sent. */
  polypoolState(): SharedState {
    return sendCell("Lock", this.#mutex.cell);
  }

  /** What the lock is for a condition. */
  polypoolMonitor(): unknown {
    const mutex = this.#mutex;
    const leave = () => {
      mutex.give();
      return 1;
    };
    const monitor: Monitor = { mutex, leave, enter() {} };
    return monitor;
  }

  #guard(): Guard {
    return new ReleasingGuard(this.#giveBack, this.#mutex.acquisition);
  }
}
