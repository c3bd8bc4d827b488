import { AdaptiveSizer } from "./chunking.ts";
import type { ApplyCall } from "./apply_call.ts";
import type { Crew } from "./crew.ts";
import type { Caller } from "./functions/caller.ts";
import { Queue } from "./queue.ts";
import type { Chunk, TaskSource } from "./task_source.ts";
import { holdsMarked } from "./wire/transfer.ts";

/**
 * The calls of `apply()` that wait or run: together they are one source, so
 * that a hundred thousand of them cost the scheduler no more than one.
 */
export class ApplyLane implements TaskSource {
  readonly isOrdered = false;
  readonly isPaused = false;
  /** The workers that run its tasks. */
  readonly crew: Crew;
  readonly #nJobs: number;
  /** Whether what transfer() has marked is moved to workers. */
  readonly #moves: boolean;
  readonly #queue = new Queue<ApplyCall>();
  readonly #returned: Chunk[] = [];
  /** Tasks that have not been settled, in any order. */
  readonly #unsettled: ApplyCall[] = [];
  readonly #sizer = new AdaptiveSizer();

  constructor(nJobs: number, crew: Crew, moves: boolean) {
    this.#nJobs = nJobs;
    this.#moves = moves;
    this.crew = crew;
  }

  /** Adds a task. */
  add(task: ApplyCall): void {
    this.#queue.push(task);
    task.place = this.#unsettled.push(task) - 1;
    if (task.place === 0) this.crew.add(this);
    else this.crew.offer();
  }

  /** A task has been settled, by the lane or someone else. */
  drop(task: ApplyCall): void {
    // A set would cost more than the rest of the bookkeeping.
    const last = this.#unsettled.pop()!;
    if (last !== task) {
      this.#unsettled[task.place] = last;
      last.place = task.place;
    }
    if (this.#unsettled.length > 0) return;
    // What is settled and still waits would lead to all that its callers see.
    this.#queue.clear();
    this.#returned.length = 0;
    this.crew.rest(this);
  }

  hasChunk(): boolean {
    this.#skipSettled();
    return this.#returned.length > 0 || this.#queue.length > 0;
  }

  nextChunk(): Chunk | undefined {
    const returned = this.#returned.shift();
    if (returned) return returned;
    this.#skipSettled();
    const first = this.#queue.shift();
    if (!first) return undefined;
    const tasks = [first];
    // What is moved cannot be sent again: it must not share another's fate.
    if (this.#isMoved(first)) return this.#chunk(tasks);
    // Quick tasks travel together while plenty wait for all workers.
    const share = Math.ceil(this.#queue.length / (this.#nJobs * 4));
    const size = Math.min(this.#sizer.size, share);
    while (tasks.length < size) {
      const next = this.#queue.peek();
      if (!next || !isAlike(next, first) || this.#isMoved(next)) break;
      this.#queue.shift();
      if (!next.isSettled) tasks.push(next);
    }
    return this.#chunk(tasks);
  }

  putBack(chunk: Chunk): void {
    const wanted = tasksOf(chunk).filter((task) => !task.isSettled);
    if (wanted.length > 0) this.#returned.push(this.#chunk(wanted));
  }

  addResults(
    chunk: Chunk,
    offset: number,
    results: ArrayLike<unknown>,
    failures: Map<number, unknown> | undefined,
  ): void {
    const tasks = tasksOf(chunk);
    for (let i = 0; i < results.length; i++) {
      const index = offset + i;
      const task = tasks[index]!;
      if (failures?.has(index)) task.reject(failures.get(index));
      else task.resolve(results[i]);
    }
  }

  failTask(chunk: Chunk, index: number, error: unknown): void {
    tasksOf(chunk)[index]!.reject(error);
  }

  failChunk(chunk: Chunk, error: unknown): void {
    for (const task of tasksOf(chunk)) task.reject(error);
  }

  endChunk(chunk: Chunk, cost: number): void {
    if (cost > 0) this.#sizer.ran(chunk.elements.length, cost);
  }

  fail(error: unknown): void {
    for (const task of [...this.#unsettled]) task.reject(error);
    this.crew.dropUnwanted();
  }

  wants(chunk: Chunk): boolean {
    return tasksOf(chunk).some((task) => !task.isSettled);
  }

  callerOf(chunk: Chunk, index: number): Caller {
    return tasksOf(chunk)[index]!.caller;
  }

  #chunk(tasks: ApplyCall[]): Chunk {
    const { handle, mode, limits } = tasks[0]!;
    return {
      source: this,
      handle,
      mode,
      limits,
      elements: tasks.map((task) => task.element),
      entries: tasks,
      first: 0,
      workerId: undefined,
      moves: tasks.length === 1 && this.#isMoved(tasks[0]!),
      reported: undefined,
      sendTime: 0,
    };
  }

  #isMoved(task: ApplyCall): boolean {
    return this.#moves && holdsMarked(task.element);
  }

  #skipSettled(): void {
    while (this.#queue.peek()?.isSettled) this.#queue.shift();
  }
}

function tasksOf(chunk: Chunk): readonly ApplyCall[] {
  return chunk.entries as readonly ApplyCall[];
}

/** Whether two tasks can travel in one chunk. */
function isAlike(a: ApplyCall, b: ApplyCall): boolean {
  return a.handle === b.handle &&
    a.limits.taskTimeout === b.limits.taskTimeout &&
    a.limits.workerInitTimeout === b.limits.workerInitTimeout &&
    a.limits.workerLifespan === b.limits.workerLifespan;
}
