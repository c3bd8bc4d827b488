import { PoolTerminatedError } from "../errors.ts";
import { ProgressBar, type ProgressOutcome } from "./bar.ts";
import { type Progress, ProgressMeter } from "./meter.ts";
import type { ProgressBarOptions, ProgressBarStyle } from "./options.ts";

/** What a call was asked to show. */
export interface ProgressRequest {
  progressBar?: boolean | undefined;
  progressBarOptions?: ProgressBarOptions | undefined;
  progressBarStyle?: ProgressBarStyle | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** How a call ended that rejects with `error`. */
export function outcomeOf(
  error: unknown,
  signal: AbortSignal | undefined,
): ProgressOutcome {
  const isCancelled = error instanceof PoolTerminatedError ||
    signal?.aborted && error === signal.reason;
  return isCancelled ? "stopped" : "failed";
}

/** Tells whoever wants to know how far a call is. */
export class ProgressTracker {
  readonly #bar: ProgressBar | undefined;
  readonly #meter: ProgressMeter | undefined;
  #told: number | undefined;
  readonly #onProgress: ((progress: Progress) => void) | undefined;

  /** `total` is the number of tasks, if known. */
  constructor(request: ProgressRequest, total: number | undefined) {
    const { progressBar, progressBarOptions = {}, onProgress } = request;
    const { progressBarStyle = "std" } = request;
    if (progressBar && progressBarStyle === "std") {
      this.#bar = new ProgressBar(progressBarOptions, total);
    }
    if (onProgress) {
      this.#meter = new ProgressMeter(total);
      this.#onProgress = onProgress;
    }
  }

  /** Whether a call with these options has anything to tell. */
  static isWanted(request: ProgressRequest): boolean {
    const { progressBar = false, onProgress } = request;
    return progressBar || onProgress !== undefined;
  }

  /** So many tasks are done. */
  update(completed: number): void {
    this.#bar?.update(completed);
    if (!this.#meter?.update(completed)) return;
    this.#told = completed;
    this.#onProgress!(this.#meter.progress());
  }

  /** The number of tasks is known now. */
  setTotal(total: number): void {
    this.#bar?.setTotal(total);
    this.#meter?.setTotal(total);
  }

  /** The call has ended. */
  end(outcome: ProgressOutcome, completed: number): void {
    this.#bar?.update(completed);
    this.#bar?.close(outcome);
    // Who has heard of the last task knows of the end.
    const isKnown = outcome === "finished" && this.#told === completed;
    if (!this.#meter || isKnown) return;
    this.#meter.update(completed);
    this.#meter.end(outcome === "finished");
    this.#onProgress!(this.#meter.progress());
  }
}
