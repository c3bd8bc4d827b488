import { runtime } from "./runtime/detect.ts";
import { LONGEST_TIMER } from "./timeouts.ts";
import { clearTimeout, setTimeout, type Timer } from "./timers.ts";

/** Does something a while later, unless the program has ended by then. */
export class BackgroundTimer {
  readonly #act: () => void;
  #timer: Timer;

  constructor(act: () => void) {
    this.#act = act;
  }

  /** Whether it is about to act. */
  get isSet(): boolean {
    return this.#timer !== undefined;
  }

  /** Acts in `delay` ms, unless it is about to act already. */
  start(delay: number): void {
    if (this.isSet) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#act();
    }, Math.min(delay, LONGEST_TIMER));
    runtime.unrefTimer(this.#timer);
  }

  /** Does not act, after all. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
