import { AdaptiveSizer } from "./chunking.ts";
import type { ApplyBurst, CallRun } from "./apply_burst.ts";
import type { Crew } from "./crew.ts";
import type { Caller } from "./functions/caller.ts";
import { Gathering } from "./gathering.ts";
import { Queue } from "./queue.ts";
import type { Chunk, TaskSource } from "./task_source.ts";
import { giveNumbers } from "./wire/number_buffers.ts";
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
  readonly #queue = new Queue<ApplyBurst>();
  /** The number of calls that wait, about. */
  #waiting = 0;
  readonly #returned = new Queue<Chunk>();
  /** Bursts with calls that have not been settled, in any order. */
  readonly #unsettled: ApplyBurst[] = [];
  readonly #sizer = new AdaptiveSizer();
  readonly #gathering: Gathering;
  readonly #isMoved = (element: unknown) => this.#moves && holdsMarked(element);

  constructor(nJobs: number, crew: Crew, moves: boolean) {
    this.#nJobs = nJobs;
    this.#moves = moves;
    this.crew = crew;
    this.#gathering = new Gathering(nJobs, this.#sizer, () => crew.feed());
  }

  /** Adds calls. */
  add(burst: ApplyBurst): void {
    this.#queue.push(burst);
    this.#waiting += burst.length;
    burst.place = this.#unsettled.push(burst) - 1;
    if (burst.place === 0) this.crew.add(this);
    else this.crew.offer();
  }

  /** A burst that waits has one more call. */
  noteAdded(): void {
    this.#waiting++;
  }

  /** All calls have been settled, by the lane or someone else. */
  drop(burst: ApplyBurst): void {
    // A set would cost more than the rest of the bookkeeping.
    const last = this.#unsettled.pop()!;
    if (last !== burst) {
      this.#unsettled[burst.place] = last;
      last.place = burst.place;
    }
    if (this.#unsettled.length > 0) return;
    // What is settled and still waits would lead to all that its callers see.
    this.#queue.clear();
    this.#returned.clear();
    this.#waiting = 0;
    this.#gathering.clear();
    this.crew.rest(this);
  }

  hasChunk(): boolean {
    if (this.#returned.length > 0) return true;
    const burst = this.#head();
    return burst !== undefined && !this.#holds(burst);
  }

  nextChunk(): Chunk | undefined {
    const returned = this.#returned.shift();
    if (returned) return returned;
    let burst = this.#head();
    if (!burst || this.#holds(burst)) return undefined;
    // Quick tasks travel together while plenty wait for all workers.
    const share = Math.ceil(this.#waiting / (this.#nJobs * 4));
    const size = Math.min(
      this.#sizer.size,
      this.#gathering.limit(this.#waiting),
      Math.max(this.#sizer.least, share),
    );
    // What is moved cannot be sent again: it must not share another's fate.
    const moves = this.#isMoved(burst.nextElement);
    const elements = [burst.nextElement];
    const runs = [burst.take(elements, moves ? 1 : size, this.#isMoved)];
    const { burst: first } = runs[0]!;
    while (!moves && elements.length < size) {
      burst = this.#head();
      if (!burst || !isAlike(burst, first)) break;
      if (this.#isMoved(burst.nextElement)) break;
      const room = size - elements.length;
      elements.push(burst.nextElement);
      runs.push(burst.take(elements, room, this.#isMoved));
    }
    this.#waiting -= elements.length;
    const chunk = this.#chunk(elements, runs, moves);
    this.#gathering.noteSent(chunk);
    return chunk;
  }

  putBack(chunk: Chunk): void {
    const elements: unknown[] = [];
    const runs: CallRun[] = [];
    eachRun(chunk, 0, chunk.elements.length, (burst, first, start, count) => {
      for (let i = 0; i < count; i++) {
        if (burst.isSettled(first + i)) continue;
        elements.push(chunk.elements[start + i]);
        const at = runs.length;
        runs.push({ burst, first: first + i, start: at, length: 1 });
      }
    });
    if (runs.length === 0) return;
    this.#returned.push(this.#chunk(elements, runs, chunk.moves));
  }

  addResults(
    chunk: Chunk,
    offset: number,
    results: ArrayLike<unknown>,
    failures: Map<number, unknown> | undefined,
  ): void {
    const runs = chunk.entries as CallRun[];
    if (runs.length === 1 && !failures) {
      // Mostly, and a single call takes less without what others need.
      const first = runs[0]!.first + chunk.first + offset;
      runs[0]!.burst.resolveAll(first, results.length, results, 0);
    } else this.#settleAll(chunk, offset, results, failures);
    if (results instanceof Float64Array) giveNumbers(results);
  }

  failTask(chunk: Chunk, index: number, error: unknown): void {
    const call = callAt(chunk, index);
    call.burst.reject(call.index, error);
  }

  failChunk(chunk: Chunk, error: unknown): void {
    eachRun(chunk, 0, chunk.elements.length, (burst, first, _, count) => {
      for (let i = 0; i < count; i++) burst.reject(first + i, error);
    });
  }

  endChunk(chunk: Chunk, cost: number): void {
    if (cost > 0) this.#sizer.ran(chunk.elements.length, cost);
    this.#gathering.noteEnded(chunk, this.#waiting);
  }

  fail(error: unknown): void {
    for (const burst of [...this.#unsettled]) burst.fail(error);
    this.crew.dropUnwanted();
  }

  wants(chunk: Chunk): boolean {
    // Mostly the last of them is settled last. None is looked at twice.
    let wanted = Math.min(chunk.wanted ?? Infinity, chunk.elements.length);
    for (; wanted > 0; wanted--) {
      const { burst, index } = callAt(chunk, wanted - 1);
      if (!burst.isSettled(index)) break;
    }
    chunk.wanted = wanted;
    return wanted > 0;
  }

  callerOf(chunk: Chunk, index: number): Caller {
    return callAt(chunk, index).burst.caller;
  }

  #settleAll(
    chunk: Chunk,
    offset: number,
    results: ArrayLike<unknown>,
    failures: Map<number, unknown> | undefined,
  ): void {
    eachRun(chunk, offset, results.length, (burst, first, start, count) => {
      if (!failures) return burst.resolveAll(first, count, results, start);
      for (let i = start; i < start + count; i++) {
        const index = first + i - start;
        if (failures.has(offset + i)) {
          burst.reject(index, failures.get(offset + i));
        } else burst.resolve(index, results[i]);
      }
    });
  }

  #chunk(
    elements: unknown[],
    runs: CallRun[],
    moves: boolean,
  ): Chunk {
    const { handle, mode, limits } = runs[0]!.burst;
    return {
      source: this,
      handle,
      mode,
      limits,
      elements,
      entries: runs,
      first: 0,
      workerId: undefined,
      moves,
      reported: undefined,
      wanted: undefined,
      sequence: 0,
      sendTime: 0,
    };
  }

  #holds(burst: ApplyBurst): boolean {
    return this.#gathering.holds(burst.handle, this.#waiting);
  }

  /** The first burst with calls that wait. */
  #head(): ApplyBurst | undefined {
    let burst = this.#queue.peek();
    while (burst) {
      this.#waiting -= burst.advance();
      if (burst.hasWaiting) return burst;
      this.#queue.shift();
      burst = this.#queue.peek();
    }
    return undefined;
  }
}

/** The call whose task is at the index in a chunk, and its index in its burst. */
function callAt(
  chunk: Chunk,
  index: number,
): { burst: ApplyBurst; index: number } {
  const runs = chunk.entries as CallRun[];
  const at = chunk.first + index;
  let low = 0;
  for (let high = runs.length; high - low > 1;) {
    const middle = (low + high) >> 1;
    if (runs[middle]!.start <= at) low = middle;
    else high = middle;
  }
  const { burst, first, start } = runs[low]!;
  return { burst, index: first + at - start };
}

/**
 * Visits the calls of `count` tasks of a chunk, from `offset` on, run by run:
 * the index of its first call in its burst, that of its first task among these
 * tasks, and its length.
 */
function eachRun(
  chunk: Chunk,
  offset: number,
  count: number,
  visit: (
    burst: ApplyBurst,
    first: number,
    start: number,
    count: number,
  ) => void,
): void {
  let before = chunk.first + offset;
  let start = 0;
  for (const { burst, first, length } of chunk.entries as CallRun[]) {
    if (start === count) return;
    if (before >= length) {
      before -= length;
      continue;
    }
    const part = Math.min(length - before, count - start);
    visit(burst, first + before, start, part);
    start += part;
    before = 0;
  }
}

/** Whether calls of the two can travel in one chunk. */
function isAlike(a: ApplyBurst, b: ApplyBurst): boolean {
  if (a === b) return true;
  return a.handle === b.handle &&
    a.limits.taskTimeout === b.limits.taskTimeout &&
    a.limits.workerInitTimeout === b.limits.workerInitTimeout &&
    a.limits.workerLifespan === b.limits.workerLifespan;
}
