/** Working time that a group shall take at least, in ms. */
const GROUP_TIME = 0.02;

/** The most tasks between two looks. */
const MAX_SIZE = 1024;

/** Working time that pays for one more look, in ms. */
const LOOK_PRICE = 0.04;

/** The most looks that are saved for later. */
const MAX_CREDIT = 2500;

/**
 * Decides how many tasks run between two looks at the clock, so that the looks
 * cost little (one takes 0.05 to 0.15 us) and still tell tasks apart.
 *
 * Tasks of 20 us and more each get their own look. Quicker ones share: groups
 * double until a group takes 20 us, or has 1024 tasks. What takes longer than
 * 40 us earns credit, and as long as there is some, every task gets its own
 * look. So where quick and slow tasks mix, a slow one pays for telling dozens
 * or hundreds of the next ones apart, at less than a hundredth of its time.
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
    const credit = this.#credit + elapsed / LOOK_PRICE - 1;
    this.#credit = Math.min(Math.max(credit, 0), MAX_CREDIT);
    const limit = Math.min(this.#size * 2, MAX_SIZE);
    const wanted = Math.ceil(GROUP_TIME * count / elapsed);
    if (this.#credit >= 1) this.#size = 1;
    // A group may take no time as far as the clock can tell.
    else this.#size = elapsed > 0 ? Math.min(wanted, limit) : limit;
  }

  /** Nothing is known of the tasks to come. */
  reset(): void {
    this.#size = 1;
  }
}
