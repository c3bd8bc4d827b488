import type { ApplyBurst } from "./apply_burst.ts";
import type { Pending } from "./async_result.ts";

/** One call of `applyAsync()`, as its handle sees it. */
export class ApplyCall implements Pending {
  readonly promise: Promise<unknown>;
  readonly #burst: ApplyBurst;
  readonly #index: number;
  #isCancelled = false;

  /** Adds a call to a burst. */
  constructor(burst: ApplyBurst, args: readonly unknown[]) {
    this.#burst = burst;
    this.#index = burst.length;
    this.promise = burst.add(args);
  }

  get state(): Pending["state"] {
    // Even where its promise waits for workers to stop.
    return this.#isCancelled ? "rejected" : this.#burst.stateOf(this.#index);
  }

  cancel(reason: unknown): boolean {
    if (!this.#burst.cancel(this.#index, reason)) return false;
    this.#isCancelled = true;
    return true;
  }

  quieten(): void {
    this.promise.catch(() => {});
  }
}
