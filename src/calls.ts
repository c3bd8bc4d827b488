import { ApplyBurst, type ApplyContext } from "./apply_burst.ts";
import { ApplyCall } from "./apply_call.ts";
import { checkIterable } from "./check.ts";
import { createSizer, lengthOf } from "./chunking.ts";
import {
  ArrayCollector,
  type Collector,
  IteratorCollector,
} from "./collectors.ts";
import { Crews, type LifecycleHandles, type PoolSettings } from "./crews.ts";
import { type Caller, captureCaller } from "./functions/caller.ts";
import { isPlainArray } from "./input.ts";
import { MapCall } from "./map_call.ts";
import {
  checkApplyOptions,
  checkArguments,
  checkMapOptions,
} from "./option_checks.ts";
import type { ApplyOptions, MapOptions } from "./options.ts";
import type { PoolRecords } from "./pool_records.ts";
import { ProgressTracker } from "./progress/tracker.ts";
import { type Limits, timing } from "./task_source.ts";
import type { OnError } from "./types.ts";
import { ONE_BY_ONE } from "./wire/messages.ts";
import { currentWorker, type WorkerScope } from "./worker/scope.ts";
import { queueMicrotask } from "./timers.ts";

// deno-lint-ignore ban-types
type Callable = Function;
/** Options of the map family, for functions with any leading arguments. */
export type AnyMapOptions = MapOptions<OnError, never>;
/** Options of the apply family, for functions with any leading arguments. */
export type AnyApplyOptions = ApplyOptions<never>;

/** Stands for options that were not given. */
export const NO_OPTIONS: AnyApplyOptions = Object.freeze({});

/** Checks, prepares and starts the calls of one pool. */
export class Calls {
  readonly #settings: PoolSettings;
  readonly #crews: Crews;
  readonly #lifecycle: LifecycleHandles;
  /** The worker whose import of a module made this pool, if one did. */
  readonly #inertIn: WorkerScope | undefined;
  #plainContext: ApplyContext | undefined;
  /** Calls of `apply()` in a loop that is still going on. */
  #openBurst: { task: Callable; burst: ApplyBurst } | undefined;

  constructor(
    settings: PoolSettings,
    options: { workerInit?: unknown; workerExit?: unknown },
    caller: Caller,
  ) {
    this.#settings = settings;
    this.#crews = new Crews(settings);
    this.#lifecycle = this.#lifecycleOf(options, caller);
    const worker = currentWorker();
    if (worker && !worker.isInTask()) this.#inertIn = worker;
  }

  /** What is kept of the workers. */
  get records(): PoolRecords {
    return this.#crews.records;
  }

