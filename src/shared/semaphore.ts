import {
  checkBoolean,
  checkInteger,
  checkNames,
  checkObject,
  message,
} from "../check.ts";
import { LockAbandonedError } from "../errors.ts";
import {
  ABANDONED_BY,
  type Cell,
  createCell,
  definePrimitive,
  EPOCH,
  OWN,
  sendCell,
  takeParts,
} from "./cell.ts";
import { type Guard, ReleasingGuard } from "./guard.ts";
import {
  givenUpError,
  heldCount,
  isGivenUp,
  lowerHeldCount,
  note,
  raiseHeldCount,
} from "./held.ts";
import type { Shareable, SharedState } from "./shareable.ts";
import {
  type AsyncWaitOptions,
  checkAsyncWait,
  checkSyncWait,
  NEWCOMER,
  STARVING,
  type SyncWaitOptions,
  wait,
  type Waiter,
  waitSync,
  waitTimeoutError,
} from "./waiter.ts";
import { wake } from "./waiting.ts";

const ACTION = "acquire a Semaphore";

/** Two flags, as those of a lock, and from bit 2 on the free permits. */
const STATE = OWN;
/** The most that there may be, 0 for any number. */
const BOUND = OWN + 1;
/** 1 when a worker has died with a permit and nobody has been told. */
const UNTOLD = OWN + 2;
const SLEEPERS = 1;
const RESERVED = 2;
const PERMIT = 4;
/** What fits beside the flags. */
const MAX_PERMITS = 2 ** 29 - 1;

/** Options of a {@linkcode Semaphore}. */
export interface SemaphoreOptions {
  /**
   * Whether releasing more than was acquired is an error.
   *
   * @default {false}
   */
  bounded?: boolean | undefined;
}

/**
 * A number of permits: who acquires one may have to wait until another is
 * released. Any thread may release, as in Python's `multiprocessing`.
 *
 * When a worker dies, the permits that it has acquired and not released are
 * free again, and whoever waits gets a {@linkcode LockAbandonedError}, or else
 * the next who comes.
 *
 * @example Usage
 * ```ts
 * import { Semaphore } from "@polypool/polypool";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const semaphore = new Semaphore(2);
 * {
 *   using _one = await semaphore.acquire();
 *   assert(semaphore.tryAcquire());
 *   assertEquals(semaphore.tryAcquire(), undefined);
 * }
 * assertEquals(semaphore.value, 1);
 * ```
 */
export class Semaphore implements Shareable {
  static {
    definePrimitive(this, "Semaphore");
  }

  readonly #cell: Cell;
  #waiting = 0;
  readonly #giveBack = (): void => {
    // Not if the owner of this worker has done so, as it does for all that the
    // worker is known to hold.
    if (lowerHeldCount(this.#cell) || !isGivenUp()) this.#add(1);
  };

  /** Makes a semaphore with so many permits. */
  constructor(permits: number = 1, options: SemaphoreOptions = {}) {
    const parts = takeParts();
    if (!parts) checkSemaphore(permits, options);
    this.#cell = createCell(
      this,
      {
        // Who acquires and never releases may count something by it.
        abandon: (_token, workerId, count, hasDied) =>
          this.#abandon(workerId, hasDied ? count : 0),
        isIdle: () => this.#waiting === 0 && heldCount(this.#cell) === 0,
      },
      3,
      parts,
    );
    if (parts) return;
    const { words } = this.#cell;
    words[STATE] = permits * PERMIT;
    // One more, so that a bound of 0 is one.
    if (options.bounded) words[BOUND] = permits + 1;
  }

