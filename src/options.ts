/**
 * Every option: its type, its meaning and its default.
 *
 * @module
 */

import type { Progress } from "./progress/meter.ts";
import type {
  ProgressBarOptions,
  ProgressBarStyle,
} from "./progress/options.ts";
import type { StartMethod, WorkerFunction } from "./types.ts";

/** Times that functions may take, in milliseconds above 0. */
export interface TimeoutOptions {
  /**
   * The time that a task may take, from its start on. A worker that takes
   * longer is stopped and replaced.
   */
  taskTimeout?: number | undefined;
  /** The time that `workerInit` may take. */
  workerInitTimeout?: number | undefined;
  /** The time that `workerExit` may take, from when it begins. */
  workerExitTimeout?: number | undefined;
}

/** Options of a `WorkerPool`. */
export interface WorkerPoolOptions<
  Shared = undefined,
  PassId extends boolean = false,
  UseState extends boolean = false,
  Leading extends unknown[] = unknown[],
> extends TimeoutOptions {
  /**
   * The number of workers, at least 1. May exceed the number of CPUs.
   *
   * @default {cpuCount()}
   */
  nJobs?: number | undefined;
  /**
   * How workers come to be.
   *
   * @default {"threading"}
   */
  startMethod?: StartMethod | undefined;
  /**
   * What all tasks need: sent once to each worker, as an argument of every
   * task. Passed unless `undefined`.
   */
  sharedObjects?: Shared | undefined;
  /**
   * Whether functions get the ID of their worker, 0 ... `nJobs - 1`. A
   * restarted worker keeps its ID.
   *
   * @default {false}
   */
  passWorkerId?: PassId | undefined;
  /**
   * Whether functions get an object that is private to their worker, and
   * empty when the worker starts.
   *
   * @default {false}
   */
  useWorkerState?: UseState | undefined;
  /**
   * Whether workers stay between calls. Idle workers use no CPU and let the
   * program end.
   *
   * @default {true}
   */
  keepAlive?: boolean | undefined;
  /**
   * Whether chunk `i` of a call goes to worker `i % nJobs`.
   *
   * @default {false}
   */
  orderTasks?: boolean | undefined;
  /**
   * Whether workers measure where their time goes, see `getInsights()`.
   *
   * @default {false}
   */
  enableInsights?: boolean | undefined;
  /** Runs in each worker right before its first task. */
  workerInit?: WorkerFunction<Leading> | undefined;
  /**
   * Runs in each worker that had a task, when it stops in an orderly way.
   * See `getExitResults()` for what it returns.
   */
  workerExit?: WorkerFunction<Leading> | undefined;
  /**
   * Tasks after which a worker is replaced by a fresh one, looked at between
   * chunks.
   */
  workerLifespan?: number | undefined;
  /**
   * The time after which idle workers stop, in milliseconds. The next call
   * starts them again.
   */
  idleTimeout?: number | undefined;
  /**
   * The CPUs that workers are bound to: one entry for all workers, or one for
   * each; an entry is a CPU or a list of CPUs, counted from 0. Needs Linux and
   * its `taskset`; has no effect elsewhere.
   */
  cpuIds?: readonly number[] | readonly (readonly number[])[] | undefined;
  /**
   * The most that the heap of a worker may take, in MiB, where workers are
   * processes: more than that ends the worker. Has no effect on Bun, which
   * knows no such limit.
   */
  memoryLimit?: number | undefined;
  /**
   * Modules that each worker imports when it starts: URLs, or specifiers as
   * the module would import them that makes the pool.
   */
  preload?: readonly (string | URL)[] | undefined;
}

// Functions and what can be iterated are told by their symbols. The index
// lets in interfaces, which have none of their own.
/** An object whose properties have the names of variables. */
export type Closure = object & {
  // deno-lint-ignore no-explicit-any
  readonly [name: string]: any;
  readonly [Symbol.hasInstance]?: never;
  readonly [Symbol.iterator]?: never;
};

/** Options of `apply()` and `applyAsync()`. */
export interface ApplyOptions<Leading extends unknown[] = unknown[]>
  extends TimeoutOptions {
  /** Runs in each worker right before its first task. */
  workerInit?: WorkerFunction<Leading> | undefined;
  /** Runs in each worker that had a task, when it stops in an orderly way. */
  workerExit?: WorkerFunction<Leading> | undefined;
  /** Cancels the call when it aborts. */
  signal?: AbortSignal | undefined;
  /** A plain object whose properties the function sees as free variables. */
  closure?: Closure | undefined;
}

/** Options of the map family. */
export interface MapOptions<
  OnError extends "throw" | "settle" = "throw",
  Leading extends unknown[] = unknown[],
> extends ApplyOptions<Leading> {
  /**
   * The number of tasks: longer input is cut there.
   *
   * @default {args.length ?? args.size}
   */
  iterableLen?: number | undefined;
  /**
   * Tasks that are sent to a worker at once, at least 1; may be fractional.
   * Without it, and with unknown length, chunks adapt to take about 2 ms; and
   * of an array that is mapped, chunks that take less than half a millisecond
   * are sent up to 16 at once.
   *
   * @default {iterableLen / nSplits, and at most 14,000 without nSplits}
   */
  chunkSize?: number | undefined;
  /**
   * The number of chunks, used when there is no `chunkSize`.
   *
   * @default {nJobs * 64, and nJobs * 4 for mapChunks()}
   */
  nSplits?: number | undefined;
  /**
   * The most tasks that have been sent and whose results have not arrived
   * (`imap`: not been taken). Input is read no further.
   *
   * @default {nJobs * Math.max(Math.ceil(chunkSize), concurrency) * 2}
   */
  maxTasksActive?: number | undefined;
  /**
   * `"settle"`: a failed task costs only its own result, and results are as
   * from `Promise.allSettled()`.
   *
   * @default {"throw"}
   */
  onError?: OnError | undefined;
  /**
   * Asynchronous tasks that one worker runs at the same time.
   *
   * @default {1}
   */
  concurrency?: number | undefined;
  /** Tasks after which a worker is replaced by a fresh one. */
  workerLifespan?: number | undefined;
  /**
   * Whether to show a progress bar on stderr.
   *
   * @default {false}
   */
  progressBar?: boolean | undefined;
  /** How the bar looks, and where. */
  progressBarOptions?: ProgressBarOptions | undefined;
  /**
   * `"std"`: a bar as tqdm draws it. `"dashboard"`: no bar in the terminal,
   * for programs that are watched by other means.
   *
   * @default {"std"}
   */
  progressBarStyle?: ProgressBarStyle | undefined;
  /**
   * Is told how far the call is: at most each 100 ms, and at its end. What it
   * throws fails the call, but is lost if the call has failed or was cancelled.
   *
   * @param progress Tasks done and to do, and times in ms. The tasks of
   * `mapChunks()` are slices.
   */
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** Options of `mapChunks()`. */
export interface MapChunksOptions<
  Concatenate extends boolean = true,
  OnError extends "throw" | "settle" = "throw",
  Leading extends unknown[] = unknown[],
> extends MapOptions<OnError, Leading> {
  /**
   * Whether the results are joined into one array; never with
   * `onError: "settle"`.
   *
   * @default {true}
   */
  concatenateOutput?: Concatenate | undefined;
}
