import { AdaptiveSizer } from "./chunking.ts";
import type { ApplyBurst, PlaceInBurst } from "./apply_burst.ts";
import type { Crew } from "./crew.ts";
import type { Caller } from "./functions/caller.ts";
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
  readonly #returned: Chunk[] = [];
  /** Bursts with calls that have not been settled, in any order. */
  readonly #unsettled: ApplyBurst[] = [];
  readonly #sizer = new AdaptiveSizer();

  constructor(nJobs: number, crew: Crew, moves: boolean) {
    this.#nJobs = nJobs;
    this.#moves = moves;
    this.crew = crew;
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
    this.#waiting = 0;
    this.#returned.length = 0;
    this.crew.rest(this);
  }

  hasChunk(): boolean {
    return this.#returned.length > 0 || this.#head() !== undefined;
  }

  nextChunk(): Chunk | undefined {
    const returned = this.#returned.shift();
    if (returned) return returned;
    let burst = this.#head();
    if (!burst) return undefined;
    // Quick tasks travel together while plenty wait for all workers.
    const share = Math.ceil(this.#waiting / (this.#nJobs * 4));
    const size = Math.min(
      this.#sizer.size,
      Math.max(this.#sizer.least, share),
    );
    const first = burst;
    const elements = [burst.nextElement];
    const places = [burst.take()];
    // What is moved cannot be sent again: it must not share another's fate.
    const moves = this.#isMoved(elements[0]);
    while (!moves && places.length < size) {
      burst = this.#head();
      if (!burst || !isAlike(burst, first)) break;
      const element = burst.nextElement;
      if (this.#isMoved(element)) break;
      elements.push(element);
      places.push(burst.take());
    }
    this.#waiting -= places.length;
    return this.#chunk(elements, places, moves);
  }

  putBack(chunk: Chunk): void {
    const elements: unknown[] = [];
    const places: PlaceInBurst[] = [];
    for (const [i, place] of placesOf(chunk).entries()) {
      if (isSettled(place)) continue;
      elements.push(chunk.elements[i]);
      places.push(place);
    }
    if (places.length === 0) return;
    this.#returned.push(this.#chunk(elements, places, chunk.moves));
  }

  addResults(
    chunk: Chunk,
    offset: number,
    results: ArrayLike<unknown>,
    failures: Map<number, unknown> | undefined,
  ): void {
    const places = placesOf(chunk);
    for (let i = 0; i < results.length; i++) {
      const { burst, index } = places[offset + i]!;
      if (failures?.has(offset + i)) {
        burst.reject(index, failures.get(offset + i));
      } else burst.resolve(index, results[i]);
    }
    if (results instanceof Float64Array) giveNumbers(results);
  }

  failTask(chunk: Chunk, index: number, error: unknown): void {
    const place = placesOf(chunk)[index]!;
    place.burst.reject(place.index, error);
  }

  failChunk(chunk: Chunk, error: unknown): void {
    for (const { burst, index } of placesOf(chunk)) burst.reject(index, error);
  }

  endChunk(chunk: Chunk, cost: number): void {
    if (cost > 0) this.#sizer.ran(chunk.elements.length, cost);
  }

  fail(error: unknown): void {
    for (const burst of [...this.#unsettled]) burst.fail(error);
    this.crew.dropUnwanted();
  }

  wants(chunk: Chunk): boolean {
    return !placesOf(chunk).every(isSettled);
  }

  callerOf(chunk: Chunk, index: number): Caller {
    return placesOf(chunk)[index]!.burst.caller;
  }

  #chunk(
    elements: unknown[],
    places: PlaceInBurst[],
    moves = false,
  ): Chunk {
    const { handle, mode, limits } = places[0]!.burst;
    return {
      source: this,
      handle,
      mode,
      limits,
      elements,
      entries: places,
      first: 0,
      workerId: undefined,
      moves,
      reported: undefined,
      sendTime: 0,
    };
  }

  #isMoved(element: unknown): boolean {
    return this.#moves && holdsMarked(element);
  }

  /** The first burst with calls that wait. */
  #head(): ApplyBurst | undefined {
    let burst = this.#queue.peek();
    while (burst && !burst.advance()) {
      this.#queue.shift();
      burst = this.#queue.peek();
    }
    return burst;
  }
}

function placesOf(chunk: Chunk): readonly PlaceInBurst[] {
  return chunk.entries as readonly PlaceInBurst[];
}

function isSettled({ burst, index }: PlaceInBurst): boolean {
  return burst.isSettled(index);
}

/** Whether calls of the two can travel in one chunk. */
function isAlike(a: ApplyBurst, b: ApplyBurst): boolean {
  if (a === b) return true;
  return a.handle === b.handle &&
    a.limits.taskTimeout === b.limits.taskTimeout &&
    a.limits.workerInitTimeout === b.limits.workerInitTimeout &&
    a.limits.workerLifespan === b.limits.workerLifespan;
}
