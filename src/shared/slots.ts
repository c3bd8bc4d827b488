import { type Cell, OWN } from "./cell.ts";
import { wake } from "./waiting.ts";

/** The ticket that is to be notified next, and the one to be given next. */
const HEAD = OWN;
const TAIL = OWN + 1;
const FIRST_SLOT = OWN + 2;
const SLOTS = 510;

/** The number of words of {@linkcode Slots}. */
export const SLOT_WORDS: number = 2 + SLOTS;

// What a slot holds: nothing, the mark of who left early, or the token of who
// waits there, times 2, plus 1 when it has been notified.
const FREE = 0;
const LEFT = 1;
const NOTIFIED = 1;

/**
 * Those who wait for a condition, in the order in which they came. Each has a
 * word of its own to sleep on, so that a notification wakes whom it is for.
 */
export class Slots {
  readonly #cell: Cell;

  /** Uses the words of the cell. */
  constructor(cell: Cell) {
    this.#cell = cell;
  }

  /** A slot for this thread, which must hold the lock. */
  take(): number {
    const { words, token } = this.#cell;
    let ticket = words[TAIL]!;
    const end = Atomics.load(words, HEAD) + SLOTS;
    for (; (end - ticket | 0) > 0; ticket = ticket + 1 | 0) {
      const slot = slotOf(ticket);
      // Its last user may not have woken up yet.
      if (Atomics.load(words, slot) !== FREE) continue;
      Atomics.store(words, slot, token * 2);
      Atomics.store(words, TAIL, ticket + 1 | 0);
      return slot;
    }
    // Places of those who left early are given back by notifications, but for
    // those which nobody has come to.
    for (let slot = FIRST_SLOT; slot < FIRST_SLOT + SLOTS; slot++) {
      const old = Atomics.compareExchange(words, slot, LEFT, token * 2);
      if (old === LEFT) return slot;
    }
    throw new RangeError(
      `Cannot wait for a Condition as ${SLOTS} others wait for it`,
    );
  }

  /** What the slot holds, `undefined` when it has been notified. */
  look(slot: number): number | undefined {
    const value = Atomics.load(this.#cell.words, slot);
    return (value & NOTIFIED) !== 0 ? undefined : value;
  }

  /** Leaves the slot. Returns whether it has been notified. */
  leave(slot: number): boolean {
    const { words, token } = this.#cell;
    const waiting = token * 2;
    if (Atomics.compareExchange(words, slot, waiting, LEFT) === waiting) {
      return false;
    }
    Atomics.store(words, slot, FREE);
    return true;
  }

  /** Notifies up to `count` of those who wait. */
  notify(count: number): void {
    const { words } = this.#cell;
    let left = count;
    while (left > 0) {
      const ticket = Atomics.load(words, HEAD);
      if (ticket === Atomics.load(words, TAIL)) return;
      const slot = slotOf(ticket);
      const value = Atomics.load(words, slot);
      if (value === LEFT) {
        Atomics.compareExchange(words, slot, LEFT, FREE);
      } else if (
        value !== FREE && (value & NOTIFIED) === 0 &&
        Atomics.compareExchange(words, slot, value, value + NOTIFIED) === value
      ) {
        left--;
        wake(this.#cell, slot, 1);
      }
      Atomics.compareExchange(words, HEAD, ticket, ticket + 1 | 0);
    }
  }

  /** A thread is gone: its notifications go to others. */
  abandon(token: number): void {
    const { words } = this.#cell;
    const waiting = token * 2;
    for (let slot = FIRST_SLOT; slot < FIRST_SLOT + SLOTS; slot++) {
      const old = Atomics.compareExchange(words, slot, waiting, LEFT);
      if (old !== waiting + NOTIFIED) continue;
      if (Atomics.compareExchange(words, slot, old, FREE) === old) {
        this.notify(1);
      }
    }
  }

  /** Lets all who wait look around. */
  wakeAll(): void {
    const { words } = this.#cell;
    for (let slot = FIRST_SLOT; slot < FIRST_SLOT + SLOTS; slot++) {
      if (Atomics.load(words, slot) > LEFT) wake(this.#cell, slot, Infinity);
    }
  }
}

function slotOf(ticket: number): number {
  return FIRST_SLOT + (ticket >>> 0) % SLOTS;
}
