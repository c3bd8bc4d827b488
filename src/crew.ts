import type { FunctionHandle } from "./functions/registry.ts";
import { IdleWatch } from "./idle_watch.ts";
import type { LongTask } from "./insights/worker_meter.ts";
import { Lull } from "./lull.ts";
import type { PoolRecords } from "./pool_records.ts";
import {
  type DeathStage,
  PoolWorker,
  type WorkerOwner,
} from "./pool_worker.ts";
import { type Resolvers, withResolvers } from "./promises.ts";
import { Scheduler } from "./scheduler.ts";
import type { Starter, StartSetup } from "./start/contract.ts";
import { deathsError } from "./task_errors.ts";
import type { TaskSource } from "./task_source.ts";
import { queueMicrotask } from "./timers.ts";

/** What the workers of a crew have in common. */
export type CrewSetup = Omit<StartSetup, "workerId" | "cpuIds"> & {
  /** The CPUs of each worker. */
  cpuIds: readonly (readonly number[])[] | undefined;
};

/** What the life of workers depends on, and may change between calls. */
export interface CrewLimits {
  workerExitTimeout: number | undefined;
  /** After how long idle workers stop, in ms. */
  idleTimeout: number | undefined;
}

/** Workers that may die in a row outside of tasks. */
const MAX_DEATHS = 8;

/**
 * Workers that were made with the same settings: starts, feeds, replaces and
 * stops them.
 */
export class Crew implements WorkerOwner {
  readonly #setup: CrewSetup;
  readonly #starter: Starter;
  readonly #workers: (PoolWorker | undefined)[];
  /** Workers that start while those they will replace come to their end. */
  readonly #successors = new Map<number, PoolWorker>();
  readonly #limits: CrewLimits;
  readonly #idleWatch: IdleWatch;
  // While calls follow each other, further workers would only delay them.
  readonly #lull = new Lull(
    () => this.#startOthers(),
    () => Math.max(...this.#present().map(({ idleSince }) => idleSince)),
  );
  readonly #scheduler: Scheduler;
  readonly #records: PoolRecords;
  /** Worn and idle workers on their way out. */
  readonly #retiring = new Map<PoolWorker, Promise<void>>();
  /** Slots without a worker. */
  #vacancies: number;
  /** Deaths outside of tasks since a chunk last ended. */
  #deaths = 0;
  #stopping: Promise<void> | undefined;
  /** Errors of exit functions that no call was there to hear of. */
  readonly #exitErrors: unknown[] = [];
  #quiet: Resolvers<void> | undefined;
  #isFeeding = false;
  #feedAgain = false;

