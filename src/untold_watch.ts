import { runtime } from "./runtime/detect.ts";

/** How long results that are ready may wait behind a busy worker, in ms. */
const INTERVAL = 8;

/**
 * Has a worker's untold results fetched now and then, while there may be some.
 * A chunk costs no timer of its own.
 */
export class UntoldWatch {
  /** Fetches what there is; false when there will be no more. */
  readonly #fetch: () => boolean;
  #timer: unknown;

  constructor(fetch: () => boolean) {
    this.#fetch = fetch;
  }

  /** From now on there may be some. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#fetch()) this.start();
    }, INTERVAL);
    // What waits for results keeps the program alive.
    runtime.unrefTimer(this.#timer);
  }

  /** There are none any more. */
  stop(): void {
    clearTimeout(this.#timer as number);
    this.#timer = undefined;
  }
}
