/**
 * The errors that callers of a pool may want to tell apart.
 *
 * A program can hold two copies of this library: a bundle beside a package, a
 * worker beside its owner. So that `instanceof` works for errors of the other
 * copy too, each prototype carries a brand from the global symbol registry.
 *
 * @module
 */

// deno-lint-ignore ban-types
type Callable = Function;

// The name is on the prototype, as built-in classes have it: an own one would
// show among the properties of each error.
function brand(errorClass: { prototype: Error }, name: string): void {
  const key = Symbol.for(`polypool.error.${name}`);
  Object.defineProperties(errorClass.prototype, {
    name: { value: name, writable: true, configurable: true },
    [key]: { value: true },
  });
  Object.defineProperty(errorClass, Symbol.hasInstance, {
    value(this: unknown, value: unknown): boolean {
      // Subclasses inherit this method, but are told by their prototype.
      return this === errorClass
        ? typeof value === "object" && value !== null && key in value
        : Function.prototype[Symbol.hasInstance].call(this as Callable, value);
    },
  });
}

/** What a {@linkcode WorkerDiedError} tells. */
export interface WorkerDiedErrorOptions extends ErrorOptions {
  /** ID of the worker. */
  workerId: number;
  /** The code that the worker ended with, where there is one. */
  exitCode?: number | undefined;
  /** Name of the signal that ended the worker's process. */
  signal?: string | undefined;
  /** The last that the worker's process wrote on stderr. */
  stderr?: string | undefined;
}

/**
 * A worker ended while it was needed: it called `process.exit()`, crashed, was
 * killed, or ran out of memory. The pool has replaced it.
 *
 * @example Usage
 * ```ts
 * import { WorkerDiedError, WorkerPool } from "@polypool/polypool";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using pool = new WorkerPool({ nJobs: 1 });
 * const error = await assertRejects(
 *   () =>
 *     pool.apply(async () => {
 *       const { default: process } = await import("node:process");
 *       process.exit(3);
 *     }),
 *   WorkerDiedError,
 * );
 * assertEquals(error.exitCode, 3);
 * ```
 */
export class WorkerDiedError extends Error {
  static {
    brand(this, "WorkerDiedError");
  }

  /** Tells the kind of error. */
  readonly code: "ERR_WORKER_DIED" = "ERR_WORKER_DIED";
  /** ID of the worker. */
  declare readonly workerId: number;
  /** The code that the worker ended with, where there is one. */
  declare readonly exitCode?: number;
  /** Name of the signal that ended the worker's process. */
  declare readonly signal?: string;
  /** The last that the worker's process wrote on stderr. */
  declare readonly stderr?: string;

  /** Constructs a new instance. */
  constructor(message: string, options: WorkerDiedErrorOptions) {
    super(message, options);
    this.workerId = options.workerId;
    if (options.exitCode !== undefined) this.exitCode = options.exitCode;
    if (options.signal !== undefined) this.signal = options.signal;
    if (options.stderr !== undefined) this.stderr = options.stderr;
  }
}

/**
 * What took too long: a task, a worker's init or exit function, or a wait by
 * `get()`, for a lock (`"acquire"`), at a barrier (`"wait"`) or for room in a
 * queue (`"put"`).
 */
export type TimeoutStage =
  | "task"
  | "workerInit"
  | "workerExit"
  | "get"
  | "acquire"
  | "wait"
  | "put";

/** What a {@linkcode TimeoutError} tells. */
export interface TimeoutErrorOptions extends ErrorOptions {
  /** What took too long. */
  stage: TimeoutStage;
  /** The time that was allowed, in milliseconds. */
  timeout: number;
  /** ID of the worker, where one was at work. */
  workerId?: number;
}

/**
 * Something took longer than its timeout allows.
 *
 * @example Usage
 * ```ts
 * import { TimeoutError, WorkerPool } from "@polypool/polypool";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using pool = new WorkerPool({ nJobs: 1, taskTimeout: 50 });
 * const error = await assertRejects(
 *   () => pool.apply(() => new Promise(() => {})),
 *   TimeoutError,
 * );
 * assertEquals([error.stage, error.timeout], ["task", 50]);
 * ```
 */
export class TimeoutError extends Error {
  static {
    brand(this, "TimeoutError");
  }

