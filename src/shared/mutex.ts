import { LockAbandonedError } from "../errors.ts";
import { ABANDONED_BY, type Cell, EPOCH, type Keeper, OWN } from "./cell.ts";
import { createCell } from "./cell.ts";
import { givenUpError, isGivenUp, note } from "./held.ts";
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

/**
 * The word of a lock: the holder's token from bit 2 on, 0 if nobody holds it,
 * and two flags. A lock that is free may have flags.
 */
const STATE = OWN;
/** Somebody sleeps, or has been woken and may not have got it. */
const SLEEPERS = 1;
/** Somebody has waited for long: newcomers stand back. */
const RESERVED = 2;
const FLAGS = SLEEPERS | RESERVED;
/** In the place of a token: the holder died, and nobody has been told. */
const ABANDONED = 1 << 2;

/** What a lock is made of: who holds it, in one word. */
export class Mutex implements Keeper {
  /** Its words. */
  readonly cell: Cell;
  /** How errors call it. */
  readonly #name: string;
  /** The word when this thread holds it and nobody waits. */
  readonly #mine: number;
  /** Whether this thread has taken it and not given back. */
  #isTaken = false;
  /** Counts how often this thread has taken it. */
  #count = 0;
  #acquisition = 0;
  #waiting = 0;

  /** Makes a mutex for a lock, or for the parts of one. */
  constructor(subject: object, name: string, parts: unknown[] | undefined) {
    this.#name = name;
    this.cell = createCell(subject, this, 1, parts);
    this.#mine = this.cell.token << 2;
  }

  /** Whether anybody holds it. */
  get isHeld(): boolean {
    const holder = Atomics.load(this.cell.words, STATE) & ~FLAGS;
    return holder !== 0 && holder !== ABANDONED;
  }

  /** Whether this thread holds it. */
  get isMine(): boolean {
    return (Atomics.load(this.cell.words, STATE) & ~FLAGS) === this.#mine;
  }

  /** By what number the guard of this thread's acquisition knows it. */
  get acquisition(): number {
    return this.#acquisition;
  }

  set acquisition(acquisition: number) {
    this.#acquisition = acquisition;
  }

  /** How often a worker has died that held it. */
  get epoch(): number {
    return Atomics.load(this.cell.words, EPOCH);
  }

  /** Throws if a worker has died that held it. */
  throwIfAbandonedSince(epoch: number): void {
    if (this.epoch === epoch) return;
    this.#throwIfAbandoned();
    throw this.#abandoned();
  }

