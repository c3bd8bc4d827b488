import { checkInteger, message } from "../check.ts";
import { BrokenBarrierError, LockAbandonedError } from "../errors.ts";
import {
  ABANDONED_BY,
  type Cell,
  createCell,
  definePrimitive,
  OWN,
  sendCell,
  takeParts,
} from "./cell.ts";
import { heldCount, note, setHeldCount } from "./held.ts";
import type { Shareable, SharedState } from "./shareable.ts";
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

const ACTION = "wait at a Barrier";

/**
 * How many have arrived, in 15 bits; how often the barrier has opened or been
 * reset, its round, in 15; whether the last round ended by a reset. Below 0
 * while it is broken.
 */
const STATE = OWN;
const PARTIES = OWN + 1;
/** The round in which a worker died that waited, plus 1. */
const ABANDONED_ROUND = OWN + 2;
/** The last round that ended by a reset, plus 1. */
const LAST_RESET = OWN + 3;
const WORDS = 4;
const ROUND = 0x8000;
const COUNT_BITS = 0x7fff;
const ROUND_BITS = 0x3fff8000;
const WAS_RESET = 0x40000000;
const BROKEN = -0x80000000;
const MAX_PARTIES = COUNT_BITS;

const roundOf = (state: number) => state & ROUND_BITS;
const nextRound = (state: number) => (state + ROUND) & ROUND_BITS;

/**
 * A place where so many must have arrived before any goes on. It can be used
 * again and again.
 *
 * When a worker dies that waits there, the barrier is broken, and the others
 * get a {@linkcode LockAbandonedError} until it is reset.
 *
 * @example Usage
 * ```ts
 * import { Barrier, WorkerPool } from "@polypool/polypool";
 * import { assertEquals } from "@std/assert";
 *
 * const barrier = new Barrier(3);
 * await using pool = new WorkerPool({ nJobs: 2, sharedObjects: barrier });
 * const places = pool.map((barrier) => barrier.waitSync(), [1, 2], {
 *   chunkSize: 1,
 * });
 * const all = [await barrier.wait(), ...await places];
 * assertEquals(all.sort(), [0, 1, 2]);
 * ```
 */
export class Barrier implements Shareable {
  static {
    definePrimitive(this, "Barrier");
  }

  readonly #cell: Cell;
  #waiting = 0;

  /** Makes a barrier for so many. */
  constructor(parties: number) {
    const parts = takeParts();
    if (!parts) checkParties(parties);
    this.#cell = createCell(
      this,
      {
        abandon: (_token, workerId, count) => this.#abandon(workerId, count),
        isIdle: () => heldCount(this.#cell) === 0,
      },
      WORDS,
      parts,
    );
    if (!parts) this.#cell.words[PARTIES] = parties;
  }

  /** How many must arrive. */
  get parties(): number {
    return this.#cell.words[PARTIES]!;
  }

