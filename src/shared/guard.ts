/**
 * Stands for a lock or a permit that is held. A `using` declaration gives it
 * back at the end of its block.
 */
export interface Guard extends Disposable {
  /** Gives it back. Has no effect if that has been done. */
  release(): void;
}

/** Gives back what was got by an acquisition, if it still is. */
type GiveBack = (acquisition: number) => void;

/** A guard of one acquisition. */
export class ReleasingGuard implements Guard {
  #giveBack: GiveBack | undefined;
  readonly #acquisition: number;

  /** Makes a guard. */
  constructor(giveBack: GiveBack, acquisition = 0) {
    this.#giveBack = giveBack;
    this.#acquisition = acquisition;
  }

  /** Gives it back. */
  release(): void {
    const giveBack = this.#giveBack;
    this.#giveBack = undefined;
    giveBack?.(this.#acquisition);
  }

  /** Gives it back. */
  [Symbol.dispose](): void {
    this.release();
  }
}
