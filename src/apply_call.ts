import type { ApplyLane } from "./apply_lane.ts";
import type { Crew } from "./crew.ts";
import type { Crews, LifecycleHandles } from "./crews.ts";
import type { Caller } from "./functions/caller.ts";
import type { FunctionHandle } from "./functions/registry.ts";
import type { Limits } from "./task_source.ts";
import type { ChunkMode } from "./wire/messages.ts";
import { type Resolvers, withResolvers } from "./promises.ts";

/** What calls of `apply()` with the same options have in common. */
export interface ApplyContext {
  crews: Crews;
  handles: LifecycleHandles;
  limits: Limits;
  mode: ChunkMode;
  signal: AbortSignal | undefined;
}

/** One call of `apply()`: one task. */
export class ApplyCall {
  /** The function to run. */
  readonly handle: FunctionHandle;
  /** Where the call was made. */
  readonly caller: Caller;
  /** The arguments, as they travel. */
  readonly element: readonly unknown[];
  readonly #context: ApplyContext;
  readonly #resolvers: Resolvers<unknown> = withResolvers();
  #crew: Crew | undefined;
  #lane: ApplyLane | undefined;
  #isSettled = false;
  #onAbort: (() => void) | undefined;

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
  }

  /** What the call allows its task and its worker. */
  get limits(): Limits {
    return this.#context.limits;
  }

  /** How the task is run. */
  get mode(): ChunkMode {
    return this.#context.mode;
  }

  /** Whether the outcome is known, or wanted no more. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** The result. */
  get promise(): Promise<unknown> {
    return this.#resolvers.promise;
  }

  /** Starts the call. */
  begin(): void {
    const { signal, crews, handles, limits } = this.#context;
    if (signal?.aborted) {
      this.cancel(signal.reason);
      return;
    }
    if (signal) {
      this.#onAbort = () => this.cancel(signal.reason);
      signal.addEventListener("abort", this.#onAbort, { once: true });
    }
    crews.enter(handles, limits, (crew, lane) => {
      if (this.#isSettled) return;
      this.#crew = crew;
      this.#lane = lane;
      lane.add(this);
    })?.catch((error) => this.reject(error));
  }

  /** The task has given its result. */
  resolve(value: unknown): void {
    if (this.#isSettled) return;
    const { resolve, reject } = this.#resolvers;
    const released = this.#settle();
    if (released) released.then(() => resolve(value), reject);
    else resolve(value);
  }

  /** The task has failed. */
  reject(error: unknown): void {
    if (this.#isSettled) return;
    const { reject } = this.#resolvers;
    const end = () => reject(error);
    const released = this.#settle();
    if (released) released.then(end, end);
    else end();
  }

  /** Rejects if unfinished; a task that runs is left to end and its result is dropped. */
  cancel(reason: unknown): boolean {
    if (this.#isSettled) return false;
    this.reject(reason);
    this.#crew?.dropUnwanted();
    return true;
  }

  /** Does what belongs to the end of the call. */
  #settle(): Promise<void> | undefined {
    this.#isSettled = true;
    const { signal, crews } = this.#context;
    if (this.#onAbort) signal!.removeEventListener("abort", this.#onAbort);
    if (this.handle.temporary) crews.forget(this.handle);
    this.#lane?.drop(this);
    return this.#crew && crews.release(this.#crew);
  }
}
