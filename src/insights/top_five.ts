/** How many they are. */
export const SIZE = 5;

/** The five longest of many tasks, and what is known of each. */
export class TopFive<T> {
  #entries: [duration: number, T][] = [];
  #threshold = 0;

  /**
   * What a duration must exceed to get in, in ms. A task without any duration
   * never gets in, nor does one that is as long as a full list's last.
   */
  get threshold(): number {
    return this.#threshold;
  }

  /** The longest first; of equal ones, the one that came first. */
  get entries(): readonly (readonly [duration: number, T])[] {
    return this.#entries;
  }

  /** Takes a task in if it is long enough. */
  add(duration: number, value: T): void {
    if (!(duration > this.#threshold)) return;
    const entries = this.#entries;
    let at = entries.length;
    while (at > 0 && entries[at - 1]![0] < duration) at--;
    entries.splice(at, 0, [duration, value]);
    if (entries.length > SIZE) entries.length = SIZE;
    if (entries.length === SIZE) this.#threshold = entries[SIZE - 1]![0];
  }
}
