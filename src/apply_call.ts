import type { ApplyLane } from "./apply_lane.ts";
import type { Crew } from "./crew.ts";
import type { Crews, LifecycleHandles } from "./crews.ts";
import type { Caller } from "./functions/caller.ts";
import type { FunctionHandle } from "./functions/registry.ts";
import { type Limits, timing } from "./task_source.ts";
import type { ChunkMode } from "./wire/messages.ts";
import { type Resolvers, withResolvers } from "./promises.ts";

/** What a call of `apply()` was asked to do. */
export interface ApplyRequest {
  crews: Crews;
  handles: LifecycleHandles;
  handle: FunctionHandle;
  limits: Limits;
  /** Whether workers run in the calling thread. */
  inThread: boolean;
  caller: Caller;
  args: readonly unknown[];
  signal: AbortSignal | undefined;
}

/** One call of `apply()`: one task. */
export class ApplyCall {
  /** How the task is run. */
  readonly mode: ChunkMode;
  readonly #request: ApplyRequest;
  readonly #resolvers: Resolvers<unknown> = withResolvers();
  #crew: Crew | undefined;
  #lane: ApplyLane | undefined;
  #isSettled = false;
  readonly #onAbort = () => this.cancel(this.#request.signal!.reason);

  constructor(request: ApplyRequest) {
    this.#request = request;
    this.mode = {
      concurrency: 1,
      isolated: true,
      ...timing(request.limits, 1, request.inThread),
    };
  }

  /** What the call allows its task and its worker. */
  get limits(): Limits {
    return this.#request.limits;
  }

  /** The function to run. */
  get handle(): FunctionHandle {
    return this.#request.handle;
  }

  /** Where the call was made. */
  get caller(): Caller {
    return this.#request.caller;
  }

  /** The arguments, as they travel. */
  get element(): unknown {
    return this.#request.args;
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
    const { signal, crews, handles, limits } = this.#request;
    if (signal?.aborted) return this.#onAbort();
    signal?.addEventListener("abort", this.#onAbort, { once: true });
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

  /** Rejects; a task that runs is left to end and its result is dropped. */
  cancel(reason: unknown): void {
    if (this.#isSettled) return;
    this.reject(reason);
    this.#crew?.dropUnwanted();
  }

  /** Does what belongs to the end of the call. */
  #settle(): Promise<void> | undefined {
    this.#isSettled = true;
    const { signal, handle, crews } = this.#request;
    signal?.removeEventListener("abort", this.#onAbort);
    if (handle.temporary) crews.forget(handle);
    this.#lane?.drop(this);
    return this.#crew && crews.release(this.#crew);
  }
}