  /** Tells the kind of error. */
  readonly code: "ERR_TIMEOUT" = "ERR_TIMEOUT";
  /** What took too long. */
  declare readonly stage: TimeoutStage;
  /** The time that was allowed, in milliseconds. */
  declare readonly timeout: number;
  /** ID of the worker, where one was at work. */
  declare readonly workerId?: number;

  /** Constructs a new instance. */
  constructor(message: string, options: TimeoutErrorOptions) {
    super(message, options);
    this.stage = options.stage;
    this.timeout = options.timeout;
    if (options.workerId !== undefined) this.workerId = options.workerId;
  }
}

/**
 * The pool was terminated while a call was going on.
 *
 * @example Usage
 * ```ts
 * import { PoolTerminatedError, WorkerPool } from "@polypool/polypool";
 * import { assertRejects } from "@std/assert";
 *
 * const pool = new WorkerPool({ nJobs: 1 });
 * const outcome = assertRejects(
 *   () => pool.apply(() => new Promise(() => {})),
 *   PoolTerminatedError,
 * );
 * await pool.terminate();
 * await outcome;
 * ```
 */
export class PoolTerminatedError extends Error {
  static {
    brand(this, "PoolTerminatedError");
  }

  /** Tells the kind of error. */
  readonly code: "ERR_POOL_TERMINATED" = "ERR_POOL_TERMINATED";
}

/** What a {@linkcode LockAbandonedError} tells. */
export interface LockAbandonedErrorOptions extends ErrorOptions {
  /** ID of the worker that held the lock, where it is known. */
  workerId?: number;
}

/**
 * A worker died while it held what others wait for: what the lock protects may
 * be half written.
 *
 * @example Usage
 * ```ts
 * import { LockAbandonedError } from "@polypool/polypool";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new LockAbandonedError("Worker 2 died", { workerId: 2 });
 * assertEquals(error.workerId, 2);
 * ```
 */
export class LockAbandonedError extends Error {
  static {
    brand(this, "LockAbandonedError");
  }

  /** Tells the kind of error. */
  readonly code: "ERR_LOCK_ABANDONED" = "ERR_LOCK_ABANDONED";
  /** ID of the worker that held the lock, where it is known. */
  declare readonly workerId?: number;

  /** Constructs a new instance. */
  constructor(message: string, options: LockAbandonedErrorOptions = {}) {
    super(message, options);
    if (options.workerId !== undefined) this.workerId = options.workerId;
  }
}

/**
 * A {@linkcode Barrier} was aborted or reset, or somebody's time was over,
 * while others waited there.
 *
 * @example Usage
 * ```ts
 * import { Barrier, BrokenBarrierError } from "@polypool/polypool";
 * import { assertRejects } from "@std/assert";
 *
 * const barrier = new Barrier(2);
 * const waiting = assertRejects(() => barrier.wait(), BrokenBarrierError);
 * barrier.abort();
 * await waiting;
 * ```
 */
export class BrokenBarrierError extends Error {
  static {
    brand(this, "BrokenBarrierError");
  }

  /** Tells the kind of error. */
  readonly code: "ERR_BROKEN_BARRIER" = "ERR_BROKEN_BARRIER";
}

/**
 * A {@linkcode SharedQueue} is closed: nothing can be put, or nothing is left.
 *
 * @example Usage
 * ```ts
 * import { QueueClosedError, SharedQueue } from "@polypool/polypool";
 * import { assertRejects } from "@std/assert";
 *
 * const queue = new SharedQueue<number>();
 * queue.close();
 * await assertRejects(() => queue.get(), QueueClosedError);
 * ```
 */
export class QueueClosedError extends Error {
  static {
    brand(this, "QueueClosedError");
  }

  /** Tells the kind of error. */
  readonly code: "ERR_QUEUE_CLOSED" = "ERR_QUEUE_CLOSED";
}

/** What the runtime throws for a value that cannot be sent. */
export function dataCloneError(
  message: string,
  cause?: unknown,
): DOMException {
  const error = new DOMException(message, "DataCloneError");
  if (cause !== undefined) {
    Object.defineProperty(error, "cause", {
      value: cause,
      writable: true,
      configurable: true,
    });
  }
  return error;
}
