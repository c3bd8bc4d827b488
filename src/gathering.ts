import type { AdaptiveSizer } from "./chunking.ts";
import type { FunctionHandle } from "./functions/registry.ts";
import type { Chunk } from "./task_source.ts";
import { MOST_TASKS } from "./wire/hot_line.ts";
import { clearTimeout, setTimeout, type Timer } from "./timers.ts";

/**
 * A call is quick if so many take a tenth of a ms together, for each worker but
 * one. With two workers that is 33 us a call, about what a message takes; more
 * workers would share the calls.
 */
const CALLS_PER_WORKER = 3;

/** Not more: 8 us are what messages of a call take the pool's own thread. */
const MOST_CALLS = 12;

/** Calls that wait together, at most. */
const MOST_WAITING = 2 * MOST_TASKS;

/** How long they wait for one that runs, in ms. */
const PATIENCE = 2;

/** Two callers: while the call of one runs, the other makes the next. */
const PAIR = 2;

const hop = () => {};

/**
 * Decides when quick calls of `apply()` wait for each other, to travel
 * together. A few callers that each wait for one call before they make the
 * next would else have a worker each, woken by a message for each call, which
 * takes 20 to 60 us. One worker that stays awake serves all of them in a
 * fraction of that, see hot_line.ts, unless tasks take so long that several
 * workers gain more.
 */
export class Gathering {
  readonly #sizer: AdaptiveSizer;
  /** So many must take a tenth of a ms together. */
  readonly #least: number;
  readonly #feed: () => void;
  /** The chunk that was handed out last, until it ends. */
  #last: Chunk | undefined;
  /** The one for which calls have waited since the timer was set. */
  #awaited: Chunk | undefined;
  /** The one for which they have waited long enough. */
  #late: Chunk | undefined;
  /** The ID of the function of the chunk that ended last. */
  #lastRun: number | undefined;
  /** Whether those who got results in this tick may be about to call. */
  #isPausing = false;
  /** Keeps the program alive, as calls wait for it. */
  #timer: Timer;

  /** `feed` is called when calls that waited may be handed out. */
  constructor(nJobs: number, sizer: AdaptiveSizer, feed: () => void) {
    this.#sizer = sizer;
    this.#feed = feed;
    const others = Math.max(1, nJobs - 1);
    this.#least = Math.min(others * CALLS_PER_WORKER, MOST_CALLS);
  }

  /** Whether the next call, of the function, and all that wait shall do so. */
  holds(handle: FunctionHandle, waiting: number): boolean {
    if (handle.id !== this.#lastRun || !this.#areQuick(waiting)) return false;
    if (this.#isPausing) return true;
    const last = this.#last;
    if (!last || last === this.#late || last.handle !== handle) return false;
    this.#awaitLast();
    return true;
  }

  /** How many may travel together. */
  limit(waiting: number): number {
    return this.#areQuick(waiting) ? MOST_TASKS : Infinity;
  }

  /** A chunk is handed out. */
  noteSent(chunk: Chunk): void {
    this.#last = chunk;
  }

  /** A chunk has ended, and its calls have been settled. */
  noteEnded(chunk: Chunk, waiting: number): void {
    this.#lastRun = chunk.handle.id;
    if (chunk === this.#last) this.#last = this.#late = undefined;
    if (this.#isPausing || !this.#areQuick(waiting)) return;
    if (waiting + chunk.elements.length <= PAIR) return;
    this.#isPausing = true;
    // It takes a result so long to get through a promise made by `then()`.
    Promise.resolve().then(hop).then(hop).then(this.#endPause);
  }

  /** No call waits or runs any more: no chunk must be kept, nor its callers. */
  clear(): void {
    this.#last = this.#awaited = this.#late = undefined;
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  readonly #endPause = () => {
    this.#isPausing = false;
    this.#feed();
  };

  #areQuick(waiting: number): boolean {
    const { least } = this.#sizer;
    return least >= this.#least && waiting <= Math.min(least, MOST_WAITING);
  }

  #awaitLast(): void {
    if (this.#timer !== undefined) return;
    this.#awaited = this.#last;
    this.#timer = setTimeout(() => this.#losePatience(), PATIENCE);
  }

  /** One that is slow for once shall hold up no others. */
  #losePatience(): void {
    this.#timer = undefined;
    const last = this.#last;
    if (!last) return;
    if (last !== this.#awaited) return this.#awaitLast();
    this.#late = last;
    this.#feed();
  }
}
