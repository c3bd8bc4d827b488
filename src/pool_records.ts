import { InsightsBook, type WorkerPoolInsights } from "./insights/insights.ts";

/** What a pool keeps of its workers, since all were last stopped. */
export class PoolRecords {
  /** What exit functions have returned. */
  readonly exitResults: unknown[] = [];
  /** Where the workers' time went, if the pool is to know. */
  readonly insights: InsightsBook | undefined;
  #hasStarted = false;

  constructor(nJobs: number, measures: boolean) {
    this.insights = measures ? new InsightsBook(nJobs) : undefined;
  }

  /** All workers are started anew. */
  reset(): void {
    this.#hasStarted = true;
    this.exitResults.length = 0;
    this.insights?.reset();
  }

  /** The insights so far; empty without any. */
  getInsights(): WorkerPoolInsights | Record<string, never> {
    return this.#hasStarted && this.insights ? this.insights.snapshot() : {};
  }
}
