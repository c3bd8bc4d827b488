import { ApplyLane } from "./apply_lane.ts";
import { Crew, type CrewLimits } from "./crew.ts";
import { PoolTerminatedError } from "./errors.ts";
import { type FunctionHandle, FunctionRegistry } from "./functions/registry.ts";
import { currentWorker } from "./worker/scope.ts";
import { PoolRecords } from "./pool_records.ts";
import { runtime } from "./runtime/detect.ts";
import { starterOf } from "./start/starters.ts";
import type { StartMethod } from "./types.ts";
import type { WorkerSetup } from "./wire/messages.ts";
import { checkUnmarked } from "./wire/transfer.ts";
import type { Starter } from "./start/contract.ts";
import { within } from "./promises.ts";
import type { Limits } from "./task_source.ts";

/** How long a call that is cut short waits for its workers to stop, in ms. */
const PATIENCE = 100;

/** The settings of a pool that its workers depend on. */
export interface PoolSettings {
  readonly nJobs: number;
  readonly startMethod: StartMethod;
  sharedObjects: unknown;
  passWorkerId: boolean;
  useWorkerState: boolean;
  keepAlive: boolean;
  orderTasks: boolean;
  readonly limits: Limits;
  readonly idleTimeout: number | undefined;
  readonly enableInsights: boolean;
  readonly preload: WorkerSetup["preload"];
  /** The CPUs of each worker. */
  readonly cpuIds: readonly (readonly number[])[] | undefined;
  /** The most that the heap of a process may take, in MiB. */
  readonly memoryLimit: number | undefined;
}

/** Functions that run when a worker begins and ends. */
export interface LifecycleHandles {
  workerInit: FunctionHandle | undefined;
  workerExit: FunctionHandle | undefined;
}

/** What a crew was made from: live workers are stale when it has changed. */
interface CrewKey extends LifecycleHandles {
  sharedObjects: unknown;
  passWorkerId: boolean;
  useWorkerState: boolean;
}

interface Entry {
  key: CrewKey;
  limits: CrewLimits;
  crew: Crew;
  lane: ApplyLane;
}

/**
 * The crews of a pool: one at a time, unless an older one still has calls to
 * finish when the settings change.
 */
export class Crews {
  readonly #settings: PoolSettings;
  readonly #starter: Starter;
  readonly functions: FunctionRegistry;
  #current: Entry | undefined;
  readonly #retiring = new Set<Crew>();
  /** Those that stop as soon as nothing runs, and when they have. */
  readonly #closing = new Map<Crew, Promise<void>>();
  /** Errors of exit functions that no call waited for. */
  readonly #exitErrors = new Map<Crew, unknown>();
  /** Calls that wait for workers. */
  readonly #entering = new Set<Promise<unknown>>();
  /** The last of them, which waits for the others. */
  #lastEntering: Promise<unknown> | undefined;
  /** What is kept of the workers. */
  readonly records: PoolRecords;
  #terminations = 0;

  constructor(settings: PoolSettings) {
    this.#settings = settings;
    this.#starter = starterOf(settings.startMethod);
    this.records = new PoolRecords(settings.nJobs, settings.enableInsights);
    this.functions = new FunctionRegistry(
      this.#starter.codec,
      this.#starter.inThread,
      (handle) => this.forget(handle),
    );
  }

  /** Whether workers run in the calling thread. */
  get inThread(): boolean {
    return this.#starter.inThread;
  }

  /** Whether what transfer() has marked is moved to workers. */
  get moves(): boolean {
    return this.#starter.codec.moves;
  }

