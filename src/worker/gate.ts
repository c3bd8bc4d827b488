/** Counts the asynchronous tasks that run at the same time. */
export class Gate {
  #running = 0;
  #waiting: (() => void)[] = [];

  /** Resolves when fewer than `limit` tasks run; at once if they do. */
  hasRoom(limit: number): Promise<void> | undefined {
    return this.#running < limit ? undefined : this.#makeRoom(limit);
  }

  async #makeRoom(limit: number): Promise<void> {
    while (this.#running >= limit) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** A task begins. */
  enter(): void {
    this.#running++;
  }

  /** A task has ended. */
  leave(): void {
    this.#running--;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
