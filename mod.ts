/**
 * A worker pool that behaves the same on Deno, Bun and Node: `map`, `imap`
 * and `apply` on all cores, shared objects sent once per worker, shared
 * memory, worker state, worker IDs, errors that arrive whole, and no promise
 * that hangs. After MPIRE for Python.
 *
 * @example Usage
 * ```ts
 * import { WorkerPool } from "@polypool/polypool";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new WorkerPool({ nJobs: 2 });
 * assertEquals(await pool.map((x: number) => x * x, [1, 2, 3]), [1, 4, 9]);
 * ```
 *
 * @module
 */

export { AsyncResult, type WaitOptions } from "./src/async_result.ts";
export {
  chunkTasks,
  type ChunkTasksOptions,
  makeSingleArguments,
} from "./src/chunking.ts";
export { cpuCount, isMainThread } from "./src/environment.ts";
export {
  BrokenBarrierError,
  LockAbandonedError,
  PoolTerminatedError,
  QueueClosedError,
  TimeoutError,
  type TimeoutStage,
  WorkerDiedError,
} from "./src/errors.ts";
export { ManagedList } from "./src/managed/list.ts";
export { ManagedMap } from "./src/managed/map.ts";
export type { WorkerPoolInsights } from "./src/insights/insights.ts";
export {
  type AnyFunction,
  importTasks,
  task,
  type Tasks,
} from "./src/functions/reference.ts";
export type { Sliceable } from "./src/slices.ts";
export type {
  ApplyOptions,
  Closure,
  MapChunksOptions,
  MapOptions,
  TimeoutOptions,
  WorkerPoolOptions,
} from "./src/options.ts";
export type { Progress } from "./src/progress/meter.ts";
export type {
  ProgressBarOptions,
  ProgressBarStyle,
} from "./src/progress/options.ts";
export type { ProgressStream } from "./src/progress/terminal.ts";
export { type ChunksOutcome, type Outcome, WorkerPool } from "./src/pool.ts";
export {
  type Shared,
  sharedArray,
  type SharedTypedArray,
  type TypedArrayConstructor,
} from "./src/shared/array.ts";
export { Barrier } from "./src/shared/barrier.ts";
export { Condition } from "./src/shared/condition.ts";
export { Event } from "./src/shared/event.ts";
export type { Guard } from "./src/shared/guard.ts";
export { Lock } from "./src/shared/lock.ts";
export { RLock } from "./src/shared/rlock.ts";
export { Semaphore, type SemaphoreOptions } from "./src/shared/semaphore.ts";
export type { Shareable, SharedState } from "./src/shared/shareable.ts";
export {
  SharedQueue,
  type SharedQueueOptions,
} from "./src/shared/shared_queue.ts";
export {
  type NumberOf,
  SharedValue,
  type SharedValueKind,
} from "./src/shared/value.ts";
export type { AsyncWaitOptions, SyncWaitOptions } from "./src/shared/waiter.ts";
export { sharedMemory, type SharedMemorySupport } from "./src/shared/memory.ts";
export { transfer } from "./src/transfer.ts";
export type {
  Input,
  LeadingParameters,
  OnError,
  Settled,
  StartMethod,
  TaskArguments,
  TaskFunction,
  TypedArray,
  WorkerFunction,
  WorkerState,
} from "./src/types.ts";
