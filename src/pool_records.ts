import { InsightsBook, type WorkerPoolInsights } from "./insights/insights.ts";

/** What a pool keeps of its workers, since all were last stopped. */
export class PoolRecords {
  /** What exit functions have returned. */
  readonly exitResults: unknown[] = [];
  /** Where the workers' time went, if the pool is to know. */
  readonly insights: InsightsBook | undefined;
  #hasStarted = false;
  /** Who has workers. */
  readonly #owners = new Set<object>();

  constructor(nJobs: number, measures: boolean) {
    this.insights = measures ? new InsightsBook(nJobs) : undefined;
  }

  /** Someone starts a worker: once all have stopped, what is kept begins anew. */
  enter(owner: object): void {
    if (this.#owners.size === 0) {
      this.#hasStarted = true;
      this.exitResults.length = 0;
      this.insights?.reset();
    }
    this.#owners.add(owner);
  }

  /** All workers of someone have been stopped. */
  leave(owner: object): void {
    this.#owners.delete(owner);
  }

  /** The insights so far; empty without any. */
  getInsights(): WorkerPoolInsights | Record<string, never> {
    return this.#hasStarted && this.insights ? this.insights.snapshot() : {};
  }
}
