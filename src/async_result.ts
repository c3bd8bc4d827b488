import { TimeoutError } from "./errors.ts";
import { checkNames, checkObject, checkTimeout } from "./check.ts";
import { withResolvers } from "./promises.ts";
import { LONGEST_TIMER } from "./timeouts.ts";
import { clearTimeout, setTimeout } from "./timers.ts";

/** What an {@linkcode AsyncResult} stands for. */
export interface Pending {
  readonly state: "pending" | "fulfilled" | "rejected";
  readonly promise: Promise<unknown>;
  /** Rejects the promise, unless it is settled: false then. */
  cancel(reason: unknown): boolean;
  /** Lets a failure that nobody handles be no crash. */
  quieten(): void;
}

/** Options of {@linkcode AsyncResult.wait} and {@linkcode AsyncResult.get}. */
export interface WaitOptions {
  /**
   * How long to wait, in milliseconds.
   *
   * @default {Infinity}
   */
  timeout?: number | undefined;
}

/**
 * A task that `applyAsync()` has handed in. Awaiting it gives the result; a
 * failure that nobody asks for is dropped.
 *
 * @typeParam R The type of the result.
 *
 * @example Usage
 * ```ts
 * import { WorkerPool } from "@polypool/polypool";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new WorkerPool({ nJobs: 2 });
 * const result = pool.applyAsync((x: number) => x + 1, [41]);
 * assertEquals(await result, 42);
 * assertEquals(result.successful(), true);
 * ```
 */
export class AsyncResult<R> implements PromiseLike<R> {
  readonly #call: Pending;
  /** Those who wait for a time, once there are some. */
  #waiters: Set<() => void> | undefined;

  /** Made by `applyAsync()`. */
  constructor(call: Pending) {
    this.#call = call;
    call.quieten();
  }

  /** Waits for the result, as `await` does. */
  then<T = R, E = never>(
    onFulfilled?: ((value: R) => T | PromiseLike<T>) | null,
    // deno-lint-ignore no-explicit-any
    onRejected?: ((reason: any) => E | PromiseLike<E>) | null,
  ): Promise<T | E> {
    return this.#result.then(onFulfilled, onRejected);
  }

  /** Handles a failure. */
  catch<E = never>(
    // deno-lint-ignore no-explicit-any
    onRejected?: ((reason: any) => E | PromiseLike<E>) | null,
  ): Promise<R | E> {
    return this.#result.catch(onRejected);
  }

  /** Calls back when the task has finished, well or not. */
  finally(onFinally?: (() => void) | null): Promise<R> {
    return this.#result.finally(onFinally);
  }

  /** Whether the task has finished, well or not. */
  ready(): boolean {
    return this.#call.state !== "pending";
  }

  /**
   * Whether the task gave a result.
   *
   * @throws {Error} If it has not finished.
   */
  successful(): boolean {
    if (!this.ready()) {
      throw new Error("Cannot tell the outcome as the task is not finished");
    }
    return this.#call.state === "fulfilled";
  }

  /**
   * Waits until the task has finished or the time is over. Never rejects for
   * the task's own error.
   *
   * @param options How long to wait.
   * @returns Whether the task has finished.
   * @throws {TypeError} If the timeout is not a number.
   * @throws {RangeError} If the timeout is negative or `NaN`.
   */
  async wait(options: WaitOptions = {}): Promise<boolean> {
    const timeout = waitTime("wait for a result", options);
    await this.#within(timeout, () => undefined).catch(() => {});
    return this.ready();
  }

  /**
   * The result. When the time is over the task goes on, and `get()` may be
   * called again.
   *
   * @param options How long to wait.
   * @returns The result.
   * @throws {TimeoutError} If the time is over (stage `"get"`).
   */
  async get(options: WaitOptions = {}): Promise<R> {
    const timeout = waitTime("get a result", options);
    return await this.#within(timeout, () => {
      throw new TimeoutError(
        `The task did not finish in ${timeout} ms`,
        { stage: "get", timeout },
      );
    }) as R;
  }

  /**
   * Cancels the task: it rejects with an `AbortError`. One that runs already
   * is left to end and its result is dropped.
   *
   * @returns Whether the task was unfinished.
   */
  cancel(): boolean {
    return this.#call.cancel(
      new DOMException("The task was cancelled", "AbortError"),
    );
  }

  /** The name that `Object.prototype.toString` gives. */
  get [Symbol.toStringTag](): string {
    return "AsyncResult";
  }

  async #within(timeout: number, onTimeout: () => undefined): Promise<unknown> {
    if (this.ready() || timeout === Infinity) return await this.#result;
    const { promise, resolve } = withResolvers<void>();
    const waiters = this.#waiters ??= this.#createWaiters();
    waiters.add(resolve);
    // Longer delays than timers can hold would fire at once.
    const timer = setTimeout(resolve, Math.min(timeout, LONGEST_TIMER));
    await promise;
    clearTimeout(timer);
    waiters.delete(resolve);
    return this.ready() ? await this.#result : onTimeout();
  }

  /** Each of them would otherwise add to the promise whenever it looks. */
  #createWaiters(): Set<() => void> {
    const waiters = new Set<() => void>();
    const wakeAll = () => waiters.forEach((wake) => wake());
    this.#result.then(wakeAll, wakeAll);
    return waiters;
  }

  get #result(): Promise<R> {
    return this.#call.promise as Promise<R>;
  }
}

function waitTime(action: string, options: WaitOptions): number {
  checkObject(action, "options", options);
  checkNames(action, options, ["timeout"]);
  const { timeout = Infinity } = options;
  checkTimeout(action, "timeout", timeout);
  return timeout;
}
