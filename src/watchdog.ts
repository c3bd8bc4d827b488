import { BackgroundTimer } from "./background_timer.ts";
import { clock } from "./runtime/detect.ts";
import {
  type ControlBlock,
  hasBegun,
  phaseOf,
  progressOf,
} from "./wire/control.ts";

/** The shortest and the longest time between two looks, in ms. */
const SHORTEST = 1;
const LONGEST = 100;

/** Looks that a timeout is divided into. */
const LOOKS = 16;

/** What is watched: the tasks of a chunk, or one phase of a worker's life. */
interface Watch {
  readonly timeout: number;
  /** A number that changes with every step; undefined while none runs. */
  step(): number | undefined;
  /** Hears which step is late. */
  readonly onOverrun: (step: number) => void;
  seen: number | undefined;
  since: number;
}

/**
 * Finds steps that take too long, without a timer for each: it looks now and
 * then how far the worker is, by the words that the worker writes anyway. A
 * step is late when it has been seen unfinished for the whole timeout, so
 * none is ever stopped early, and it is found late by two looks at most.
 */
export class Watchdog {
  readonly #control: ControlBlock;
  readonly #watches = new Map<number, Watch>();
  // What is watched keeps the program alive; looking at it does not.
  readonly #timer = new BackgroundTimer(() => this.#look());

  constructor(control: ControlBlock) {
    this.#control = control;
  }

  /** Watches each task of a chunk. */
  watchTasks(
    sequence: number,
    timeout: number,
    onOverrun: (begun: number) => void,
  ): void {
    const control = this.#control;
    this.#watch(sequence, timeout, onOverrun, () => {
      if (!hasBegun(control, sequence)) return undefined;
      const { begun, ended } = progressOf(control, sequence);
      return ended || begun === 0 ? undefined : begun;
    });
  }

  /** Watches how long the worker is in a phase. Its key is the negative. */
  watchPhase(phase: number, timeout: number, onOverrun: () => void): void {
    this.#watch(
      -phase,
      timeout,
      onOverrun,
      () => phaseOf(this.#control) === phase ? phase : undefined,
    );
  }

  /** Whether this is watched. */
  watches(key: number): boolean {
    return this.#watches.has(key);
  }

  /** What was watched has ended, or has given a sign of life. */
  touch(key: number): void {
    if (this.#watches.size === 0) return;
    const watch = this.#watches.get(key);
    if (watch) watch.seen = undefined;
  }

  /** What was watched has ended. */
  unwatch(key: number): void {
    if (this.#watches.size > 0) this.#watches.delete(key);
  }

  /** Watches nothing any more. */
  stop(): void {
    this.#watches.clear();
    this.#timer.stop();
  }

  #watch(
    key: number,
    timeout: number,
    onOverrun: (step: number) => void,
    step: () => number | undefined,
  ): void {
    this.#watches.set(key, {
      timeout,
      step,
      onOverrun,
      seen: undefined,
      since: 0,
    });
    if (!this.#timer.isSet) this.#schedule();
  }

  #schedule(): void {
    let interval = LONGEST;
    for (const { timeout } of this.#watches.values()) {
      interval = Math.min(interval, Math.max(SHORTEST, timeout / LOOKS));
    }
    this.#timer.start(interval);
  }

  #look(): void {
    const now = clock.now();
    const late: Watch[] = [];
    for (const watch of this.#watches.values()) {
      const step = watch.step();
      if (step === undefined || step !== watch.seen) {
        watch.seen = step;
        watch.since = now;
      } else if (now - watch.since >= watch.timeout) {
        late.push(watch);
      }
    }
    // The timer goes on while there is something to watch, and then ends:
    // a chunk costs no timer of its own.
    if (this.#watches.size > 0) this.#schedule();
    for (const watch of late) watch.onOverrun(watch.seen!);
  }
}
