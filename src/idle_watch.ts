import { BackgroundTimer } from "./background_timer.ts";
import type { CrewLimits } from "./crew.ts";
import type { PoolWorker } from "./pool_worker.ts";
import { clock } from "./runtime/detect.ts";

/** Stops workers that have been idle for long. */
export class IdleWatch {
  readonly #limits: CrewLimits;
  readonly #workers: () => readonly PoolWorker[];
  readonly #stop: (worker: PoolWorker) => void;
  readonly #timer = new BackgroundTimer(() => this.#look());

  /** `workers` gives those that may be stopped. */
  constructor(
    limits: CrewLimits,
    workers: () => readonly PoolWorker[],
    stop: (worker: PoolWorker) => void,
  ) {
    this.#limits = limits;
    this.#workers = workers;
    this.#stop = stop;
  }

  /** Looks a while later, if there is a limit and anybody to look at. */
  start(): void {
    const { idleTimeout } = this.#limits;
    if (idleTimeout === undefined || this.#timer.isSet) return;
    if (this.#workers().length > 0) this.#timer.start(idleTimeout);
  }

  #look(): void {
    const limit = clock.now() - this.#limits.idleTimeout!;
    for (const worker of this.#workers()) {
      if (worker.load === 0 && worker.idleSince <= limit) this.#stop(worker);
    }
    this.start();
  }
}
