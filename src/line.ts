/**
 * A few things in the order in which they were added, each once. A set would
 * do, but that leaves its former tables behind as it changes, each of which
 * leads to the next: once one is old, no quick collection frees the others,
 * nor what they held. Calls in turn took up to a quarter longer.
 */
export class Line<T> {
  readonly #items: T[] = [];

  /** What is in it, as it is now. */
  get items(): readonly T[] {
    return this.#items;
  }

  /** The number of things in it. */
  get length(): number {
    return this.#items.length;
  }

  /** Adds a thing at the end, unless it is there. */
  add(item: T): void {
    if (this.#indexOf(item) < 0) this.#items.push(item);
  }

  /** Takes a thing out. Returns whether it was there. */
  remove(item: T): boolean {
    const items = this.#items;
    const index = this.#indexOf(item);
    if (index < 0) return false;
    // Mostly it is the only one.
    if (index === items.length - 1) items.pop();
    else items.splice(index, 1);
    return true;
  }

  /** Moves a thing that is there to the end. */
  moveToEnd(item: T): void {
    if (this.#items.at(-1) !== item && this.remove(item)) {
      this.#items.push(item);
    }
  }

  /** Adds a thing that belongs there, else takes it out. */
  toggle(item: T, belongs: boolean): void {
    if (belongs) this.add(item);
    else this.remove(item);
  }

  /** Takes everything out, and returns it. */
  clear(): T[] {
    return this.#items.splice(0);
  }

  /** As that of an array, which takes longer where there are few. */
  #indexOf(item: T): number {
    const items = this.#items;
    let index = items.length - 1;
    while (index >= 0 && items[index] !== item) index--;
    return index;
  }
}
