/** Working time that one look at the clock is allowed for, in ms. */
const LOOK_INTERVAL = 0.004;

/** The most tasks between two looks. */
const MAX_SIZE = 64;

/** The most working time that is saved for later looks, in ms. */
const MAX_CREDIT = 10;

/**
 * Decides how many tasks run between two looks at the clock, so that the looks
 * cost little (one takes 0.05 to 0.1 us) and still tell tasks apart.
 *
 * Working time is the budget: every 4 us pay for one look. Tasks of 4 us and
 * more each get their own. Quicker ones share: groups double until a group is
 * worth a look, or has 64 tasks. Time beyond that is credit, and as long as
 * there is some, every task gets its own look. So where quick and slow tasks
 * mix, a slow one pays for telling hundreds of the next ones apart.
 */
export class GroupSize {
  #size = 1;
  #credit = 0;

  /** The number of tasks of the next group. */
  get current(): number {
    return this.#size;
  }

  /** A group took so long, in ms: sizes the next one. */
  next(count: number, elapsed: number): void {
    const credit = this.#credit + elapsed - LOOK_INTERVAL;
    this.#credit = Math.min(Math.max(credit, 0), MAX_CREDIT);
    const wanted = (LOOK_INTERVAL - this.#credit) / (elapsed / count);
    const limit = Math.min(this.#size * 2, MAX_SIZE);
    // A group may take no time as far as the clock can tell.
    this.#size = elapsed > 0
      ? Math.min(Math.max(Math.ceil(wanted), 1), limit)
      : limit;
  }

  /** Nothing is known of the tasks to come. */
  reset(): void {
    this.#size = 1;
  }
}
