import { BackgroundTimer } from "./background_timer.ts";
import type { PoolWorker } from "./pool_worker.ts";
import type { Chunk, TaskSource } from "./task_source.ts";

/** When a worker that was about to begin has begun, in ms. */
const LOOK_AGAIN = 2;

/**
 * Decides which worker gets which chunk, and when. Workers pull: one that
 * has nothing comes first, then each gets a second chunk so that it need not
 * wait. Sources take turns. When nothing new is left, a worker without work
 * gets the chunk that waits behind another's, or a part of a running one.
 */
export class Scheduler {
  readonly #sources = new Set<TaskSource>();
  /** Workers that hold no chunk. */
  readonly #idle = new Set<PoolWorker>();
  /** Workers that hold some and take more. */
  readonly #willing = new Set<PoolWorker>();
  /** The worker that got a chunk last. */
  #lastFed: PoolWorker | undefined;
  /** Workers of whose load others could take some. */
  readonly #loaded = new Set<PoolWorker>();
  /** Workers that are about to begin what others could take some of. */
  readonly #beginning = new Set<PoolWorker>();
  readonly #lookTimer: BackgroundTimer;

  /** `onLook` hears when there may be something to move. */
  constructor(onLook: () => void) {
    this.#lookTimer = new BackgroundTimer(() => {
      const workers = [...this.#beginning];
      this.#beginning.clear();
      for (const worker of workers) this.update(worker);
      onLook();
    });
  }

  /** Whether there are sources. */
  get hasSources(): boolean {
    return this.#sources.size > 0;
  }

  /** Whether there are workers that take a chunk. */
  get hasTakers(): boolean {
    return this.#idle.size > 0 || this.#willing.size > 0;
  }

  /** Whether nothing runs and nothing can, unless results are taken. */
  get isQuiet(): boolean {
    for (const source of this.#sources) if (!source.isPaused) return false;
    return true;
  }

  /** Adds a source. */
  add(source: TaskSource): void {
    this.#sources.add(source);
  }

  /** Removes a source. False if it was gone. */
  remove(source: TaskSource): boolean {
    return this.#sources.delete(source);
  }

  /** Fails all sources. */
  clear(error: unknown): void {
    for (const source of [...this.#sources]) source.fail(error);
  }

  /** Takes note of how much the worker holds. */
  update(worker: PoolWorker): void {
    const { load, hasCredit } = worker;
    toggle(this.#idle, worker, load === 0);
    toggle(this.#willing, worker, load > 0 && hasCredit);
    toggle(this.#loaded, worker, worker.hasSpare);
  }

  /** The worker takes no chunks any more. */
  forget(worker: PoolWorker): void {
    this.#idle.delete(worker);
    this.#willing.delete(worker);
    this.#loaded.delete(worker);
    this.#beginning.delete(worker);
    if (this.#lastFed === worker) this.#lastFed = undefined;
  }

  /** Whether a chunk could be handed out at once. */
  hasChunk(): boolean {
    for (const source of this.#sources) if (source.hasChunk()) return true;
    return false;
  }

  /** Hands out chunks to workers that have none. */
  feedIdle(): void {
    // Calls one after the other: its thread is still awake, its code is hot.
    const last = this.#lastFed;
    if (last && this.#idle.has(last)) this.#feedAll([last]);
    this.#feedAll(this.#idle);
  }

  /** Hands out chunks to workers ahead of need, or has them share some. */
  feedAhead(): void {
    this.#feedAll(this.#willing, true);
    this.#rebalance();
  }

  #feedAll(workers: Iterable<PoolWorker>, isAhead = false): void {
    // A set is read in the order of additions, also while it changes: a
    // worker that takes more than one chunk comes again after the others.
    for (const worker of workers) {
      const chunk = this.#next(worker.id);
      if (chunk && isAhead && chunk.moves) {
        // It could not be taken back, should the worker turn out slow.
        return chunk.source.putBack(chunk);
      } else if (chunk) {
        this.#send(worker, chunk);
      } else if (!this.#hasOrdered()) {
        // What one worker cannot get, no other can.
        return;
      }
    }
  }

  #hasOrdered(): boolean {
    for (const source of this.#sources) if (source.isOrdered) return true;
    return false;
  }

  #next(workerId: number): Chunk | undefined {
    for (const source of this.#sources) {
      const chunk = source.nextChunk(workerId);
      if (!chunk) continue;
      // To the end of the line.
      if (this.#sources.size > 1 && this.#sources.delete(source)) {
        this.#sources.add(source);
      }
      return chunk;
    }
    return undefined;
  }

  /** What a worker is about to begin can be parted a little later. */
  #lookAgainAt(worker: PoolWorker): void {
    this.#beginning.add(worker);
    this.#lookTimer.start(LOOK_AGAIN);
  }

  #send(worker: PoolWorker, chunk: Chunk): void {
    // To the end of the line, should it take more.
    this.#willing.delete(worker);
    this.#lastFed = worker;
    worker.send(chunk);
    this.update(worker);
  }

  /** Moves chunks that wait behind a running one to workers without any. */
  #rebalance(): void {
    for (const worker of this.#idle) {
      const chunk = this.#takeBack(worker);
      if (!chunk) return;
      this.#send(worker, chunk);
    }
  }

  #takeBack(taker: PoolWorker): Chunk | undefined {
    for (const worker of this.#loaded) {
      const chunk = worker.takeBack(taker);
      this.update(worker);
      if (chunk) return chunk;
      // It says so when a chunk or, of those that can be parted, a task ends.
      this.#loaded.delete(worker);
      if (worker.isAboutToBegin) this.#lookAgainAt(worker);
    }
    return undefined;
  }
}

function toggle(
  set: Set<PoolWorker>,
  worker: PoolWorker,
  belongs: boolean,
): void {
  if (belongs) set.add(worker);
  else set.delete(worker);
}
