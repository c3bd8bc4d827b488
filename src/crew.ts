import { WorkerDiedError } from "./errors.ts";
import type { FunctionHandle } from "./functions/registry.ts";
import { PoolWorker, type WorkerOwner } from "./pool_worker.ts";
import { type Resolvers, withResolvers } from "./promises.ts";
import { Scheduler } from "./scheduler.ts";
import type { Starter } from "./start/contract.ts";
import type { TaskSource } from "./task_source.ts";
import type { WorkerSetup } from "./wire/messages.ts";

/** What the workers of a crew have in common. */
export type CrewSetup = Omit<WorkerSetup, "control" | "workerId">;

/** Workers that may end in a row, none having run a task to its end. */
const MAX_DEATHS = 8;

/**
 * Workers that were made with the same settings: starts, feeds, replaces and
 * stops them.
 */
export class Crew implements WorkerOwner {
  readonly #setup: CrewSetup;
  readonly #starter: Starter;
  readonly #workers: (PoolWorker | undefined)[];
  readonly #scheduler: Scheduler;
  readonly #exitResults: unknown[];
  /** Deaths since a chunk last ended. */
  #deaths = 0;
  #stopping: Promise<void> | undefined;
  #quiet: Resolvers<void> | undefined;
  #isFeeding = false;
  #feedAgain = false;

  /** What exit functions return is added to `exitResults`. */
  constructor(
    nJobs: number,
    setup: CrewSetup,
    starter: Starter,
    exitResults: unknown[],
  ) {
    this.#setup = setup;
    this.#starter = starter;
    this.#workers = new Array(nJobs).fill(undefined);
    this.#scheduler = new Scheduler();
    this.#exitResults = exitResults;
  }

  /** Whether no call waits for results. */
  get isIdle(): boolean {
    return !this.#scheduler.hasSources;
  }

  /** Adds tasks to be run. */
  add(source: TaskSource): void {
    this.#scheduler.add(source);
    this.feed();
  }

  /** The source has ended: what it still has in workers is dropped. */
  remove(source: TaskSource): void {
    if (!this.#scheduler.remove(source)) return;
    this.dropUnwanted();
    this.feed();
  }

  /** Drops what is in workers and wanted no more. */
  dropUnwanted(): void {
    for (const worker of this.#workers) worker?.skipUnwanted();
  }

  /** Hands out chunks, as sources have new ones or workers take more. */
  feed(): void {
    this.#feedAgain = true;
    if (this.#isFeeding || this.#stopping) return;
    this.#isFeeding = true;
    // Handing out may itself change what there is to hand out.
    while (this.#feedAgain) {
      this.#feedAgain = false;
      if (this.#workers.includes(undefined) && this.#scheduler.hasChunk()) {
        this.#fill();
      }
      this.#scheduler.assign();
    }
    this.#isFeeding = false;
    this.#checkQuiet();
  }

  /** Starts all workers. Resolves when they can run tasks. */
  async start(): Promise<void> {
    await this.#stopping;
    this.#fill();
    await Promise.all(this.#workers.map((worker) => worker!.ready));
  }

  /** Workers may forget a function. */
  forget(handle: FunctionHandle): void {
    for (const worker of this.#workers) worker?.forget(handle.id);
  }

  /**
   * Stops all workers when no task is left to run. Rejects with the error of
   * an exit function, when all have stopped.
   */
  async stop(): Promise<void> {
    this.#stopping ??= this.#stop().finally(() => {
      this.#stopping = undefined;
      this.feed();
    });
    await this.#stopping;
  }

  /** Waits until no task is left that could run. */
  async finish(): Promise<void> {
    this.#quiet ??= withResolvers();
    const { promise } = this.#quiet;
    this.feed();
    await promise;
  }

  /** Stops all workers at once; the calls fail with `error`. */
  async terminate(error: Error): Promise<void> {
    const workers = this.#workers.splice(
      0,
      Infinity,
      ...new Array(this.#workers.length).fill(undefined),
    );
    for (const worker of workers) if (worker) this.#scheduler.forget(worker);
    this.#scheduler.clear(error);
    await Promise.all(workers.map((worker) => worker?.terminate()));
    this.#checkQuiet();
  }

  /** A worker takes more, or less, than before. */
  onCredit(worker: PoolWorker): void {
    if (this.#workers[worker.id] !== worker) return;
    this.#deaths = 0;
    this.#scheduler.update(worker);
    this.feed();
  }

  /** A worker is gone. */
  onDeath(worker: PoolWorker, error: Error, wasReady: boolean): void {
    if (this.#workers[worker.id] !== worker) return;
    this.#workers[worker.id] = undefined;
    this.#scheduler.forget(worker);
    this.#deaths++;
    if (!wasReady) {
      // It will not start better for the tasks at hand.
      this.#scheduler.clear(error);
    } else if (this.#deaths > MAX_DEATHS) {
      this.#scheduler.clear(
        new WorkerDiedError(
          `${this.#deaths} workers in a row died: ${error.message}`,
          { workerId: worker.id, cause: error },
        ),
      );
    }
    // Only when what it held has been put back can that be handed out.
    queueMicrotask(() => this.feed());
  }

  #fill(): void {
    if (this.#workers.every((worker) => worker === undefined)) {
      this.#exitResults.length = 0;
    }
    for (let id = 0; id < this.#workers.length; id++) {
      if (this.#workers[id]) continue;
      const setup = { ...this.#setup, workerId: id };
      const worker = new PoolWorker(setup, this.#starter, this);
      this.#workers[id] = worker;
      this.#scheduler.update(worker);
    }
  }

  async #stop(): Promise<void> {
    const workers = this.#workers.filter((worker) => worker !== undefined);
    const errors: unknown[] = [];
    await Promise.all(workers.map(async (worker) => {
      this.#scheduler.forget(worker);
      try {
        this.#exitResults.push(...await worker.stop());
      } catch (error) {
        errors.push(error);
      }
      if (this.#workers[worker.id] === worker) {
        this.#workers[worker.id] = undefined;
      }
    }));
    if (errors.length > 0) throw errors[0];
  }

  #checkQuiet(): void {
    if (!this.#quiet || !this.#scheduler.isQuiet) return;
    this.#quiet.resolve();
    this.#quiet = undefined;
  }
}
