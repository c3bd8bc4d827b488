import type { Codec } from "../wire/codec.ts";
import type { PackedError } from "../wire/errors.ts";
import { beginTask, type ControlBlock, endTasks } from "../wire/control.ts";
import {
  type ChunkMode,
  FAILED,
  type Failure,
  type FromWorker,
  RESULTS,
} from "../wire/messages.ts";
import { LONGEST_TIMER, timeoutError } from "../timeouts.ts";
import { explainCloneFailure } from "../wire/values.ts";
import type { Gate } from "./gate.ts";

/** A task function with its leading arguments in place. */
export type BoundTask = (element: unknown) => unknown;

/** Sends a message to the owner. */
export type Post = (message: FromWorker, transfer?: ArrayBuffer[]) => void;

/** How long synchronous tasks may keep timers and messages waiting, in ms. */
const YIELD_INTERVAL = 8;

/** Tasks between two looks at the clock, at most. */
const MAX_STRIDE = 64;

const { setImmediate } = globalThis as unknown as {
  setImmediate(callback: () => void): void;
};

/** Whether the value must be awaited. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return value !== null && typeof value === "object" &&
    typeof (value as { then?: unknown }).then === "function";
}

/** Runs the tasks of one chunk and reports how they end. */
export class ChunkRun {
  readonly #sequence: number;
  readonly #mode: ChunkMode;
  readonly #elements: ArrayLike<unknown>;
  readonly #task: BoundTask;
  readonly #packError: (error: unknown) => PackedError;
  readonly #control: ControlBlock;
  readonly #codec: Codec;
  readonly #workerId: number;
  readonly #post: Post;
  /** Results of consecutive tasks that have not been reported. */
  #results: unknown[] = [];
  /** Index of the first of them. */
  #first = 0;
  #failures: Failure[] = [];
  readonly #startedAt = performance.now();

  constructor(
    sequence: number,
    mode: ChunkMode,
    elements: ArrayLike<unknown>,
    task: BoundTask,
    packError: (error: unknown) => PackedError,
    control: ControlBlock,
    codec: Codec,
    workerId: number,
    post: Post,
  ) {
    this.#sequence = sequence;
    this.#mode = mode;
    this.#elements = elements;
    this.#task = task;
    this.#packError = packError;
    this.#control = control;
    this.#codec = codec;
    this.#workerId = workerId;
    this.#post = post;
  }

  /** Runs one task after the other. */
  async runInOrder(): Promise<void> {
    const { isolated, timesItself } = this.#mode;
    const count = this.#elements.length;
    let lastYield = performance.now();
    let stride = 1;
    let untilCheck = 1;
    for (let i = 0; i < count; i++) {
      if (isolated) this.flush();
      if (!beginTask(this.#control, this.#sequence, i)) break;
      try {
        const value = timesItself
          ? this.#runTimed(i)
          : this.#task(this.#elements[i]);
        this.#results.push(isThenable(value) ? await value : value);
      } catch (error) {
        if (!isolated) return this.#fail(i, error);
        this.#addFailure(i, error);
      }
      if (--untilCheck > 0) continue;
      const elapsed = performance.now() - lastYield;
      if (elapsed > YIELD_INTERVAL) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        lastYield = performance.now();
      }
      // Quick tasks need not pay for the clock.
      stride = elapsed < 1 ? Math.min(stride * 2, MAX_STRIDE) : 1;
      untilCheck = stride;
    }
    this.#report(true);
  }

  /**
   * Runs asynchronous tasks side by side, as far as the gate lets them.
   * Resolves when all have begun.
   */
  async runSideBySide(gate: Gate): Promise<void> {
    const count = this.#elements.length;
    let ended = 0;
    const end = (index: number, outcome: () => void) => {
      ended++;
      // One report a task: there is no order in which they end.
      this.#first = index;
      outcome();
      this.#report(ended === count);
    };
    for (let i = 0; i < count; i++) {
      await gate.hasRoom(this.#mode.concurrency);
      if (!beginTask(this.#control, this.#sequence, i)) {
        ended += count - i;
        if (ended === count) this.#report(true);
        return;
      }
      gate.enter();
      this.#runOne(i).then(
        (value) => end(i, () => this.#results.push(value)),
        (error) => {
          if (this.#mode.isolated) end(i, () => this.#addFailure(i, error));
          else this.#fail(i, error);
        },
      ).finally(() => gate.leave());
    }
  }

  /** Reports what has not been reported, as the worker goes on or ends. */
  flush(): void {
    if (this.#results.length > 0) this.#report(false);
  }

  async #runOne(index: number): Promise<unknown> {
    return await (this.#mode.timesItself
      ? this.#runTimed(index)
      : this.#task(this.#elements[index]));
  }

  /** Runs a task and rejects when it has taken, or takes, too long. */
  async #runTimed(index: number): Promise<unknown> {
    const timeout = this.#mode.taskTimeout!;
    const start = performance.now();
    const value = this.#task(this.#elements[index]);
    const left = timeout - (performance.now() - start);
    if (left <= 0) throw this.#timeoutError(timeout);
    if (!isThenable(value)) return value;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      const end = () => reject(this.#timeoutError(timeout));
      timer = setTimeout(end, Math.min(left, LONGEST_TIMER));
    });
    try {
      return await Promise.race([value, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #timeoutError(timeout: number): Error {
    return timeoutError("task", timeout, this.#workerId);
  }

  #addFailure(index: number, error: unknown): void {
    this.#results.push(undefined);
    this.#failures.push([index, this.#packError(error)]);
  }

  #fail(index: number, error: unknown): void {
    endTasks(this.#control, this.#sequence);
    this.#post([FAILED, this.#sequence, index, this.#packError(error)]);
  }

  #report(final: boolean): void {
    const first = this.#first;
    const results = this.#results;
    const failures = this.#failures;
    this.#first += results.length;
    this.#results = [];
    this.#failures = [];
    if (final) endTasks(this.#control, this.#sequence);
    try {
      this.#send(first, results, failures, final);
    } catch {
      // Some result cannot be sent: find out which, one by one.
      for (let i = 0; i < results.length; i++) {
        const last = final && i === results.length - 1;
        const index = first + i;
        const failed = failures.filter(([at]) => at === index);
        try {
          this.#send(index, [results[i]], failed, last);
        } catch {
          const error = explainCloneFailure(results[i], "the result");
          if (!this.#mode.isolated) return this.#fail(index, error);
          const failure: Failure = [index, this.#packError(error)];
          this.#send(index, [undefined], [failure], last);
        }
      }
    }
  }

  #send(
    first: number,
    results: unknown[],
    failures: Failure[],
    final: boolean,
  ): void {
    const { payload, transfer } = this.#codec.packList(results);
    const elapsed = final ? performance.now() - this.#startedAt : undefined;
    this.#post(
      [RESULTS, this.#sequence, first, payload, failures, elapsed],
      transfer,
    );
  }
}
