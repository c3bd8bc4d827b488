/** A map that forgets its oldest entry when it has more than `size`. */
export class BoundedMap<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  /** The value of the key, made by `create` when there is none. */
  get(key: K, create: () => V): V {
    let value = this.#entries.get(key);
    if (value === undefined) {
      value = create();
      this.#entries.set(key, value);
      if (this.#entries.size > this.#size) {
        this.#entries.delete(this.#entries.keys().next().value!);
      }
    }
    return value;
  }
}
