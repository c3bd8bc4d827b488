import { whenAborted } from "./abort.ts";
import type { ApplyLane } from "./apply_lane.ts";
import type { Pending } from "./async_result.ts";
import type { Crews, LifecycleHandles } from "./crews.ts";
import type { Caller } from "./functions/caller.ts";
import type { FunctionHandle } from "./functions/registry.ts";
import type { Limits } from "./task_source.ts";
import type { ChunkMode } from "./wire/messages.ts";

/** What calls of `apply()` with the same options have in common. */
export interface ApplyContext {
  crews: Crews;
  handles: LifecycleHandles;
  limits: Limits;
  mode: ChunkMode;
  signal: AbortSignal | undefined;
}

/** One call of `apply()`: one task. There may be very many, so it is small. */
export class ApplyCall implements Pending {
  /** The function to run. */
  readonly handle: FunctionHandle;
  /** Where the call was made. */
  readonly caller: Caller;
  /** The arguments, as they travel. */
  readonly element: readonly unknown[];
  /** The result. */
  readonly promise: Promise<unknown>;
  /** Whether the promise is settled, and how. */
  state: Pending["state"] = "pending";
  /** Whether the outcome is known, or wanted no more. */
  isSettled = false;
  /** Where its lane keeps it. */
  place = 0;
  readonly #context: ApplyContext;
  #resolve!: (value: unknown) => void;
  #isQuiet = false;
  #lane: ApplyLane | undefined;
  #ignoreSignal: (() => void) | undefined;

  constructor(
    context: ApplyContext,
    handle: FunctionHandle,
    caller: Caller,
    args: readonly unknown[],
  ) {
    this.#context = context;
    this.handle = handle;
    this.caller = caller;
    this.element = args;
    // A function to reject it, too, would cost all calls a tenth of their time.
    this.promise = new Promise((resolve) => this.#resolve = resolve);
  }

  /** What the call allows its task and its worker. */
  get limits(): Limits {
    return this.#context.limits;
  }

  /** How the task is run. */
  get mode(): ChunkMode {
    return this.#context.mode;
  }

  /** Starts the call. */
  begin(): void {
    const { signal, crews, handles, limits } = this.#context;
    if (signal?.aborted) {
      this.cancel(signal.reason);
      return;
    }
    if (signal) {
      this.#ignoreSignal = whenAborted(
        signal,
        () => this.cancel(signal.reason),
      );
    }
    const lane = crews.enterLane(handles, limits);
    if (lane) return this.#enter(lane);
    crews.enter(handles, limits, (_crew, lane) => this.#enter(lane))
      ?.catch((error) => this.reject(error));
  }

  #enter(lane: ApplyLane): void {
    if (this.isSettled) return;
    this.#lane = lane;
    lane.add(this);
  }

  /** The task has given its result. */
  resolve(value: unknown): void {
    if (this.isSettled) return;
    const released = this.#settle();
    if (released) {
      released.then(() => this.#fulfil(value), (error) => this.#fail(error));
    } else this.#fulfil(value);
  }

  /** The task has failed. */
  reject(error: unknown): void {
    if (this.isSettled) return;
    const end = () => this.#fail(error);
    const released = this.#settle();
    if (released) released.then(end, end);
    else end();
  }

  /** Rejects if unfinished; a task that runs is left to end and its result is dropped. */
  cancel(reason: unknown): boolean {
    if (this.isSettled) return false;
    this.reject(reason);
    // Even where its promise waits for workers to stop.
    this.state = "rejected";
    this.#lane?.crew.dropUnwanted();
    return true;
  }

  /** Lets a failure that nobody handles be no crash. */
  quieten(): void {
    this.#isQuiet = true;
    if (this.state === "rejected") this.promise.catch(() => {});
  }

  #fulfil(value: unknown): void {
    this.state = "fulfilled";
    this.#resolve(value);
  }

  #fail(error: unknown): void {
    this.state = "rejected";
    if (this.#isQuiet) this.promise.catch(() => {});
    this.#resolve(Promise.reject(error));
  }

  /** Does what belongs to the end of the call. */
  #settle(): Promise<void> | undefined {
    this.isSettled = true;
    const { crews } = this.#context;
    this.#ignoreSignal?.();
    if (this.handle.temporary) crews.forget(this.handle);
    const lane = this.#lane;
    if (!lane) return undefined;
    lane.drop(this);
    return crews.release(lane.crew);
  }
}
