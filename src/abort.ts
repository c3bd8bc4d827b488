/** What is to happen when a signal aborts. */
class AbortListener {
  readonly #signal: AbortSignal;
  readonly #callbacks = new Set<() => void>();
  readonly #onAbort = () => {
    listeners.delete(this.#signal);
    for (const callback of this.#callbacks) callback();
  };

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  add(callback: () => void): void {
    this.#callbacks.add(callback);
  }

  delete(callback: () => void): void {
    this.#callbacks.delete(callback);
    if (this.#callbacks.size > 0) return;
    this.#signal.removeEventListener("abort", this.#onAbort);
    listeners.delete(this.#signal);
  }
}

const listeners = new WeakMap<AbortSignal, AbortListener>();

/**
 * Calls back when the signal aborts, which it has not yet. Returns what
 * prevents that. All who wait for a signal share one listener: Node warns of a
 * leak where there are more than ten.
 */
export function whenAborted(
  signal: AbortSignal,
  callback: () => void,
): () => void {
  let listener = listeners.get(signal);
  if (!listener) {
    listener = new AbortListener(signal);
    listeners.set(signal, listener);
  }
  listener.add(callback);
  return () => listener.delete(callback);
}
