/**
 * Stands for a lock or a permit that is held. A `using` declaration gives it
 * back at the end of its block.
 */
export interface Guard extends Disposable {
  /** Gives it back. Has no effect if that has been done. */
  release(): void;
}

/** Makes a guard of the way to give back. */
export class ReleasingGuard implements Guard {
  readonly #holder: { giveBack(acquisition: number): void };
  readonly #acquisition: number;

  /** Makes a guard of the acquisition. */
  constructor(
    holder: { giveBack(acquisition: number): void },
    acquisition: number,
  ) {
    this.#holder = holder;
    this.#acquisition = acquisition;
  }

  /** Gives it back. */
  release(): void {
    this.#holder.giveBack(this.#acquisition);
  }

  /** Gives it back. */
  [Symbol.dispose](): void {
    this.release();
  }
}
