/**
 * How to wait for a word of shared memory to change, and how to wake those who
 * do: the only place that knows by what means.
 *
 * In one process it is `Atomics.wait()`, `waitAsync()` and `notify()`. These
 * do not reach other processes; there the system's futex does, and each knows
 * nothing of the other's sleepers. So whoever has a primitive that another
 * process has, too, sleeps on the futex if that blocks its thread, looks again
 * every few milliseconds if not, and wakes both kinds. README.md tells more.
 *
 * @module
 */

import { loadNative, type Native } from "../runtime/native.ts";
import type { Cell } from "./cell.ts";
import { clearTimeout, setTimeout, type Timer } from "../timers.ts";

/** Sleepers look again at least so often, in ms. */
const SLICE = 1000;
/** The same if another process could come to share the primitive meanwhile. */
const UNCROSSED_SLICE = 50;
/** The same in a futex, from which a thread cannot be terminated. */
const FUTEX_SLICE = 100;
/** The same where nobody can wake the sleeper. */
const BLIND_SLICE = 1;
/** How often one who must not block looks for what other processes did. */
const POLL = { least: 1, most: 8 };
/** How much later than an asynchronous wait its timer ends, in ms. */
const TIMER_DELAY = 5;
/** The most sleepers that the system can be told to wake. */
const MAX_INT = 2 ** 31 - 1;
/** How often to look before sleeping. */
const SPINS = 64;

type WaitAsync = (
  words: Int32Array,
  index: number,
  expected: number,
  ms: number,
) =>
  | { async: false; value: string }
  | { async: true; value: Promise<string> };

const { waitAsync } = Atomics as unknown as { waitAsync?: WaitAsync };

function native(): Native | undefined {
  const loaded = loadNative();
  return "reason" in loaded ? undefined : loaded;
}

/** Blocks this thread until the word is another, or somebody wakes it. */
export function sleep(
  cell: Cell,
  index: number,
  expected: number,
  ms: number,
): void {
  const { words } = cell;
  for (let i = 0; i < SPINS; i++) {
    if (Atomics.load(words, index) !== expected) return;
  }
  if (!cell.hasCrossed) {
    const slice = cell.canCross ? UNCROSSED_SLICE : SLICE;
    Atomics.wait(words, index, expected, Math.min(ms, slice));
    return;
  }
  const calls = native();
  if (calls) calls.futexWait(words, index, expected, Math.min(ms, FUTEX_SLICE));
  else Atomics.wait(words, index, expected, Math.min(ms, BLIND_SLICE));
}

/** Wakes up to `count` sleepers. Returns how many there were, or more. */
export function wake(cell: Cell, index: number, count: number): number {
  const { words } = cell;
  const woken = Atomics.notify(words, index, count);
  if (!cell.hasCrossed) return woken;
  const most = Math.min(count, MAX_INT);
  return woken + (native()?.futexWake(words, index, most) ?? 0);
}

/** A wait that does not block the thread, and keeps its event loop alive. */
export interface Sleep {
  /** Resolves when the word may be another, or when the time is over. */
  readonly over: Promise<void>;
  /**
   * Ends the wait. A wake-up that still comes for it was meant for another
   * sleeper: `onWasted` is called then.
   */
  leave(onWasted: () => void): void;
}

/** Begins such a wait, the `round`-th in a row. */
export function sleepAsync(
  cell: Cell,
  index: number,
  expected: number,
  ms: number,
  round: number,
): Sleep | undefined {
  const slice = Math.min(ms, asyncSlice(cell, round));
  const attempt = waitAsync?.(cell.words, index, expected, slice);
  if (attempt && !attempt.async) return undefined;
  let hasEnded = false;
  let onWasted: (() => void) | undefined;
  let timer: Timer;
  const over = new Promise<void>((resolve) => {
    const end = () => {
      hasEnded = true;
      clearTimeout(timer);
      resolve();
    };
    // Nothing but this timer keeps the event loop alive.
    timer = setTimeout(end, attempt ? slice + TIMER_DELAY : slice);
    attempt?.value.then((outcome) => {
      if (!hasEnded) end();
      else if (outcome === "ok") onWasted?.();
    });
  });
  return {
    over,
    leave(callback) {
      onWasted = callback;
      hasEnded = true;
      clearTimeout(timer);
    },
  };
}

function asyncSlice(cell: Cell, round: number): number {
  if (cell.hasCrossed || !waitAsync) {
    return Math.min(POLL.least * 2 ** Math.min(round, 10), POLL.most);
  }
  return cell.canCross ? UNCROSSED_SLICE : SLICE;
}