  constructor(
    nJobs: number,
    setup: CrewSetup,
    limits: CrewLimits,
    starter: Starter,
    records: PoolRecords,
  ) {
    this.#setup = setup;
    this.#limits = limits;
    this.#idleWatch = new IdleWatch(
      limits,
      () => this.#stopping ? [] : this.#present(),
      (worker) => this.#retiring.has(worker) || this.#retire(worker),
    );
    this.#starter = starter;
    this.#workers = new Array(nJobs).fill(undefined);
    this.#vacancies = nJobs;
    this.#scheduler = new Scheduler(() => this.feed());
    this.#records = records;
  }

  /** Whether a worker has something to run, wanted or not. */
  get isBusy(): boolean {
    return this.#present().some((worker) => worker.load > 0);
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

  /** A source that has been added has one more task. */
  offer(): void {
    if (this.#vacancies > 0 || this.#scheduler.hasTakers) this.feed();
  }

  /** The source has no tasks, neither waiting nor in workers. */
  rest(source: TaskSource): void {
    this.#scheduler.remove(source);
    this.#checkQuiet();
  }

  /** The source has ended: what it still has in workers is dropped. */
  remove(source: TaskSource): void {
    this.#scheduler.remove(source);
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
      if (!this.#scheduler.hasSources) break;
      try {
        this.#scheduler.feedIdle();
        this.#recruit();
        // To read input may run what ends the last call.
        if (this.#stopping) break;
        this.#scheduler.feedAhead();
      } catch (error) {
        // Mostly, what all workers need cannot be sent. Better calls that fail
        // than calls that wait.
        this.#scheduler.clear(error);
      }
    }
    this.#isFeeding = false;
    this.#checkQuiet();
    this.#idleWatch.start();
  }

  /**
   * Starts all workers, if they are still wanted when others have stopped.
   * Resolves when they can run tasks.
   */
  async start(areWanted: () => boolean): Promise<void> {
    // Whoever stops the workers hears of a failed exit function.
    if (this.#stopping) {
      await this.#stopping.catch(() => {});
      if (!areWanted()) return;
    }
    this.#fill();
    await Promise.all(this.#present().map((worker) => worker.ready));
    this.#idleWatch.start();
  }

  /** Workers may forget a function. */
  forget(handle: FunctionHandle): void {
    for (const worker of this.#workers) worker?.forget(handle.id);
  }

  /**
   * Stops all workers when no task is left to run. When all have stopped it
   * rejects with the error of an exit function, for who was the first to ask.
   */
  async stop(): Promise<void> {
    if (this.#stopping) return await this.#stopping.catch(() => {});
    this.#stopping = this.#stop().finally(() => {
      this.#stopping = undefined;
      this.feed();
    });
    await this.#stopping;
  }

  /** Waits until no task is left that could run. */
  async finish(): Promise<void> {
    // What is at hand has its workers.
    this.#lull.stop();
    this.#quiet ??= withResolvers();
    const { promise } = this.#quiet;
    this.feed();
    await promise;
  }

  /** Stops all workers at once; the calls fail with `error`. */
  async terminate(error: Error): Promise<void> {
    this.#lull.stop();
    const workers = this.#present();
    for (const worker of workers) this.#vacate(worker);
    const successors = [...this.#successors.values()];
    this.#successors.clear();
    this.#exitErrors.length = 0;
    this.#records.leave(this);
    this.#scheduler.clear(error);
    await Promise.all(
      [...workers, ...successors].map((worker) => worker.terminate()),
    );
    this.#checkQuiet();
  }

  /** A worker has started. */
  onReady(worker: PoolWorker, elapsed: number): void {
    this.#records.insights?.startUp(worker.id, elapsed);
    // It may take over what waits for others to start.
    this.feed();
    const isEnding = this.#stopping ?? this.#quiet;
    if (!isEnding && this.#vacancies > 0) this.#lull.wait();
  }

  /** A worker has told of long tasks. */
  onLongTasks(tasks: readonly LongTask[]): void {
    this.#records.insights?.add(tasks);
  }

  /** A worker takes more, or less, than before. */
  onCredit(worker: PoolWorker): void {
    if (this.#workers[worker.id] !== worker) return;
    this.#deaths = 0;
    this.#scheduler.update(worker);
    this.feed();
  }

  /** A worker has been given all the tasks that it may run. */
  onWorn(worker: PoolWorker): void {
    if (this.#successors.has(worker.id)) return;
    try {
      this.#successors.set(worker.id, this.#create(worker.id));
    } catch {
      // It will be tried again, and told, when the worker is needed.
    }
  }

  /** A worker has run all the tasks that it may run. */
  onWornOut(worker: PoolWorker): void {
    if (this.#workers[worker.id] !== worker || this.#stopping) return;
    this.#retire(worker);
  }

  /** A worker has ended in one way or another. */
  onEnded(worker: PoolWorker): void {
    this.#records.insights?.close(worker.counters);
  }

  /** A worker was stopped as it took too long or failed. */
  onStopped(worker: PoolWorker): void {
    this.#vacate(worker);
    this.#succeed(worker.id);
    queueMicrotask(() => this.feed());
  }

  /** A worker is gone. */
  onDeath(worker: PoolWorker, error: Error, during: DeathStage): void {
    if (this.#successors.get(worker.id) === worker) {
      this.#successors.delete(worker.id);
    }
    if (this.#workers[worker.id] !== worker) return;
    this.#vacate(worker);
    this.#succeed(worker.id);
    // A task that ends its worker is no reason to think ill of the next.
    if (during !== "task") this.#deaths++;
    if (during === "start") {
      // It will not start better for the tasks at hand.
      this.#scheduler.clear(error);
    } else if (this.#deaths > MAX_DEATHS) {
      this.#scheduler.clear(deathsError(this.#deaths, worker.id, error));
    }
    // Only when what it held has been put back can that be handed out.
    queueMicrotask(() => this.feed());
  }

  #present(): PoolWorker[] {
    return this.#workers.filter((worker) => worker !== undefined);
  }

  #create(id: number): PoolWorker {
    const cpuIds = this.#setup.cpuIds?.[id];
    const setup = { ...this.#setup, workerId: id, cpuIds };
    const worker = new PoolWorker(setup, this.#starter, this);
    this.#records.insights?.open(id, worker.counters);
    return worker;
  }

  /** Starts a worker for each chunk that waits, as far as there are slots. */
  #recruit(): void {
    while (this.#vacancies > 0 && this.#scheduler.hasChunk()) {
      if (this.#stopping) return;
      this.#startOne();
      this.#scheduler.feedIdle();
    }
  }

  /** Starts a worker for each slot that has none. */
  #fill(): void {
    while (this.#vacancies > 0) this.#startOne();
  }

  /** Starts the workers that no chunk has asked for, when calls pause. */
  #startOthers(): void {
    try {
      this.#fill();
    } catch {
      // It will be tried again, and told, when they are needed.
    }
  }

  /** Starts a worker for the first slot that has none. */
  #startOne(): void {
    this.#records.enter(this);
    const id = this.#workers.indexOf(undefined);
    if (!this.#succeed(id)) this.#occupy(id, this.#create(id));
  }

  /** Gives the slot, if it is free, to the worker that waits for it. */
  #succeed(id: number): boolean {
    const successor = this.#successors.get(id);
    if (!successor || this.#workers[id]) return false;
    this.#successors.delete(id);
    this.#occupy(id, successor);
    return true;
  }

  #occupy(id: number, worker: PoolWorker): void {
    this.#workers[id] = worker;
    this.#vacancies--;
    this.#scheduler.update(worker);
  }

  /** Takes a worker out of its slot. */
  #vacate(worker: PoolWorker): void {
    const { id } = worker;
    if (this.#workers[id] !== worker) return;
    this.#scheduler.forget(worker);
    this.#workers[id] = undefined;
    this.#vacancies++;
  }

  async #stop(): Promise<void> {
    this.#lull.stop();
    const successors = [...this.#successors.values()];
    this.#successors.clear();
    const results = await Promise.allSettled([
      ...this.#retiring.values(),
      ...this.#present().filter((worker) => !this.#retiring.has(worker))
        .map((worker) => this.#stopOne(worker)),
      ...successors.map((worker) => worker.stop(undefined)),
    ]);
    this.#records.leave(this);
    const errors = this.#exitErrors.splice(0);
    for (const result of results) {
      if (result.status === "rejected") errors.push(result.reason);
    }
    if (errors.length > 0) throw errors[0];
  }

  /** Stops a worker in an orderly way, while others work on. */
  #retire(worker: PoolWorker): void {
    const retired = this.#stopOne(worker).catch((error) => {
      // It belongs to the calls at hand, else to who stops the workers.
      if (!this.isIdle) this.#scheduler.clear(error);
      else this.#exitErrors.push(error);
    }).finally(() => this.#retiring.delete(worker));
    this.#retiring.set(worker, retired);
  }

  /** Stops a worker in an orderly way and gathers what it leaves. */
  async #stopOne(worker: PoolWorker): Promise<void> {
    this.#scheduler.forget(worker);
    try {
      const { workerExitTimeout } = this.#limits;
      this.#records.exitResults.push(...await worker.stop(workerExitTimeout));
    } finally {
      this.#vacate(worker);
      this.#succeed(worker.id);
      if (this.#vacancies === this.#workers.length) this.#records.leave(this);
      this.feed();
    }
  }

  #checkQuiet(): void {
    if (!this.#quiet || !this.#scheduler.isQuiet) return;
    this.#quiet.resolve();
    this.#quiet = undefined;
  }
}