  /** Starts all workers. */
  async start(): Promise<void> {
    if (this.#inertIn) return await this.#never();
    await this.#crews.start(this.#lifecycle);
  }

  /** Finishes what has been asked for and stops all workers. */
  async join(): Promise<void> {
    if (this.#inertIn) return await this.#never();
    await this.#crews.join();
  }

  /** Stops all workers at once. */
  async terminate(): Promise<void> {
    if (this.#inertIn) return await this.#never();
    await this.#crews.terminate();
  }

  /** The fate of calls in a worker that only imports a module. */
  #never(): Promise<never> {
    this.#inertIn!.noteInertCall();
    return new Promise(() => {});
  }

  #lifecycleOf(
    options: { workerInit?: unknown; workerExit?: unknown },
    caller: Caller,
    fallback?: LifecycleHandles,
  ): LifecycleHandles {
    const { functions } = this.#crews;
    const { workerInit, workerExit } = options;
    return {
      workerInit: workerInit === undefined
        ? fallback?.workerInit
        : functions.handleOf(workerInit, "workerInit", caller),
      workerExit: workerExit === undefined
        ? fallback?.workerExit
        : functions.handleOf(workerExit, "workerExit", caller),
    };
  }

  /** Runs a call of the map family and gathers its results. */
  async gather(
    ordered: boolean,
    task: Callable,
    input: unknown,
    options: AnyMapOptions,
    caller: Caller,
  ): Promise<unknown[]> {
    const collector = new ArrayCollector(ordered);
    const call = this.#createMap(
      task,
      input,
      options,
      caller,
      false,
      () => collector,
    );
    if (this.#inertIn) return await this.#never();
    call.begin();
    let results: unknown[];
    try {
      results = await collector.promise;
    } catch (error) {
      // It says more than what an exit function throws after it.
      await call.ended().catch(() => {});
      throw error;
    }
    await call.ended();
    return results;
  }

  /** Prepares a call of the map family that an iterator drives. */
  iterate(
    ordered: boolean,
    task: Callable,
    input: unknown,
    options: AnyMapOptions,
    caller: Caller,
  ): AsyncIterableIterator<unknown, undefined> & AsyncDisposable {
    let collector: IteratorCollector;
    this.#createMap(task, input, options, caller, true, (call) => {
      const begin = () => this.#inertIn ? void this.#never() : call.begin();
      collector = new IteratorCollector(ordered, call, begin);
      return collector;
    });
    return collector!.iterator();
  }

  /** Checks what a verb of the map family was given and makes the call. */
  #createMap(
    task: Callable,
    input: unknown,
    options: AnyMapOptions,
    caller: Caller,
    countsUntaken: boolean,
    collect: (call: MapCall) => Collector,
  ): MapCall {
    const action = "map";
    checkMapOptions(action, options);
    const isAsync = checkIterable(action, "args", input);
    const { nJobs, orderTasks } = this.#settings;
    const elements = input as Iterable<unknown> | AsyncIterable<unknown>;
    const length = options.iterableLen ?? lengthOf(elements);
    const limits = limitsOf(options, this.#settings.limits);
    const { concurrency = 1, maxTasksActive } = options;
    // Where it makes no difference but in speed.
    const mayJoin = isPlainArray(elements) && !countsUntaken && !orderTasks &&
      concurrency === 1 && maxTasksActive === undefined &&
      limits.workerLifespan === undefined;
    return new MapCall({
      crews: this.#crews,
      handles: this.#lifecycleOf(options, caller, this.#lifecycle),
      handle: this.#crews.functions.handleOf(
        task,
        "task",
        caller,
        options.closure,
      ),
      caller,
      input: elements,
      isAsync,
      length,
      limit: options.iterableLen ?? Infinity,
      sizer: createSizer(options, length, nJobs, mayJoin),
      nJobs,
      maxTasksActive,
      concurrency,
      limits,
      inThread: this.#crews.inThread,
      track: ProgressTracker.isWanted(options)
        ? () => new ProgressTracker(options, length)
        : undefined,
      settle: options.onError === "settle",
      ordered: orderTasks,
      countsUntaken,
      signal: options.signal,
    }, collect);
  }

  /** Runs one task for `verb`, the public function that was called. */
  submit(
    task: Callable,
    args: readonly unknown[],
    options: AnyApplyOptions,
    verb: Callable,
  ): Promise<unknown> {
    const burst = this.#burstFor(task, args, options, verb);
    const promise = burst.add(args);
    this.#begin(task, burst);
    return promise;
  }

  /** As `submit()`; gives what can be asked and cancelled. */
  submitAsync(
    task: Callable,
    args: readonly unknown[],
    options: AnyApplyOptions,
    verb: Callable,
  ): ApplyCall {
    const burst = this.#burstFor(task, args, options, verb);
    const call = new ApplyCall(burst, args);
    this.#begin(task, burst);
    return call;
  }

  /** The settings of the pool have changed: calls do not join earlier ones. */
  endBurst(): void {
    this.#openBurst = undefined;
  }

  /** Checks what a verb of the apply family was given. The burst has room. */
  #burstFor(
    task: Callable,
    args: readonly unknown[],
    options: AnyApplyOptions,
    verb: Callable,
  ): ApplyBurst {
    checkArguments("apply", args);
    const joinable = this.#openBurst?.burst.hasRoom
      ? this.#openBurst
      : undefined;
    if (options === NO_OPTIONS) {
      if (joinable && joinable.task === task) return joinable.burst;
    } else checkApplyOptions("apply", options);
    const { functions } = this.#crews;
    const { closure } = options;
    const isPlain = hasClosureAlone(options);
    const callerless = closure === undefined
      ? functions.callerlessHandleOf(task, "task")
      : functions.sharedHandleOf(task, "task", closure);
    // An inline function is another one each time, with the same text.
    if (isPlain && joinable && joinable.burst.handle === callerless) {
      return joinable.burst;
    }
    const caller = callerless
      ? callerless.recentCaller.capture(verb)
      : captureCaller(verb);
    const handle = callerless ??
      functions.handleOf(task, "task", caller, closure);
    const context = isPlain
      ? this.#plainContext ??= this.#createContext(NO_OPTIONS, caller)
      : this.#createContext(options, caller);
    const mayGrow = isPlain && callerless?.recentCaller.isShared === true;
    return new ApplyBurst(context, handle, caller, mayGrow);
  }

  /** Starts what has been added, unless it has joined earlier calls. */
  #begin(task: Callable, burst: ApplyBurst): void {
    if (this.#inertIn) void this.#never();
    else burst.begin();
    if (!burst.hasRoom || burst === this.#openBurst?.burst) return;
    const open = this.#openBurst = { task, burst };
    // What is called later is called elsewhere.
    queueMicrotask(() => {
      if (this.#openBurst === open) this.#openBurst = undefined;
    });
  }

  #createContext(options: AnyApplyOptions, caller: Caller): ApplyContext {
    const limits = limitsOf(options, this.#settings.limits);
    return {
      crews: this.#crews,
      handles: this.#lifecycleOf(options, caller, this.#lifecycle),
      limits,
      mode: {
        ...ONE_BY_ONE,
        ...timing(limits, 1, this.#crews.inThread),
      },
      signal: options.signal,
    };
  }
}

/** Whether there is no other option. */
function hasClosureAlone(options: AnyApplyOptions): boolean {
  for (const key in options) if (key !== "closure") return false;
  return true;
}

/** The limits that options set, else those of the pool. */
export function limitsOf(options: Partial<Limits>, pool?: Limits): Limits {
  return {
    taskTimeout: options.taskTimeout ?? pool?.taskTimeout,
    workerInitTimeout: options.workerInitTimeout ?? pool?.workerInitTimeout,
    workerExitTimeout: options.workerExitTimeout ?? pool?.workerExitTimeout,
    workerLifespan: options.workerLifespan ?? pool?.workerLifespan,
  };
}