  /**
   * Adds tasks to workers that have the settings of now. Resolves when they
   * are in line; at once if no worker must be stopped before. `needsWorker`
   * if it is known that there is something to run.
   */
  enter(
    handles: LifecycleHandles,
    limits: Limits,
    needsWorker: boolean,
    add: (crew: Crew, lane: ApplyLane) => void,
  ): Promise<void> | undefined {
    // At once, so that a thread starts while whoever called goes on computing.
    if (!this.#current && this.#entering.size === 0) {
      try {
        const created = this.#create(
          this.#key(handles),
          handles,
          needsWorker,
        );
        // A getter in the shared objects may itself have called the pool.
        this.#current ??= created;
      } catch (error) {
        return Promise.reject(error);
      }
    }
    const entry = this.#enterNow(handles, limits);
    if (entry) {
      add(entry.crew, entry.lane);
      return undefined;
    }
    // Settings may change again before a call that waits has its turn.
    const key = this.#key(handles);
    const entering = this.#renew(key, handles, limits, add, this.#lastEntering);
    this.#entering.add(entering);
    this.#lastEntering = entering;
    const done = () => this.#entering.delete(entering);
    entering.then(done, done);
    return entering;
  }

  /** Where calls of `apply()` that can enter at once stand in line. */
  enterLane(handles: LifecycleHandles, limits: Limits): ApplyLane | undefined {
    return this.#enterNow(handles, limits)?.lane;
  }

  /**
   * A call has ended: without `keepAlive` its workers stop. Resolves when they
   * have, or soon if the call has failed or been left while tasks of it run.
   */
  release(crew: Crew, isCutShort: boolean): Promise<void> | undefined {
    // It may have paused, and gone on when the others had ended.
    if (this.#retiring.has(crew)) this.#close(crew);
    if (this.#settings.keepAlive || !crew.isIdle) return undefined;
    return isCutShort ? this.#stopOrLetGo(crew) : crew.stop();
  }

  async #stopOrLetGo(crew: Crew): Promise<void> {
    // The task that has failed is over by then.
    await undefined;
    if (!crew.isIdle) return;
    if (!crew.isBusy) return await crew.stop();
    await within(this.#letGo(crew), PATIENCE);
    if (!this.#exitErrors.has(crew)) return;
    const error = this.#exitErrors.get(crew);
    this.#exitErrors.delete(crew);
    throw error;
  }

  /** Drops what is in workers and wanted no more. */
  dropUnwanted(): void {
    for (const crew of this.#all()) crew.dropUnwanted();
  }

  /** Workers may forget a function. */
  forget(handle: FunctionHandle): void {
    for (const crew of this.#all()) crew.forget(handle);
  }

  /** Starts all workers ahead of need. */
  async start(handles: LifecycleHandles): Promise<void> {
    let started: Promise<void> | undefined;
    await this.enter(
      handles,
      this.#settings.limits,
      true,
      (crew) => started = crew.start(() => this.#current?.crew === crew),
    );
    await started;
  }

  /** Finishes what has been asked for and stops all workers. */
  async join(): Promise<void> {
    await Promise.allSettled(this.#entering);
    await Promise.all(this.#all().map((crew) => this.#finish(crew)));
    const errors = [...this.#exitErrors.values()];
    this.#exitErrors.clear();
    if (errors.length > 0) throw errors[0];
  }

  /** Stops all workers at once. */
  async terminate(): Promise<void> {
    this.#terminations++;
    this.#exitErrors.clear();
    const error = new PoolTerminatedError("The pool was terminated");
    await Promise.all(this.#all().map((crew) => crew.terminate(error)));
  }

  #all(): Crew[] {
    const current = this.#current ? [this.#current.crew] : [];
    return [...this.#retiring, ...current];
  }

  #key({ workerInit, workerExit }: LifecycleHandles): CrewKey {
    const { sharedObjects, passWorkerId, useWorkerState } = this.#settings;
    return {
      sharedObjects,
      passWorkerId,
      useWorkerState,
      workerInit,
      workerExit,
    };
  }

  /** The workers of the settings of now, if nothing must happen first. */
  #enterNow(handles: LifecycleHandles, limits: Limits): Entry | undefined {
    const entry = this.#current;
    if (!entry || this.#entering.size > 0) return undefined;
    if (!isSame(entry.key, this.#settings, handles)) return undefined;
    return this.#admit(entry, limits);
  }

  #admit(entry: Entry, { workerExitTimeout }: Limits): Entry {
    // Of several calls the last one tells how long workers may take to end.
    entry.limits.workerExitTimeout = workerExitTimeout;
    return entry;
  }

  async #renew(
    key: CrewKey,
    handles: LifecycleHandles,
    limits: Limits,
    add: (crew: Crew, lane: ApplyLane) => void,
    before: Promise<unknown> | undefined,
  ): Promise<void> {
    const terminations = this.#terminations;
    // One after the other, as calls were made.
    await before?.catch(() => {});
    if (this.#current && !isSame(this.#current.key, key, key)) {
      await this.#retire(this.#current.crew);
    }
    if (terminations !== this.#terminations) {
      throw new PoolTerminatedError("The pool was terminated");
    }
    this.#current ??= this.#create(key, handles, false);
    const { crew, lane } = this.#admit(this.#current, limits);
    add(crew, lane);
  }

  /** Stops stale workers, or lets them finish what they run. */
  async #retire(crew: Crew): Promise<void> {
    if (!crew.isIdle || crew.isBusy) return void this.#letGo(crew);
    this.#current = undefined;
    this.#retiring.add(crew);
    await crew.stop().finally(() => this.#retiring.delete(crew));
  }

  /** Stops workers some day: a task that nobody wants any more may never end. */
  #letGo(crew: Crew): Promise<void> {
    if (this.#current?.crew === crew) this.#current = undefined;
    this.#retiring.add(crew);
    return this.#close(crew);
  }

  #close(crew: Crew): Promise<void> {
    let closing = this.#closing.get(crew);
    if (!closing) {
      closing = this.#finish(crew).finally(() => this.#closing.delete(crew));
      this.#closing.set(crew, closing);
    }
    return closing;
  }

  /** Stops workers once nothing runs. Calls that pause may go on later. */
  async #finish(crew: Crew): Promise<void> {
    try {
      await crew.finish();
      await crew.stop();
    } catch (error) {
      this.#exitErrors.set(crew, error);
    }
    if (crew.isIdle) this.#retiring.delete(crew);
  }

  #create(
    key: CrewKey,
    handles: LifecycleHandles,
    needsWorker: boolean,
  ): Entry {
    const { nJobs, preload } = this.#settings;
    const { sharedObjects, passWorkerId, useWorkerState } = key;
    const { codec } = this.#starter;
    checkUnmarked(sharedObjects, "sharedObjects");
    const shared = sharedObjects === undefined
      ? undefined
      : { packed: codec.packShared(sharedObjects, "'sharedObjects'") };
    // A getter in them may itself have called the pool.
    if (needsWorker && !this.#current) this.#starter.prepare?.();
    const limits: CrewLimits = {
      workerExitTimeout: undefined,
      idleTimeout: this.#settings.idleTimeout,
    };
    const crew = new Crew(
      nJobs,
      {
        passWorkerId,
        useWorkerState,
        sharedObjects: shared,
        workerInit: handles.workerInit?.definition,
        workerExit: handles.workerExit?.definition,
        preload,
        cpuIds: this.#settings.cpuIds,
        memoryLimit: this.#settings.memoryLimit,
        measures: this.#settings.enableInsights,
        typescriptLoader: currentWorker()?.typescriptLoader ??
          runtime.typescriptLoader(this.#starter.isProcess),
      },
      limits,
      this.#starter,
      this.records,
    );
    const lane = new ApplyLane(nJobs, crew, codec.moves);
    return { key, limits, crew, lane };
  }
}

/** Whether workers of the key have these settings and functions. */
function isSame(
  key: CrewKey,
  settings: Omit<CrewKey, keyof LifecycleHandles>,
  { workerInit, workerExit }: LifecycleHandles,
): boolean {
  return Object.is(key.sharedObjects, settings.sharedObjects) &&
    key.passWorkerId === settings.passWorkerId &&
    key.useWorkerState === settings.useWorkerState &&
    key.workerInit === workerInit && key.workerExit === workerExit;
}
