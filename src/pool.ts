import { AsyncResult } from "./async_result.ts";
import { type AnyMapOptions, Calls, limitsOf, NO_OPTIONS } from "./calls.ts";
import type { PoolSettings } from "./crews.ts";
import { cpusOf } from "./cpu_ids.ts";
import { concatenate } from "./concatenate.ts";
import { captureCaller } from "./functions/caller.ts";
import type { WorkerPoolInsights } from "./insights/insights.ts";
import { formatInsights } from "./insights/print.ts";
import {
  checkFlag,
  checkMapChunksOptions,
  checkPoolOptions,
  checkSliceable,
} from "./option_checks.ts";
import type {
  ApplyOptions,
  MapChunksOptions,
  MapOptions,
  WorkerPoolOptions,
} from "./options.ts";
import { runtime } from "./runtime/detect.ts";
import { type Sliceable, slices } from "./slices.ts";
import { workerCount } from "./start/starters.ts";
import type {
  Input,
  LeadingParameters,
  OnError,
  Settled,
  TaskFunction,
} from "./types.ts";

/** What a map gives for one task. */
export type Outcome<R, E extends OnError> = E extends "settle"
  ? Settled<Awaited<R>>
  : Awaited<R>;
/** What `mapChunks()` gives: outcomes one by one, or all results joined. */
export type ChunksOutcome<R, C extends boolean, E extends OnError> = E extends
  "settle" ? Settled<Awaited<R>>[]
  : C extends false ? Awaited<R>[]
  : Awaited<R>;
// deno-lint-ignore ban-types
type Callable = Function;

/** Stops the workers of pools that nobody can use any more. */
const dropped = new FinalizationRegistry<Calls>((calls) => {
  // Calls that are still at work do without the pool itself.
  calls.join().catch((error) => {
    console.error("Uncaught error while workers stopped:", error);
  });
});

/**
 * A pool of workers that run functions on all cores: `map` and its like for
 * lists of work, `apply` for single tasks. The design is that of MPIRE's
 * `WorkerPool` for Python.
 *
 * Workers start with the first call, first those that get a task of it, and
 * stay until `join()`, `terminate()` or the end of an `await using` block.
 * Idle ones cost nothing and let the program end.
 *
 * @typeParam Shared The type of the shared objects.
 * @typeParam PassId Whether functions get the worker's ID.
 * @typeParam UseState Whether functions get the worker's state.
 *
 * @example Usage
 * ```ts
 * import { WorkerPool } from "@polypool/polypool";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new WorkerPool({ nJobs: 2 });
 * assertEquals(await pool.map((x: number) => x * x, [1, 2, 3]), [1, 4, 9]);
 * ```
 */
export class WorkerPool<
  Shared = undefined,
  PassId extends boolean = false,
  UseState extends boolean = false,
