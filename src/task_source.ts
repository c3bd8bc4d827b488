import type { Caller } from "./functions/caller.ts";
import type { FunctionHandle } from "./functions/registry.ts";
import type { ChunkMode } from "./wire/messages.ts";

/** What a call allows its tasks and their worker. Times are in ms. */
export interface Limits {
  taskTimeout: number | undefined;
  workerInitTimeout: number | undefined;
  workerExitTimeout: number | undefined;
  /** Tasks after which a worker is replaced. */
  workerLifespan: number | undefined;
}

/** Tasks that travel together. */
export interface Chunk {
  readonly source: TaskSource;
  readonly handle: FunctionHandle;
  readonly mode: ChunkMode;
  readonly limits: Limits;
  /** One element a task; fewer once the last are given to another worker. */
  elements: ArrayLike<unknown>;
  /** What the source keeps of the chunk and its parts, if anything. */
  readonly entries: unknown;
  /** Index of the first task in its source, or in `entries`. */
  readonly first: number;
  /** The worker that must run the chunk, where tasks are ordered. */
  readonly workerId: number | undefined;
  /** Whether elements hold what is moved to the worker: it cannot be sent again. */
  readonly moves: boolean;
  /** Marks the tasks whose results have arrived, once there are some. */
  reported: Uint8Array | undefined;
  /** What its source notes: results of so many, from the first on, may be wanted. */
  wanted: number | undefined;
  /** Its number among the chunks of the worker that was last sent it. */
  sequence: number;
  /** How long it took to send, in ms. */
  sendTime: number;
}

/** Something that has tasks to run: a call of the map family, or the calls of
 * `apply()` together. */
export interface TaskSource {
  /** Whether a chunk can be had at once. May read input. */
  hasChunk(): boolean;
  /** The next chunk for the worker, if there is one. */
  nextChunk(workerId: number): Chunk | undefined;
  /** Takes back a chunk, or the rest of one, that no worker has begun. */
  putBack(chunk: Chunk): void;
  /**
   * Results of consecutive tasks of the chunk have arrived. `failures` holds
   * the errors of those that failed, by index in the chunk.
   */
  addResults(
    chunk: Chunk,
    offset: number,
    results: ArrayLike<unknown>,
    failures: Map<number, unknown> | undefined,
  ): void;
  /** One task of the chunk failed: threw, could not be sent, was lost. */
  failTask(chunk: Chunk, index: number, error: unknown): void;
  /** The chunk's tasks cannot be run at all. */
  failChunk(chunk: Chunk, error: unknown): void;
  /**
   * The chunk has come to its end. It took `cost` ms to run, or to send if
   * that was more; 0 if it has not run to its end.
   */
  endChunk(chunk: Chunk, cost: number): void;
  /** No task of the source can be run any more. */
  fail(error: unknown): void;
  /** Whether chunks are bound to workers. */
  readonly isOrdered: boolean;
  /** Whether it goes on only when somebody takes results. */
  readonly isPaused: boolean;
  /** Whether the chunk's results are still wanted. */
  wants(chunk: Chunk): boolean;
  /** Where the chunk's task at the index was called. */
  callerOf(chunk: Chunk, index: number): Caller;
}

/** Who keeps the time of tasks and of init functions, and which. */
export function timing(
  { taskTimeout, workerInitTimeout }: Limits,
  concurrency: number,
  inThread: boolean,
): Pick<ChunkMode, "taskTimeout" | "timesItself" | "initTimeout"> {
  // The owner watches tasks that run one by one; side by side, only the
  // worker can tell one from the other.
  const timesItself = taskTimeout !== undefined &&
    (concurrency > 1 || inThread);
  const tasks = { taskTimeout, timesItself };
  return inThread ? { ...tasks, initTimeout: workerInitTimeout } : tasks;
}

/** The part of a chunk from the task at `start` on, as a chunk of its own. */
export function restOf(chunk: Chunk, start: number): Chunk {
  return partOf(chunk, start, chunk.elements.length);
}

/** Some consecutive tasks of a chunk as a chunk of its own. */
export function partOf(chunk: Chunk, start: number, end: number): Chunk {
  return {
    ...chunk,
    elements: Array.prototype.slice.call(chunk.elements, start, end),
    first: chunk.first + start,
    reported: undefined,
    wanted: undefined,
  };
}

/** Leaves a chunk only its first tasks. */
export function shorten(chunk: Chunk, length: number): void {
  chunk.elements = Array.prototype.slice.call(chunk.elements, 0, length);
  chunk.reported = chunk.reported?.slice(0, length);
}

/** Whether there are several tasks that run in order, each for itself. */
export function endsOneByOne({ mode, elements }: Chunk): boolean {
  return elements.length > 1 && mode.concurrency === 1 && mode.isolated;
}

/** Whether tasks of the chunk may be taken back while it runs. */
export function isDivisible(chunk: Chunk): boolean {
  return endsOneByOne(chunk) && chunk.workerId === undefined && !chunk.moves;
}