  /** Takes it if it is free. */
  tryTake(): boolean {
    const { cell } = this;
    if (cell.entry === undefined) note(cell);
    if (Atomics.compareExchange(cell.words, STATE, 0, this.#mine) === 0) {
      this.#begin();
      return true;
    }
    const old = Atomics.load(cell.words, STATE);
    const holder = old & ~FLAGS;
    if (holder === ABANDONED) this.#throwIfAbandoned();
    if (holder !== 0) return false;
    const taken = this.#mine | old & SLEEPERS;
    if (Atomics.compareExchange(cell.words, STATE, old, taken) !== old) {
      return false;
    }
    this.#begin();
    return true;
  }

  /** Takes it, blocking the thread until it can. */
  takeSync(action: string, options: SyncWaitOptions | undefined): void {
    const timeout = checkSyncWait(action, options);
    if (this.#takeAtOnce()) return;
    this.#waiting++;
    try {
      if (!waitSync(this.#waiter(), timeout)) throw this.#tooLate(timeout);
    } finally {
      this.#waiting--;
    }
  }

  /** Takes it when it can. */
  async take(
    action: string,
    options: AsyncWaitOptions | undefined,
  ): Promise<void> {
    const timeout = checkAsyncWait(action, options);
    options?.signal?.throwIfAborted();
    if (this.#takeAtOnce()) return;
    this.#waiting++;
    try {
      if (!await wait(this.#waiter(), timeout, options?.signal)) {
        throw this.#tooLate(timeout);
      }
    } finally {
      this.#waiting--;
    }
  }

  /**
   * Runs the action while it has it, when it can: at once after taking it, so
   * that nothing of this thread finds it taken.
   */
  async run<R>(action: () => R): Promise<R> {
    let result: { value: R } | undefined;
    const runNow = () => {
      try {
        result = { value: action() };
      } finally {
        this.give();
      }
    };
    if (this.#takeAtOnce()) {
      runNow();
      return result!.value;
    }
    const waiter = this.#waiter();
    const attempt = (level: number) => {
      const seen = waiter.attempt(level);
      if (seen === undefined) runNow();
      return seen;
    };
    this.#waiting++;
    try {
      await wait({ ...waiter, attempt }, Infinity, undefined);
    } finally {
      this.#waiting--;
    }
    return result!.value;
  }

  /** Gives it back, whoever holds it. Throws if nobody does. */
  give(): void {
    const { words } = this.cell;
    const mine = this.#mine;
    if (this.#isTaken) {
      this.#isTaken = false;
      if (Atomics.compareExchange(words, STATE, mine, 0) === mine) return;
      // If it is another's by now, this worker has been given up, or somebody
      // else has released it: either way it is no more this one's to give.
      if (!this.#free(mine)) throw this.#notHeld();
    } else if (isGivenUp()) {
      // To others it is dead, and has nothing to release.
      throw givenUpError();
    } else if (!this.#free(undefined)) {
      throw this.#notHeld();
    }
  }

  /** Gives it back if this thread still holds it by that acquisition. */
  giveBack(acquisition: number): void {
    if (!this.#isTaken || this.#acquisition !== acquisition) return;
    this.#isTaken = false;
    this.#free(this.#mine);
  }

  /** A worker is gone that may have held it. */
  abandon(token: number, workerId: number): void {
    const { words } = this.cell;
    const lost = token << 2;
    while (true) {
      const old = Atomics.load(words, STATE);
      if ((old & ~FLAGS) !== lost) break;
      Atomics.store(words, ABANDONED_BY, workerId);
      const next = ABANDONED | old & FLAGS;
      if (Atomics.compareExchange(words, STATE, old, next) !== old) continue;
      Atomics.add(words, EPOCH, 1);
      break;
    }
    // Even if it did not hold it, a wake-up may have died with it.
    wake(this.cell, STATE, Infinity);
  }

  /** Whether this thread neither holds it nor waits for it. */
  isIdle(): boolean {
    return this.#waiting === 0 && !this.isMine;
  }

  #takeAtOnce(): boolean {
    const { cell } = this;
    if (cell.entry === undefined) note(cell);
    if (Atomics.compareExchange(cell.words, STATE, 0, this.#mine) !== 0) {
      return false;
    }
    this.#begin();
    return true;
  }

  /** It is this thread's. */
  #begin(): void {
    this.#isTaken = true;
    this.#acquisition = ++this.#count;
    if (!isGivenUp()) return;
    this.#isTaken = false;
    this.#free(this.#mine);
    throw givenUpError();
  }

  /** Frees it. False if `holder`, or anybody, does not hold it. */
  #free(holder: number | undefined): boolean {
    const { words } = this.cell;
    while (true) {
      const old = Atomics.load(words, STATE);
      const current = old & ~FLAGS;
      if (current === 0 || current === ABANDONED) return false;
      if (holder !== undefined && current !== holder) return false;
      const next = old & RESERVED;
      if (Atomics.compareExchange(words, STATE, old, next) !== old) continue;
      if (old & SLEEPERS) wake(this.cell, STATE, 1);
      return true;
    }
  }

  #waiter(): Waiter {
    const { cell, epoch } = this;
    return {
      cell,
      index: STATE,
      attempt: (level) => this.#attempt(level, epoch),
      passOn: () => {
        const old = Atomics.or(cell.words, STATE, SLEEPERS) & ~FLAGS;
        if (old === 0 || old === ABANDONED) wake(cell, STATE, 1);
      },
    };
  }

  #attempt(level: number, epoch: number): number | undefined {
    const { words } = this.cell;
    this.throwIfAbandonedSince(epoch);
    while (true) {
      const old = Atomics.load(words, STATE);
      const holder = old & ~FLAGS;
      if (holder === ABANDONED) this.#throwIfAbandoned();
      else if (holder === 0 && (level > NEWCOMER || !(old & RESERVED))) {
        // Others may sleep, too, of whom only this one has been woken.
        const taken = this.#mine |
          (level > NEWCOMER ? SLEEPERS : old & SLEEPERS);
        if (Atomics.compareExchange(words, STATE, old, taken) === old) {
          this.#begin();
          return undefined;
        }
      } else {
        const flagged = old | SLEEPERS | (level === STARVING ? RESERVED : 0);
        if (
          flagged === old ||
          Atomics.compareExchange(words, STATE, old, flagged) === old
        ) return flagged;
      }
    }
  }

  /** Takes note that somebody has been told, if nobody has yet. */
  #throwIfAbandoned(): void {
    const { words } = this.cell;
    const old = Atomics.load(words, STATE);
    if ((old & ~FLAGS) !== ABANDONED) return;
    const next = old & FLAGS;
    if (Atomics.compareExchange(words, STATE, old, next) !== old) return;
    // Its flags have outlived whom they were about, maybe.
    if (old & SLEEPERS) wake(this.cell, STATE, 1);
    throw this.#abandoned();
  }

  #abandoned(): LockAbandonedError {
    const workerId = Atomics.load(this.cell.words, ABANDONED_BY);
    return new LockAbandonedError(
      `Worker ${workerId} ended while it held the ${this.#name}`,
      { workerId },
    );
  }

  #tooLate(timeout: number): Error {
    const what = `The ${this.#name} was not released`;
    return waitTimeoutError(what, "acquire", timeout);
  }

  #notHeld(): Error {
    return new Error(`Cannot release the ${this.#name} as nobody holds it`);
  }
}
