import { clock } from "../runtime/detect.ts";
/** How far a call has come. */
export interface Progress {
  /** Tasks that are done. */
  completed: number;
  /** All tasks, `undefined` as long as their number is unknown. */
  total: number | undefined;
  /** Milliseconds since the start. */
  elapsed: number;
  /** Tasks per second, `undefined` until one is done. */
  rate: number | undefined;
  /** Milliseconds that the rest will take at that rate. */
  remaining: number | undefined;
}

/** How much a new sample counts; what tqdm uses. */
const SMOOTHING = 0.3;

/** An exponential moving average, corrected for its start at 0. */
class MovingAverage {
  #last = 0;
  #weight = 0;

  add(value: number): void {
    this.#last += SMOOTHING * (value - this.#last);
    this.#weight += SMOOTHING * (1 - this.#weight);
  }

  get value(): number {
    return this.#weight === 0 ? 0 : this.#last / this.#weight;
  }
}

/** Computes the progress of a call from the number of its finished tasks. */
export class ProgressMeter {
  readonly #now: () => number;
  readonly #interval: number;
  readonly #start: number;
  readonly #counts = new MovingAverage();
  readonly #times = new MovingAverage();
  #total: number | undefined;
  #completed = 0;
  #sampledCount = 0;
  #sampledAt: number;
  #endedAt: number | undefined;

  /**
   * Starts the clock.
   *
   * @param total All tasks, if known.
   * @param interval Milliseconds between two samples.
   * @param now The clock, in milliseconds.
   */
  constructor(
    total: number | undefined,
    interval = 100,
    now: () => number = () => clock.now(),
  ) {
    this.#total = total;
    this.#interval = interval;
    this.#now = now;
    this.#start = this.#sampledAt = now();
  }

  /**
   * Takes the number of finished tasks. Cheap: whether it is time to show or
   * report it, at most once an interval.
   */
  update(completed: number): boolean {
    this.#completed = completed;
    const now = this.#now();
    const time = now - this.#sampledAt;
    if (time < this.#interval || completed === this.#sampledCount) return false;
    this.#counts.add(completed - this.#sampledCount);
    this.#times.add(time);
    this.#sampledCount = completed;
    this.#sampledAt = now;
    return true;
  }

  /** Takes the number of tasks, once it is known. */
  setTotal(total: number): void {
    this.#total = total;
  }

  /**
   * Stops the clock; the rate is that of the whole call from now on. A call
   * that succeeded has done all of its tasks, however many were expected.
   */
  end(succeeded: boolean): void {
    this.#endedAt ??= this.#now();
    if (succeeded) this.#total = this.#completed;
  }

  /** The progress at this moment. */
  progress(): Progress {
    const completed = this.#completed;
    const total = this.#total;
    const elapsed = (this.#endedAt ?? this.#now()) - this.#start;
    const rate = this.#rate(elapsed);
    const remaining = rate === undefined || total === undefined
      ? undefined
      : Math.max(0, total - completed) / rate * 1000;
    return { completed, total, elapsed, rate, remaining };
  }

  #rate(elapsed: number): number | undefined {
    const time = this.#endedAt === undefined ? this.#times.value : 0;
    const rate = time > 0
      ? this.#counts.value / time * 1000
      : this.#completed / elapsed * 1000;
    return rate > 0 && Number.isFinite(rate) ? rate : undefined;
  }
}
