/** First in, first out, each step in constant time on average. */
export class Queue<T> {
  #items: T[] = [];
  #head = 0;

  /** The number of items. */
  get length(): number {
    return this.#items.length - this.#head;
  }

  /** Adds an item at the end. */
  push(item: T): void {
    this.#items.push(item);
  }

  /** Drops all items. */
  clear(): void {
    // Where there is one at a time, the array keeps its room.
    if (this.#items.length > 1) this.#items = [];
    else this.#items.pop();
    this.#head = 0;
  }

  /** The first item, which stays. */
  peek(): T | undefined {
    return this.#items[this.#head];
  }

  /** Takes the first item. */
  shift(): T | undefined {
    if (this.length <= 1) {
      const item = this.#items.pop();
      this.clear();
      return item;
    }
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined as T;
    // Moving the rest once half is used up costs each item one move.
    if (this.#head * 2 >= this.#items.length && this.#head >= 32) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