  /** How many wait. */
  get nWaiting(): number {
    const state = Atomics.load(this.#cell.words, STATE);
    return state < 0 ? 0 : state & COUNT_BITS;
  }

  /** Whether the barrier is broken, until it is reset. */
  get broken(): boolean {
    return Atomics.load(this.#cell.words, STATE) < 0;
  }

  /**
   * Waits until all have arrived. If the time is over or the signal aborts,
   * the barrier is broken.
   *
   * @returns How many had arrived before.
   * @throws {BrokenBarrierError} If the barrier is, or was reset meanwhile.
   * @throws {TimeoutError} If the time is over; its stage is `"wait"`.
   * @throws {LockAbandonedError} If a worker died that waited there.
   */
  async wait(options?: AsyncWaitOptions): Promise<number> {
    const timeout = checkAsyncWait(ACTION, options);
    options?.signal?.throwIfAborted();
    const { place, waiter, round } = this.#arrive();
    if (!waiter) return place;
    try {
      const isOpen = await wait(waiter, timeout, options?.signal);
      if (!isOpen) throw tooLate(timeout);
      return place;
    } catch (error) {
      this.#break(round);
      throw error;
    } finally {
      this.#leave();
    }
  }

  /**
   * The same for synchronous code, in a task: blocks the thread.
   *
   * @throws {BrokenBarrierError} If the barrier is, or was reset meanwhile.
   * @throws {TimeoutError} If the time is over; its stage is `"wait"`.
   * @throws {LockAbandonedError} If a worker died that waited there.
   */
  waitSync(options?: SyncWaitOptions): number {
    const timeout = checkSyncWait(ACTION, options);
    const { place, waiter, round } = this.#arrive();
    if (!waiter) return place;
    try {
      if (!waitSync(waiter, timeout)) throw tooLate(timeout);
      return place;
    } catch (error) {
      this.#break(round);
      throw error;
    } finally {
      this.#leave();
    }
  }

  /** Breaks the barrier: whoever waits or comes gets an error. */
  abort(): void {
    this.#break(undefined);
  }

  /** Makes the barrier as new. Whoever waits gets an error. */
  reset(): void {
    const { words } = this.#cell;
    while (true) {
      const old = Atomics.load(words, STATE);
      if (old >= 0 && (old & COUNT_BITS) === 0) return;
      const next = nextRound(old & ROUND_BITS) | WAS_RESET;
      if (Atomics.compareExchange(words, STATE, old, next) !== old) continue;
      Atomics.store(words, LAST_RESET, roundOf(old) + 1);
      break;
    }
    wake(this.#cell, STATE, Infinity);
  }

  /** How the barrier is sent. */
  polypoolState(): SharedState {
    return sendCell("Barrier", this.#cell);
  }

  /** Without a waiter, the barrier is open: this was the last to come. */
  #arrive(): { place: number; round: number; waiter?: Waiter } {
    const cell = this.#cell;
    const { words } = cell;
    note(cell);
    while (true) {
      const old = Atomics.load(words, STATE);
      if (old < 0) throw this.#broken();
      const round = roundOf(old);
      const place = old & COUNT_BITS;
      const isLast = place + 1 === words[PARTIES];
      // The owner of this worker shall find it before it has arrived.
      if (!isLast) setHeldCount(cell, round + 1);
      const next = isLast ? nextRound(round) : old + 1;
      if (Atomics.compareExchange(words, STATE, old, next) !== old) continue;
      if (!isLast) return { place, round, waiter: this.#waiter(round) };
      wake(cell, STATE, Infinity);
      return { place, round };
    }
  }

  #waiter(round: number): Waiter {
    const { words } = this.#cell;
    this.#waiting++;
    return {
      cell: this.#cell,
      index: STATE,
      attempt: () => {
        const state = Atomics.load(words, STATE);
        if (roundOf(state) === round) {
          if (state < 0) throw this.#broken();
          return state;
        }
        const wasReset = roundOf(state) === nextRound(round)
          ? (state & WAS_RESET) !== 0
          : Atomics.load(words, LAST_RESET) === round + 1;
        if (wasReset) throw new BrokenBarrierError("The barrier was reset");
        return undefined;
      },
      // All are woken.
      passOn() {},
    };
  }

  #leave(): void {
    if (--this.#waiting === 0) setHeldCount(this.#cell, 0);
  }

  /** Breaks the barrier in the given round, or whatever round it is. */
  #break(round: number | undefined): boolean {
    const { words } = this.#cell;
    while (true) {
      const old = Atomics.load(words, STATE);
      if (old < 0 || (round !== undefined && roundOf(old) !== round)) {
        return false;
      }
      const next = old | BROKEN;
      if (Atomics.compareExchange(words, STATE, old, next) !== old) continue;
      wake(this.#cell, STATE, Infinity);
      return true;
    }
  }

  #abandon(workerId: number, count: number): void {
    const { words } = this.#cell;
    if (count === 0) return;
    Atomics.store(words, ABANDONED_BY, workerId);
    Atomics.store(words, ABANDONED_ROUND, count);
    this.#break(count - 1);
  }

  #broken(): Error {
    const { words } = this.#cell;
    const state = Atomics.load(words, STATE);
    if (Atomics.load(words, ABANDONED_ROUND) !== roundOf(state) + 1) {
      return new BrokenBarrierError("The barrier is broken");
    }
    const workerId = Atomics.load(words, ABANDONED_BY);
    return new LockAbandonedError(
      `Worker ${workerId} ended while it waited at the barrier`,
      { workerId },
    );
  }
}

function checkParties(parties: unknown): void {
  const action = "create a Barrier";
  if (parties === undefined) {
    throw new TypeError(
      message(action, "parties", "a positive integer", parties),
    );
  }
  checkInteger(action, "parties", parties, 1);
  if (parties as number <= MAX_PARTIES) return;
  const rule = `at most ${MAX_PARTIES}`;
  throw new RangeError(message(action, "parties", rule, parties));
}

function tooLate(timeout: number): Error {
  return waitTimeoutError("Not all have arrived", "wait", timeout);
}
