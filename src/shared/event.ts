import {
  type Cell,
  createCell,
  definePrimitive,
  type Keeper,
  OWN,
  sendCell,
  takeParts,
} from "./cell.ts";
import type { Shareable, SharedState } from "./shareable.ts";
import {
  type AsyncWaitOptions,
  checkAsyncWait,
  checkSyncWait,
  type SyncWaitOptions,
  wait,
  type Waiter,
  waitSync,
} from "./waiter.ts";
import { wake } from "./waiting.ts";

const ACTION = "wait for an Event";

/** Two flags, and from bit 2 on how often the event was set. */
const STATE = OWN;
const IS_SET = 1;
const SLEEPERS = 2;
const ONCE = 4;

/**
 * A flag that tasks and the main thread can wait for. Whoever waits when it is
 * set goes on, even if it is cleared at once.
 *
 * @example Usage
 * ```ts
 * import { Event, WorkerPool } from "@polypool/polypool";
 * import { assertEquals } from "@std/assert";
 *
 * const go = new Event();
 * await using pool = new WorkerPool({ nJobs: 2, sharedObjects: go });
 * const waiting = pool.map((go, x: number) => go.waitSync() && x, [1, 2]);
 * go.set();
 * assertEquals(await waiting, [1, 2]);
 * ```
 */
export class Event implements Shareable {
  static {
    definePrimitive(this, "Event");
  }

  readonly #cell: Cell;

  /** Makes an event that is not set. */
  constructor() {
    // Nobody holds it, so that nobody can die with it.
    const keeper: Keeper = { abandon() {}, isIdle: () => true };
    this.#cell = createCell(this, keeper, 1, takeParts());
  }

  /** Whether the event is set. */
  isSet(): boolean {
    return (Atomics.load(this.#cell.words, STATE) & IS_SET) !== 0;
  }

  /** Sets the event, and wakes all who wait. */
  set(): void {
    const { words } = this.#cell;
    while (true) {
      const old = Atomics.load(words, STATE);
      if (old & IS_SET) return;
      const next = ((old & ~SLEEPERS) + ONCE) | IS_SET;
      if (Atomics.compareExchange(words, STATE, old, next) !== old) continue;
      if (old & SLEEPERS) wake(this.#cell, STATE, Infinity);
      return;
    }
  }

  /** Clears the event: whoever waits from now on waits until it is set again. */
  clear(): void {
    Atomics.and(this.#cell.words, STATE, ~IS_SET);
  }

  /** Waits until the event is set. False when the time is over. */
  async wait(options?: AsyncWaitOptions): Promise<boolean> {
    const timeout = checkAsyncWait(ACTION, options);
    return await wait(this.#waiter(), timeout, options?.signal);
  }

  /** The same for synchronous code, in a task: blocks the thread. */
  waitSync(options?: SyncWaitOptions): boolean {
    return waitSync(this.#waiter(), checkSyncWait(ACTION, options));
  }

  /** How the event is sent. */
  polypoolState(): SharedState {
    return sendCell("Event", this.#cell);
  }

  #waiter(): Waiter {
    const { words } = this.#cell;
    const before = Atomics.load(words, STATE) & ~SLEEPERS;
    return {
      cell: this.#cell,
      index: STATE,
      attempt() {
        while (true) {
          const old = Atomics.load(words, STATE);
          // Set, or set and cleared since.
          if (old & IS_SET || (old & ~SLEEPERS) !== (before & ~IS_SET)) {
            return undefined;
          }
          const next = old | SLEEPERS;
          if (Atomics.compareExchange(words, STATE, old, next) === old) {
            return next;
          }
        }
      },
      // All are woken.
      passOn() {},
    };
  }
}