  /** The number of free permits. It may have changed since. */
  get value(): number {
    return Atomics.load(this.#cell.words, STATE) >> 2;
  }

  /**
   * Waits for a permit, and takes it.
   *
   * @throws {TimeoutError} If the time is over; its stage is `"acquire"`.
   * @throws {LockAbandonedError} If a worker died that had one.
   */
  async acquire(options?: AsyncWaitOptions): Promise<Guard> {
    const timeout = checkAsyncWait(ACTION, options);
    options?.signal?.throwIfAborted();
    note(this.#cell);
    if (!this.#takeAtOnce()) {
      this.#waiting++;
      try {
        const isTaken = await wait(this.#waiter(), timeout, options?.signal);
        if (!isTaken) throw tooLate(timeout);
      } finally {
        this.#waiting--;
      }
    }
    return new ReleasingGuard(this.#giveBack);
  }

  /**
   * The same for synchronous code, in a task: blocks the thread.
   *
   * @throws {TimeoutError} If the time is over; its stage is `"acquire"`.
   * @throws {LockAbandonedError} If a worker died that had a permit.
   */
  acquireSync(options?: SyncWaitOptions): Guard {
    const timeout = checkSyncWait(ACTION, options);
    note(this.#cell);
    if (!this.#takeAtOnce()) {
      this.#waiting++;
      try {
        if (!waitSync(this.#waiter(), timeout)) throw tooLate(timeout);
      } finally {
        this.#waiting--;
      }
    }
    return new ReleasingGuard(this.#giveBack);
  }

  /**
   * Takes a permit if there is one right now.
   *
   * @throws {LockAbandonedError} If a worker died that had one.
   */
  tryAcquire(): Guard | undefined {
    note(this.#cell);
    const { words } = this.#cell;
    this.#throwIfUntold();
    let old = Atomics.load(words, STATE);
    while (old >= PERMIT) {
      const next = old - PERMIT;
      const found = Atomics.compareExchange(words, STATE, old, next);
      if (found === old) {
        this.#begin();
        return new ReleasingGuard(this.#giveBack);
      }
      old = found;
    }
    return undefined;
  }

  /**
   * Gives permits back, or adds new ones.
   *
   * @param permits How many.
   * @throws {RangeError} If there are too many then: of a bounded semaphore,
   * more than it was made with.
   */
  release(permits: number = 1): void {
    checkInteger("release a Semaphore", "permits", permits, 1);
    if (isGivenUp()) throw givenUpError();
    this.#add(permits);
    for (let i = 0; i < permits && lowerHeldCount(this.#cell); i++);
  }

  /** How the semaphore is sent. */
  polypoolState(): SharedState {
    return sendCell("Semaphore", this.#cell);
  }

  #takeAtOnce(): boolean {
    const { words } = this.#cell;
    if (Atomics.load(words, UNTOLD) !== 0) this.#throwIfUntold();
    const old = Atomics.load(words, STATE);
    // Neither flags nor a permit: the last two bits are the flags.
    if (old < PERMIT || (old & RESERVED) !== 0) return false;
    if (Atomics.compareExchange(words, STATE, old, old - PERMIT) !== old) {
      return false;
    }
    this.#begin();
    return true;
  }

  /** This thread has one more. */
  #begin(): void {
    raiseHeldCount(this.#cell);
    if (!isGivenUp()) return;
    // The owner has either seen the count or not.
    this.#giveBack();
    throw givenUpError();
  }

  #waiter(): Waiter {
    const cell = this.#cell;
    const { words } = cell;
    const epoch = Atomics.load(words, EPOCH);
    return {
      cell,
      index: STATE,
      attempt: (level) => {
        if (Atomics.load(words, EPOCH) !== epoch) {
          Atomics.store(words, UNTOLD, 0);
          throw this.#abandoned();
        }
        while (true) {
          const old = Atomics.load(words, STATE);
          if (old >= PERMIT && (level > NEWCOMER || !(old & RESERVED))) {
            const flags = level > NEWCOMER ? RESERVED : 0;
            const next = (old - PERMIT) & ~flags;
            if (Atomics.compareExchange(words, STATE, old, next) !== old) {
              continue;
            }
            this.#begin();
            return undefined;
          }
          const next = old | SLEEPERS | (level === STARVING ? RESERVED : 0);
          if (
            next === old ||
            Atomics.compareExchange(words, STATE, old, next) === old
          ) return next;
        }
      },
      passOn() {
        if (Atomics.load(words, STATE) >= PERMIT) wake(cell, STATE, 1);
      },
    };
  }

  #add(permits: number): void {
    const { words } = this.#cell;
    const max = this.#max;
    let old = Atomics.load(words, STATE);
    let next: number;
    while (true) {
      const value = (old >> 2) + permits;
      if (value > max) {
        throw new RangeError(
          `Cannot release ${permits} of a Semaphore as it would have more ` +
            `than ${max} permits: current value is ${old >> 2}`,
        );
      }
      next = old + permits * PERMIT;
      const found = Atomics.compareExchange(words, STATE, old, next);
      if (found === old) break;
      old = found;
    }
    if ((old & SLEEPERS) === 0) return;
    if (wake(this.#cell, STATE, permits) > 0) return;
    // Nobody was there any more. As long as the permits are, nobody sleeps.
    Atomics.compareExchange(words, STATE, next, next & ~SLEEPERS);
  }

  #abandon(workerId: number, count: number): void {
    const { words } = this.#cell;
    if (count > 0) {
      Atomics.store(words, ABANDONED_BY, workerId);
      Atomics.store(words, UNTOLD, 1);
      this.#restore(count);
      Atomics.add(words, EPOCH, 1);
    }
    // Even if it had none, a wake-up may have died with it.
    wake(this.#cell, STATE, Infinity);
  }

  /** Adds as many of the permits as there may be: some may have been already. */
  #restore(count: number): void {
    const { words } = this.#cell;
    while (true) {
      const old = Atomics.load(words, STATE);
      const value = Math.min((old >> 2) + count, this.#max);
      const next = value * PERMIT + (old & (PERMIT - 1));
      if (Atomics.compareExchange(words, STATE, old, next) === old) return;
    }
  }

  /** The most permits that there may be. */
  get #max(): number {
    const bound = this.#cell.words[BOUND]!;
    return bound === 0 ? MAX_PERMITS : bound - 1;
  }

  #throwIfUntold(): void {
    const { words } = this.#cell;
    if (Atomics.compareExchange(words, UNTOLD, 1, 0) === 1) {
      throw this.#abandoned();
    }
  }

  #abandoned(): LockAbandonedError {
    const workerId = Atomics.load(this.#cell.words, ABANDONED_BY);
    return new LockAbandonedError(
      `Worker ${workerId} ended while it had a permit of the semaphore`,
      { workerId },
    );
  }
}

function checkSemaphore(permits: unknown, options: unknown): void {
  const action = "create a Semaphore";
  checkInteger(action, "permits", permits, 0);
  if (permits as number > MAX_PERMITS) {
    const rule = `at most ${MAX_PERMITS}`;
    throw new RangeError(message(action, "permits", rule, permits));
  }
  checkObject(action, "options", options);
  checkNames(action, options as object, ["bounded"]);
  checkBoolean(action, "bounded", (options as SemaphoreOptions).bounded);
}

function tooLate(timeout: number): Error {
  return waitTimeoutError("No permit was released", "acquire", timeout);
}
