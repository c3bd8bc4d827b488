/**
 * What a worker holds, in words that its owner can read when it is gone. The
 * worker writes the ID of a lock there before it first takes it, and leaves it
 * until the entry is needed: whether the lock is really held, the lock itself
 * tells, as it names its holder.
 *
 * - word 0: the worker's token, 0 before it has started
 * - word 1: 1 when its owner has given it up
 * - three words for each entry: ID (2 words), and a number whose meaning is
 *   the primitive's own, such as the permits that the worker has
 *
 * @module
 */

import type { Cell } from "./cell.ts";
import { LockAbandonedError } from "../errors.ts";
import { type Realm, realm } from "./realm.ts";

const TOKEN = 0;
const GIVEN_UP = 1;
const FIRST_ENTRY = 2;
const ENTRY_WORDS = 3;
const COUNT = 2;
const ENTRIES = 512;

/** The number of words. */
export const HELD_WORDS: number = FIRST_ENTRY + ENTRIES * ENTRY_WORDS;

/** Worker: notes in these words, from now on, what it holds. */
export function trackHeld(words: Int32Array): void {
  const here = realm();
  here.held = words;
  Atomics.store(words, TOKEN, here.token);
}

/** Owner: these are the words of a worker that starts. */
export function expectHeld(words: Int32Array): void {
  const here = realm();
  here.workers.set(words, here.clock++);
}

/**
 * Owner: the worker is gone. Whoever waits for what it held gets an error,
 * and it is free again. One that `hasDied` did not end in an orderly way.
 */
export function abandonHeld(
  words: Int32Array,
  workerId: number,
  hasDied: boolean,
): void {
  // Whoever cannot be stopped shall take nothing from now on. A lock that it
  // takes right now either is seen below, or it sees this.
  Atomics.store(words, GIVEN_UP, 1);
  abandonCells(words, workerId, hasDied);
  const here = realm();
  here.workers.delete(words);
  forgetSent(here);
}

/** What was sent before all workers that live were started, none of them has. */
function forgetSent({ sent, workers }: Realm): void {
  const [start = Infinity] = workers.values();
  for (const [key, [, at]] of sent) {
    // What is kept to be sent to later workers is kept by that.
    if (at > start) return;
    sent.delete(key);
  }
}

function abandonCells(
  words: Int32Array,
  workerId: number,
  hasDied: boolean,
): void {
  const token = Atomics.load(words, TOKEN);
  if (token === 0) return;
  const { cells } = realm();
  const found = new Set<number>();
  for (let entry = 0; entry < ENTRIES; entry++) {
    const at = FIRST_ENTRY + entry * ENTRY_WORDS;
    const key = keyOf(Atomics.load(words, at), Atomics.load(words, at + 1));
    if (key === 0) continue;
    const count = Atomics.exchange(words, at + COUNT, 0);
    cells.get(key)?.deref()?.keeper.abandon(token, workerId, count, hasDied);
    found.add(key);
  }
  if (found.size === 0) return;
  for (const cell of cells.values()) {
    const keeper = cell.deref()?.keeper;
    if (keeper?.lock && found.has(keeper.lock.key)) keeper.lockAbandoned!();
  }
}

/** The number by which a primitive is known, from its ID. */
export function keyOf(low: number, high: number): number {
  return (high & 0x1fffff) * 2 ** 32 + (low >>> 0);
}

/**
 * Notes that this thread may hold the primitive from now on.
 *
 * @throws {RangeError} If a worker has more in use than there are entries.
 */
export function note(cell: Cell): void {
  if (cell.entry !== undefined) return;
  const { held, entries } = realm();
  let entry = entries.length;
  // The words of a thread that nobody watches are fewer.
  if (FIRST_ENTRY + (entry + 1) * ENTRY_WORDS > held.length) {
    entry = entries.findIndex((user) => user!.keeper.isIdle());
    if (entry < 0) {
      if (held[TOKEN] === 0) return;
      throw new RangeError(
        "Cannot use one more lock, semaphore or the like as a worker may hold " +
          `or wait for ${entries.length} at a time`,
      );
    }
    entries[entry]!.entry = undefined;
  }
  entries[entry] = cell;
  cell.entry = entry;
  const at = FIRST_ENTRY + entry * ENTRY_WORDS;
  Atomics.store(held, at, 0);
  Atomics.store(held, at + 1, 0);
  Atomics.store(held, at + COUNT, 0);
  Atomics.store(held, at + 1, cell.words[1]!);
  Atomics.store(held, at, cell.words[0]!);
}

/** The number that stands beside the ID. */
export function heldCount(cell: Cell): number {
  return cell.entry === undefined
    ? 0
    : Atomics.load(realm().held, countWord(cell.entry));
}

/** Sets the number that stands beside the ID. */
export function setHeldCount(cell: Cell, count: number): void {
  if (cell.entry === undefined) return;
  Atomics.store(realm().held, countWord(cell.entry), count);
}

/** Whether there is an entry. */
export function isNoted(cell: Cell): boolean {
  return cell.entry !== undefined;
}

/** Raises the number by one. */
export function raiseHeldCount(cell: Cell): void {
  if (cell.entry === undefined) return;
  Atomics.add(realm().held, countWord(cell.entry), 1);
}

/** Lowers the number by one. False if it was 0. */
export function lowerHeldCount(cell: Cell): boolean {
  if (cell.entry === undefined) return false;
  const { held } = realm();
  const at = countWord(cell.entry);
  const count = Atomics.load(held, at);
  // It is 0 all of a sudden when the owner has given this worker up.
  return count > 0 &&
    Atomics.compareExchange(held, at, count, count - 1) === count;
}

function countWord(entry: number): number {
  return FIRST_ENTRY + entry * ENTRY_WORDS + COUNT;
}

/** Whether this thread's owner has given it up. */
export function isGivenUp(): boolean {
  return Atomics.load(realm().held, GIVEN_UP) === 1;
}

/** The error for a worker that goes on though its owner has given it up. */
export function givenUpError(): LockAbandonedError {
  return new LockAbandonedError(
    "This worker has been given up by its pool and can hold nothing",
  );
}
