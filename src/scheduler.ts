import { BackgroundTimer } from "./background_timer.ts";
import { Line } from "./line.ts";
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
  readonly #sources = new Line<TaskSource>();
  /** Workers that take a chunk, the one that got one last at the end. */
  readonly #takers = new Line<PoolWorker>();
  /** The worker that got a chunk last. */
  #lastFed: PoolWorker | undefined;
  /** Workers of whose load others could take some. */
  readonly #loaded = new Line<PoolWorker>();
  /** Workers that are about to begin what others could take some of. */
  readonly #beginning = new Line<PoolWorker>();
  readonly #lookTimer: BackgroundTimer;

  /** `onLook` hears when there may be something to move. */
  constructor(onLook: () => void) {
    this.#lookTimer = new BackgroundTimer(() => {
      for (const worker of this.#beginning.clear()) this.update(worker);
      onLook();
    });
  }

  /** Whether there are sources. */
  get hasSources(): boolean {
    return this.#sources.length > 0;
  }

  /** Whether there are workers that take a chunk. */
  get hasTakers(): boolean {
    return this.#takers.length > 0;
  }

  /** Whether nothing runs and nothing can, unless results are taken. */
  get isQuiet(): boolean {
    return this.#sources.items.every((source) => source.isPaused);
  }

  /** Adds a source. */
  add(source: TaskSource): void {
    this.#sources.add(source);
  }

  /** Removes a source, if it is there. */
  remove(source: TaskSource): void {
    this.#sources.remove(source);
  }

  /** Fails all sources. While one fails, no worker gets the next one's tasks. */
  clear(error: unknown): void {
    for (const source of this.#sources.clear()) source.fail(error);
  }

  /** Takes note of how much the worker holds. */
  update(worker: PoolWorker): void {
    this.#takers.toggle(worker, worker.load === 0 || worker.hasCredit);
    this.#loaded.toggle(worker, worker.hasSpare);
  }

  /** The worker takes no chunks any more. */
  forget(worker: PoolWorker): void {
    this.#takers.remove(worker);
    this.#loaded.remove(worker);
    this.#beginning.remove(worker);
    if (this.#lastFed === worker) this.#lastFed = undefined;
  }

  /** Whether a chunk could be handed out at once. */
  hasChunk(): boolean {
    return this.#sources.items.some((source) => source.hasChunk());
  }

  /** Hands out chunks to workers that have none. */
  feedIdle(): void {
    // Calls one after the other: its thread is still awake, its code is hot.
    const last = this.#lastFed;
    if (last?.load === 0) {
      const chunk = this.#next(last.id);
      if (chunk) this.#send(last, chunk);
    }
    this.#feedAll(false);
  }

  /** Hands out chunks to workers ahead of need, or has them share some. */
  feedAhead(): void {
    this.#feedAll(true);
    this.#rebalance();
  }

  /** Feeds those that hold no chunk, or all others. */
  #feedAll(isAhead: boolean): void {
    let at = 0;
    while (at < this.#takers.length) {
      const worker = this.#takers.items[at]!;
      const isIdle = worker.load === 0;
      if (isIdle === isAhead) {
        at++;
        continue;
      }
      const chunk = this.#next(worker.id);
      if (chunk && isAhead && chunk.moves) {
        // It could not be taken back, should the worker turn out slow.
        return chunk.source.putBack(chunk);
      } else if (chunk) {
        // It leaves the line, or goes to its end.
        this.#send(worker, chunk);
      } else if (this.#hasOrdered()) {
        at++;
      } else {
        // What one worker cannot get, no other can.
        return;
      }
    }
  }

  #hasOrdered(): boolean {
    for (const source of this.#sources.items) {
      if (source.isOrdered) return true;
    }
    return false;
  }

  #next(workerId: number): Chunk | undefined {
    // One that ends as it is asked has all be asked once more.
    for (const source of this.#sources.items) {
      const chunk = source.nextChunk(workerId);
      if (!chunk) continue;
      // To the end of the line.
      if (this.#sources.length > 1 && this.#sources.remove(source)) {
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
    this.#takers.moveToEnd(worker);
    this.#lastFed = worker;
    worker.send(chunk);
    // It may have put it back, as it has been told to end meanwhile.
    if (!worker.isLeaving) this.update(worker);
  }

  /** Moves chunks that wait behind a running one to workers without any. */
  #rebalance(): void {
    while (this.#loaded.length > 0) {
      const idle = this.#takers.items.find(({ load }) => load === 0);
      const chunk = idle && this.#takeBack(idle);
      if (!chunk) return;
      this.#send(idle, chunk);
    }
  }

  #takeBack(taker: PoolWorker): Chunk | undefined {
    while (this.#loaded.length > 0) {
      const [worker] = this.#loaded.items;
      const chunk = worker!.takeBack(taker);
      this.update(worker!);
      if (chunk) return chunk;
      // It says so when a chunk or, of those that can be parted, a task ends.
      this.#loaded.remove(worker!);
      if (worker!.isAboutToBegin) this.#lookAgainAt(worker!);
    }
    return undefined;
  }
}
