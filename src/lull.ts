import { BackgroundTimer } from "./background_timer.ts";
import { clock } from "./runtime/detect.ts";

/** Nothing has ended for so long, in ms: calls do not follow each other. */
const LULL = 20;

/** How long to wait for that at most, in ms. */
const PATIENCE = 1000;

/** Does something when there is a lull, or when there has been none for long. */
export class Lull {
  readonly #act: () => void;
  readonly #lastEnd: () => number;
  readonly #timer = new BackgroundTimer(() => this.#look());
  #deadline = 0;

  /** `lastEnd` tells when something last ended, by the clock. */
  constructor(act: () => void, lastEnd: () => number) {
    this.#act = act;
    this.#lastEnd = lastEnd;
  }

  /** Waits for the next lull. */
  wait(): void {
    this.#deadline = clock.now() + PATIENCE;
    this.#timer.start(LULL);
  }

  /** Does not wait any more. */
  stop(): void {
    this.#timer.stop();
  }

  #look(): void {
    const now = clock.now();
    if (now < this.#deadline && this.#lastEnd() > now - LULL) {
      this.#timer.start(LULL);
    } else this.#act();
  }
}
