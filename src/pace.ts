import { clock, runtime } from "./runtime/detect.ts";
import type { Chunk } from "./task_source.ts";
import { MOST_TASKS } from "./wire/hot_line.ts";

/** Chunks that must follow each other at once before anybody stays awake. */
const MIN_STREAK = 4;

/** Within so many ms after the last has returned, a call follows at once. */
const MAX_GAP = 0.05;

/** Chunks that take longer, in ms, are not worth staying awake for. */
const MAX_TASK = 0.05;

/** Looks in vain, one after the other, that show that they do not pay. */
const MAX_VAIN = 2;

/**
 * How many calls go by message then, before it is tried again: at first, as a
 * thread may have been kept from its core for once; and at most, as it is
 * doubled each time, where that goes on.
 */
const SHORTEST_REST = 8;
const LONGEST_REST = 128;

/** Of so many calls for which both stay awake, one has the clock read. */
const CALLS_A_LOOK = 8;

/** How long timers and messages of the owner may have to wait, in ms. */
const TURN_INTERVAL = 1;

/** When they had their last turn. */
let lastTurn = 0;

/** Workers of all pools in this thread that have something to do. */
let busyWorkers = 0;

let cpuCount: number | undefined;

/** Tells whether short chunks of a worker follow each other at once. */
export class Pace {
  #streak = 0;
  #vainLooks = 0;
  #rest = 0;
  #nextRest = SHORTEST_REST;
  #isBusy = false;
  /** Whether the last chunk has gone to a worker that stayed awake for it. */
  #isHot = false;
  #hotCalls = 0;
  #idleSince: number;
  readonly #now: () => number;

  /** `now` tells the time in ms. */
  constructor(now: () => number = () => clock.now()) {
    this.#now = now;
    this.#idleSince = now();
  }

  /**
   * Since when the worker has had nothing to do, by the clock; while
   * calls are hot, one of the last few times.
   */
  get idleSince(): number {
    return this.#idleSince;
  }

  /** The worker has something to do, or nothing any more. */
  setBusy(isBusy: boolean): void {
    if (isBusy === this.#isBusy) return;
    this.#isBusy = isBusy;
    busyWorkers += isBusy ? 1 : -1;
    if (!isBusy && this.#isTimed) this.#idleSince = this.#now();
  }

  /**
   * A chunk is about to be sent to the worker, which is idle. Returns whether
   * both sides shall stay awake.
   */
  isHot(chunk: Chunk): boolean {
    this.#isHot = this.#followsAtOnce(chunk);
    this.#hotCalls++;
    return this.#isHot;
  }

  /** A chunk has gone by message. */
  noteMessage(): void {
    this.#isHot = false;
  }

  /** To read the clock takes some time itself: while calls are hot, not all. */
  get #isTimed(): boolean {
    return !this.#isHot || this.#hotCalls % CALLS_A_LOOK === 0;
  }

  #followsAtOnce({ elements, mode }: Chunk): boolean {
    const isShort = elements.length <= MOST_TASKS && mode.isolated &&
      mode.concurrency === 1;
    const isLate = this.#isTimed && this.#now() - this.#idleSince > MAX_GAP;
    if (!isShort || isLate) {
      this.#cool();
      return false;
    }
    this.#streak = Math.min(this.#streak + 1, MIN_STREAK * 2);
    if (this.#streak < MIN_STREAK) return false;
    if (this.#rest > 0) {
      this.#rest--;
      return false;
    }
    // Who stays awake takes a core, and hears nobody else.
    cpuCount ??= runtime.cpuCount();
    return busyWorkers === 0 && cpuCount > 1;
  }

  /** A chunk has ended, of which the worker says that it took so many ms. */
  noteEnd(elapsed: number): void {
    if (elapsed > MAX_TASK) this.#cool();
  }

  /**
   * Whether the thread should go back to its event loop instead of looking,
   * as promises that settle at once would keep it from there.
   */
  isTurnDue(): boolean {
    if (this.#idleSince - lastTurn < TURN_INTERVAL) return false;
    lastTurn = this.#idleSince;
    return true;
  }

  /**
   * Both sides stayed awake for the end of a chunk; says whether it came as
   * long as they did. If both run on one core, they only keep each other from
   * it: a message is quicker there.
   */
  noteLook(wasInTime: boolean): void {
    if (wasInTime) {
      this.#vainLooks = 0;
      if (this.#nextRest > SHORTEST_REST) this.#nextRest /= 2;
    } else if (++this.#vainLooks >= MAX_VAIN) {
      this.#vainLooks = 0;
      this.#rest = this.#nextRest;
      this.#nextRest = Math.min(this.#nextRest * 2, LONGEST_REST);
    }
  }

  /** Once may be by chance. */
  #cool(): void {
    this.#streak = Math.max(0, this.#streak - MIN_STREAK + 1);
  }
}