> {
  readonly #settings: PoolSettings;
  readonly #calls: Calls;

  /**
   * Makes a pool. Nothing starts before the first call.
   *
   * @param options The pool's options.
   * @throws {TypeError} If an option is of the wrong type.
   * @throws {RangeError} If an option has a wrong value or an unknown name.
   */
  constructor(
    options:
      & WorkerPoolOptions<
        Shared,
        PassId,
        UseState,
        LeadingParameters<Shared, PassId, UseState>
      >
      // Tells `undefined` apart, which an optional property takes for missing.
      & (object | { sharedObjects: Shared }) = {},
  ) {
    checkPoolOptions(options);
    const caller = captureCaller(new.target);
    const { startMethod = "threading" } = options;
    const nJobs = workerCount(
      startMethod,
      options.nJobs ?? runtime.cpuCount(),
    );
    this.#settings = {
      nJobs,
      startMethod,
      sharedObjects: options.sharedObjects,
      passWorkerId: options.passWorkerId ?? false,
      useWorkerState: options.useWorkerState ?? false,
      keepAlive: options.keepAlive ?? true,
      orderTasks: options.orderTasks ?? false,
      limits: limitsOf(options),
      idleTimeout: options.idleTimeout,
      cpuIds: cpusOf(options.cpuIds, nJobs),
      memoryLimit: options.memoryLimit,
      enableInsights: options.enableInsights ?? false,
      preload: (options.preload ?? []).map((entry) => ({
        specifier: String(entry),
        base: caller.url,
      })),
    };
    this.#calls = new Calls(this.#settings, options, caller);
    dropped.register(this, this.#calls);
  }

  /**
   * Runs a task for each element, on all workers.
   *
   * @typeParam T The type of the elements.
   * @typeParam R What the task returns.
   * @typeParam E The mode of `onError`.
   * @param task The function to run. An array element is spread into its
   * arguments; any other element is one argument.
   * @param args The elements. Read lazily; may be asynchronous.
   * @param options The call's options.
   * @returns The results in the order of the input.
   * @throws {TypeError} If a parameter is of the wrong type.
   * @throws {RangeError} If an option has a wrong value or an unknown name.
   * @throws {WorkerDiedError} If a worker dies while it runs a task.
   * @throws {PoolTerminatedError} If the pool is terminated meanwhile.
   */
  async map<T, R, E extends OnError = "throw">(
    task: TaskFunction<LeadingParameters<Shared, PassId, UseState>, T, R>,
    args: Input<T>,
    options: MapOptions<E, LeadingParameters<Shared, PassId, UseState>> = {},
  ): Promise<Outcome<R, NoInfer<E>>[]> {
    const caller = captureCaller(this.map);
    const results = await this.#calls.gather(true, task, args, options, caller);
    return results as Outcome<R, E>[];
  }

  /** As `map()`, with the results in the order of their completion. */
  async mapUnordered<T, R, E extends OnError = "throw">(
    task: TaskFunction<LeadingParameters<Shared, PassId, UseState>, T, R>,
    args: Input<T>,
    options: MapOptions<E, LeadingParameters<Shared, PassId, UseState>> = {},
  ): Promise<Outcome<R, NoInfer<E>>[]> {
    const caller = captureCaller(this.mapUnordered);
    const results = await this.#calls.gather(
      false,
      task,
      args,
      options,
      caller,
    );
    return results as Outcome<R, E>[];
  }

  /**
   * As `map()`, lazily: results can be taken one by one, in the order of the
   * input, and no more than `maxTasksActive` elements are read ahead. Nothing
   * starts before the first `next()`; leaving the loop cancels the rest.
   *
   * @returns An iterator over the results.
   */
  imap<T, R, E extends OnError = "throw">(
    task: TaskFunction<LeadingParameters<Shared, PassId, UseState>, T, R>,
    args: Input<T>,
    options: MapOptions<E, LeadingParameters<Shared, PassId, UseState>> = {},
  ): AsyncIterableIterator<Outcome<R, NoInfer<E>>> & AsyncDisposable {
    const caller = captureCaller(this.imap);
    return this.#calls.iterate(true, task, args, options, caller) as
      & AsyncIterableIterator<Outcome<R, E>>
      & AsyncDisposable;
  }

  /** As `imap()`, with the results in the order of their completion. */
  imapUnordered<T, R, E extends OnError = "throw">(
    task: TaskFunction<LeadingParameters<Shared, PassId, UseState>, T, R>,
    args: Input<T>,
    options: MapOptions<E, LeadingParameters<Shared, PassId, UseState>> = {},
  ): AsyncIterableIterator<Outcome<R, NoInfer<E>>> & AsyncDisposable {
    const caller = captureCaller(this.imapUnordered);
    return this.#calls.iterate(false, task, args, options, caller) as
      & AsyncIterableIterator<Outcome<R, E>>
      & AsyncDisposable;
  }

  /**
   * Cuts an array or a typed array into slices and runs a task for each
   * slice, which gets it whole and returns an array. Slices of a typed array
   * on shared memory are views of that memory.
   *
   * @typeParam A The type of the array.
   * @typeParam R What the task returns: an array, if the results are joined.
   * @typeParam C Whether the results are joined.
   * @typeParam E The mode of `onError`.
   * @param task The function to run.
   * @param array The array to cut.
   * @param options The call's options. By default there are `nJobs * 4`
   * slices.
   * @returns The results joined in order; one by one without
   * `concatenateOutput`, and with `onError: "settle"`.
   * @throws {TypeError} If the results cannot be joined.
   */
  async mapChunks<
    A extends Sliceable,
    R extends C extends false ? unknown
      : E extends "settle" ? unknown
      : Sliceable | PromiseLike<Sliceable>,
    C extends boolean = true,
    E extends OnError = "throw",
  >(
    task: (
      ...args: [...LeadingParameters<Shared, PassId, UseState>, slice: A]
    ) => R,
    array: A,
    options: MapChunksOptions<
      C,
      E,
      LeadingParameters<Shared, PassId, UseState>
    > = {},
  ): Promise<ChunksOutcome<R, NoInfer<C>, NoInfer<E>>> {
    const caller = captureCaller(this.mapChunks);
    checkSliceable("map chunks", array);
    checkMapChunksOptions("map chunks", options);
    const { concatenateOutput = true, ...rest } = options;
    const parts = await this.#calls.gather(
      true,
      task as Callable,
      slices(array, options, this.#settings.nJobs),
      {
        ...rest,
        iterableLen: undefined,
        nSplits: undefined,
        chunkSize: 1,
      } as AnyMapOptions,
      caller,
    );
    const isJoined = concatenateOutput && options.onError !== "settle";
    const result = isJoined ? concatenate(parts, array) : parts;
    return result as ChunksOutcome<R, C, E>;
  }

  /**
   * Runs one task.
   *
   * @typeParam A The type of the arguments.
   * @typeParam R What the task returns.
   * @param task The function to run.
   * @param args Its arguments, in an array.
   * @param options The call's options.
   * @returns The result.
   * @throws {TypeError} If a parameter is of the wrong type.
   * @throws {WorkerDiedError} If the worker dies while it runs the task.
   * @throws {PoolTerminatedError} If the pool is terminated meanwhile.
   */
  apply<R>(
    task: (...args: LeadingParameters<Shared, PassId, UseState>) => R,
  ): Promise<Awaited<R>>;
  /** As above, with arguments. */
  apply<A extends unknown[] | [], R>(
    task: (
      ...args: [...LeadingParameters<Shared, PassId, UseState>, ...A]
    ) => R,
    args: A,
    options?: ApplyOptions<LeadingParameters<Shared, PassId, UseState>>,
  ): Promise<Awaited<R>>;
  apply<R>(
    task: (...args: never) => R,
    args: unknown[] = [],
    options: ApplyOptions<never> = NO_OPTIONS,
  ): Promise<Awaited<R>> {
    // An asynchronous function would make one promise more.
    try {
      const result = this.#calls.submit(task, args, options, this.apply);
      return result as Promise<Awaited<R>>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * As `apply()`, but gives a handle that can be asked, waited for and
   * cancelled.
   */
  applyAsync<R>(
    task: (...args: LeadingParameters<Shared, PassId, UseState>) => R,
  ): AsyncResult<Awaited<R>>;
  /** As above, with arguments. */
  applyAsync<A extends unknown[] | [], R>(
    task: (
      ...args: [...LeadingParameters<Shared, PassId, UseState>, ...A]
    ) => R,
    args: A,
    options?: ApplyOptions<LeadingParameters<Shared, PassId, UseState>>,
  ): AsyncResult<Awaited<R>>;
  applyAsync<R>(
    task: (...args: never) => R,
    args: unknown[] = [],
    options: ApplyOptions<never> = NO_OPTIONS,
  ): AsyncResult<Awaited<R>> {
    const call = this.#calls.submitAsync(task, args, options, this.applyAsync);
    return new AsyncResult<Awaited<R>>(call);
  }

  /** Starts all workers ahead of need. Resolves when they can run tasks. */
  async start(): Promise<void> {
    await this.#calls.start();
  }

  /**
   * Finishes what has been asked for, runs `workerExit` in each worker that
   * had a task, and stops all workers. The pool can be used again.
   *
   * @throws The error of a `workerExit` that failed, when all have stopped.
   */
  async join(): Promise<void> {
    await this.#calls.join();
  }

  /** The same as `join()`. */
  async stopAndJoin(): Promise<void> {
    await this.join();
  }

  /**
   * Stops all workers at once: pending calls reject with a
   * `PoolTerminatedError`. The pool can be used again.
   */
  async terminate(): Promise<void> {
    await this.#calls.terminate();
  }

  /** Calls `join()` at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.join();
  }

  /**
   * What `workerExit` returned in each worker that has stopped, in the order
   * of their stopping. Starts anew when workers start after all had stopped.
   */
  getExitResults(): unknown[] {
    return [...this.#calls.records.exitResults];
  }

  /**
   * Where the time of the workers went, since workers started after all had
   * stopped: times in ms. Can be called while a call runs.
   *
   * @returns The figures; an empty object without `enableInsights` and before
   * workers have started.
   */
  getInsights(): WorkerPoolInsights | Record<string, never> {
    return this.#calls.records.getInsights();
  }

  /** Prints the insights on stdout. */
  printInsights(): void {
    console.log(formatInsights(this.getInsights()));
  }

  /** Switches the worker ID argument on or off. */
  passOnWorkerId<On extends boolean = true>(
    on: On = true as On,
  ): WorkerPool<Shared, On, UseState> {
    checkFlag("passWorkerId", on);
    this.#settings.passWorkerId = on;
    return this.#retyped();
  }

  /** Sets no shared objects. */
  setSharedObjects(): WorkerPool<undefined, PassId, UseState>;
  /** Sets the shared objects; `undefined` means none. */
  setSharedObjects<S>(sharedObjects: S): WorkerPool<S, PassId, UseState>;
  setSharedObjects<S>(sharedObjects?: S): WorkerPool<S, PassId, UseState> {
    this.#settings.sharedObjects = sharedObjects;
    return this.#retyped();
  }

  /** Switches the worker state argument on or off. */
  setUseWorkerState<On extends boolean = true>(
    on: On = true as On,
  ): WorkerPool<Shared, PassId, On> {
    checkFlag("useWorkerState", on);
    this.#settings.useWorkerState = on;
    return this.#retyped();
  }

  /** Sets whether workers stay between calls. */
  setKeepAlive(on = true): this {
    checkFlag("keepAlive", on);
    this.#settings.keepAlive = on;
    return this;
  }

  /** Sets whether chunk `i` of a call goes to worker `i % nJobs`. */
  setOrderTasks(on = true): this {
    checkFlag("orderTasks", on);
    this.#settings.orderTasks = on;
    return this;
  }

  #retyped<P>(): P {
    this.#calls.endBurst();
    return this as unknown as P;
  }
}
