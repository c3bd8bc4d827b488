import { clock } from "./runtime/detect.ts";
import { PoolTerminatedError } from "./errors.ts";
import { HeldChunks } from "./held_chunks.ts";
import type { Counters } from "./insights/counters.ts";
import type { LongTask } from "./insights/worker_meter.ts";
import { Pace } from "./pace.ts";
import { type Resolvers, withResolvers } from "./promises.ts";
import type { WorkerEnd } from "./runtime/contract.ts";
import type { Starter, StartSetup } from "./start/contract.ts";
import { deathError } from "./task_errors.ts";
import type { Chunk } from "./task_source.ts";
import { timeoutError } from "./timeouts.ts";
import {
  AT,
  COUNTED,
  EXITING,
  FAILED,
  type FromWorker,
  PHASE,
  READY,
  RESULTS,
  STOPPED,
  STRAY,
  UNRUNNABLE,
  UNSTARTABLE,
} from "./wire/messages.ts";
import { countersOf, setPhase } from "./wire/control.ts";
import { WorkerLink } from "./worker_link.ts";
import { callSoon, clearTimeout, setTimeout, type Timer } from "./timers.ts";

/** How long a worker may take to end after its last message, in ms. */
const GRACE = 250;

/** How long a worker without tasks keeps the program alive, in ms. */
const RELEASE_DELAY = 4;

/** What a worker's crew hears from it. */
export interface WorkerOwner {
  /** The worker has started, which took so many ms. */
  onReady(worker: PoolWorker, elapsed: number): void;
  /** The worker has told of long tasks. */
  onLongTasks(tasks: readonly LongTask[]): void;
  /** The worker can take more, or less, than before. */
  onCredit(worker: PoolWorker): void;
  /** The worker has been given as many tasks as it may run. */
  onWorn(worker: PoolWorker): void;
  /** The worker has run as many tasks as it may, and holds none. */
  onWornOut(worker: PoolWorker): void;
  /** The worker has ended in one way or another. */
  onEnded(worker: PoolWorker): void;
  /** The worker was stopped by itself, as it took too long or failed. */
  onStopped(worker: PoolWorker): void;
  /** The worker is gone, though nobody told it to go. */
  onDeath(worker: PoolWorker, error: Error, during: DeathStage): void;
}

/**
 * What a worker was at when it died. Who kills one that starts does not say
 * that it could not have started: that counts as idleness.
 */
export type DeathStage = "start" | "task" | "idleness";

const nextMicrotask = Promise.resolve();

/** Whether the user has been told of a busy thread. */
let hasWarned = false;

type StoppedMessage = Extract<FromWorker, [typeof STOPPED, ...unknown[]]>;

/** One worker, as its pool sees it: its life from start to end. */
export class PoolWorker {
  readonly id: number;
  /** What it counts, if anybody wants to know. */
  readonly counters: Counters;
  readonly #owner: WorkerOwner;
  readonly #link: WorkerLink;
  readonly #held: HeldChunks;
  readonly #hasExit: boolean;
  readonly #stopsBusy: boolean;
  #state: "starting" | "ready" | "stopping" | "ended" = "starting";
  readonly #startedAt = clock.now();
  readonly #pace = new Pace();
  /** Looks for a moment for the end of the chunk. */
  readonly #look = () => this.#pace.noteLook(this.#link.look());
  readonly #ready = withResolvers<void>();
  #stopped: Resolvers<unknown[]> | undefined;
  #exitTimeout: number | undefined;
  #isKeptAlive = true;
  #releaseTimer: Timer;

  /** Starts a worker. */
  constructor(
    setup: StartSetup,
    starter: Starter,
    owner: WorkerOwner,
  ) {
    this.id = setup.workerId;
    this.#owner = owner;
    this.#stopsBusy = starter.stopsBusyWorkers;
    this.#hasExit = setup.workerExit !== undefined;
    this.#ready.promise.catch(() => {});
    this.#link = new WorkerLink(setup, starter, {
      onMessage: (message) => this.#hear(message),
      onEnd: (end) => this.#end(end),
    });
    this.counters = countersOf(this.#link.control);
    this.#held = new HeldChunks(this.id, this.#link, !starter.inThread, {
      onLess: () => this.#onLess(),
      onProgress: () => this.#owner.onCredit(this),
      onGiveUp: (errorOf, failsChunks) => this.#giveUp(errorOf, failsChunks),
    });
  }

  /**
   * Resolves when the worker can run tasks, or has stopped in an orderly way;
   * rejects when it never will.
   */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** The number of chunks that the worker holds. */
  get load(): number {
    return this.#held.size;
  }

  /** Since when it holds no chunk, about, by the clock. */
  get idleSince(): number {
    return this.#pace.idleSince;
  }

  /** Whether the worker takes one more chunk. */
  get hasCredit(): boolean {
    return this.#held.hasRoom;
  }

  /** Whether another worker could take over some of what it holds. */
  get hasSpare(): boolean {
    return this.#held.hasSpare;
  }

  /** Sends a chunk. What cannot be sent fails by itself. */
  send(chunk: Chunk): void {
    // To read input, or a getter of an argument, may run what ends workers.
    if (this.isLeaving) return chunk.source.putBack(chunk);
    const wasIdle = this.#held.size === 0;
    const isHot = wasIdle && this.isReady && this.#pace.isHot(chunk);
    this.#link.setHot(isHot);
    this.#held.send(chunk);
    if (!isHot || !this.#link.isExpecting) this.#pace.noteMessage();
    if (wasIdle && this.#held.size > 0) this.#begin();
    if (this.#held.isWorn) this.#owner.onWorn(this);
  }

  /** Whether the worker can run tasks at once. */
  get isReady(): boolean {
    return this.#state === "ready";
  }

  /** Whether it takes nothing any more. */
  get isLeaving(): boolean {
    return this.#state === "stopping" || this.#state === "ended";
  }

  /** Whether it holds one chunk and has not begun it. */
  get isAboutToBegin(): boolean {
    return this.#held.isAboutToBegin;
  }

  /** Takes back for `taker` the last chunk that the worker has not begun. */
  takeBack(taker: PoolWorker): Chunk | undefined {
    return this.#held.takeBack(this.isReady || !taker.isReady);
  }

  /** Drops what it holds and is wanted no more, as far as not begun. */
  skipUnwanted(): void {
    this.#held.skipUnwanted();
  }

  /** The worker may forget a function. */
  forget(functionId: number): void {
    if (this.#state !== "ended") this.#link.forget(functionId);
  }

  /**
   * Stops the worker in an orderly way, after the task that it runs. Resolves
   * to what its exit function returned, in an array as there may be nothing.
   */
  async stop(exitTimeout: number | undefined): Promise<unknown[]> {
    if (this.#state === "ended") return [];
    this.#state = "stopping";
    this.#exitTimeout = exitTimeout;
    this.#stopped = withResolvers();
    this.#keepAlive(true);
    if (this.#held.size === 0) this.#tellToStop();
    return await this.#stopped.promise;
  }

  /** Stops the worker at once. */
  async terminate(): Promise<void> {
    if (this.#state === "ended") return;
    this.#leave(new PoolTerminatedError("The pool was terminated"));
    this.#stopped?.resolve([]);
    await this.#link.terminate();
  }

  #tellToStop(): void {
    this.#link.stop();
    const timeout = this.#exitTimeout;
    if (timeout === undefined) return;
    this.#held.watchExit(timeout, () => {
      const error = timeoutError("workerExit", timeout, this.id);
      this.#leave();
      this.#link.terminate().finally(() => this.#stopped!.reject(error));
    });
  }

  /** Nothing that comes from the worker counts any more. */
  #leave(error?: Error): void {
    this.#state = "ended";
    // One that has been told to stop need not have started.
    if (error) this.#ready.reject(error);
    else this.#ready.resolve();
    clearTimeout(this.#releaseTimer);
    this.#held.leave();
    this.#pace.setBusy(false);
    this.#owner.onEnded(this);
  }

  /** The worker holds one chunk less. */
  #onLess(): void {
    if (this.#held.size === 0) {
      this.#pace.setBusy(false);
      if (this.#state === "stopping") return this.#tellToStop();
      this.#releaseSoon();
      if (this.#held.isWorn) return this.#owner.onWornOut(this);
    }
    if (this.#state !== "stopping") this.#owner.onCredit(this);
  }

  /** The worker has something to do. */
  #begin(): void {
    this.#keepAlive(true);
    this.#pace.setBusy(true);
    // Those who call in the same tick come first.
    if (!this.#link.isExpecting) return;
    if (this.#pace.isTurnDue()) callSoon(this.#look);
    // On Node, `queueMicrotask()` takes twice the time.
    else nextMicrotask.then(this.#look);
  }

  #keepAlive(on: boolean): void {
    if (on === this.#isKeptAlive) return;
    this.#isKeptAlive = on;
    this.#link.keepAlive(on);
  }

  /** Lets the program end, unless the next task follows at once. */
  #releaseSoon(): void {
    this.#releaseTimer ??= setTimeout(() => {
      this.#releaseTimer = undefined;
      if (this.#held.size > 0 || this.#state !== "ready") return;
      if (clock.now() - this.idleSince < RELEASE_DELAY / 2) {
        this.#releaseSoon();
      } else this.#keepAlive(false);
    }, RELEASE_DELAY);
  }

  #hear(message: FromWorker): void {
    if (this.#state === "ended") return;
    try {
      this.#receive(message);
    } catch (error) {
      // Nobody has foreseen it: better a call that fails than one that waits.
      this.#link.terminate();
      this.#end({ error });
    }
  }

  #receive(message: FromWorker): void {
    switch (message[0]) {
      case READY:
        return this.#start();
      case AT:
        return this.#held.noteBegun(message[1], message[2]);
      case PHASE:
        return setPhase(this.#link.control, message[1]);
      case COUNTED:
        return this.counters.set(message[1]);
      case RESULTS:
        if (message[5]) {
          const [elapsed, longest] = message[5];
          this.#note(longest);
          this.#pace.noteEnd(elapsed);
        }
        return this.#held.addResults(message);
      case FAILED:
        this.#note(message[4]);
        return this.#held.failTask(message[1], message[2], message[3]);
      case UNRUNNABLE:
        return this.#held.failChunk(message[1], message[2], message[3]);
      case UNSTARTABLE:
        this.#link.terminate();
        return this.#end({ error: this.#link.codec.unpackError(message[1]) });
      case EXITING:
        this.#link.terminate();
        return this.#end({ exitCode: message[1] });
      case STRAY:
        console.error(
          `Uncaught error in worker ${this.id}:`,
          this.#link.codec.unpackError(message[1]),
        );
        return;
      case STOPPED:
        this.#note(message[2]);
        return this.#finish(message[1]);
    }
  }

  #start(): void {
    if (this.#state === "starting") this.#state = "ready";
    this.#ready.resolve();
    this.#owner.onReady(this, clock.now() - this.#startedAt);
    if (this.#held.size === 0 && this.#state === "ready") {
      this.#keepAlive(false);
    }
  }

  #note(longest: LongTask[] | undefined): void {
    if (longest) this.#owner.onLongTasks(longest);
  }

  /** Stops the worker, which runs what cannot go on. */
  #giveUp(errorOf: () => unknown, failsChunks: boolean): void {
    this.#leave();
    this.#stopped?.resolve([]);
    this.#link.terminate();
    if (!this.#stopsBusy) this.#warnIfBusy();
    this.#owner.onStopped(this);
    this.#held.lose(errorOf, failsChunks);
  }

  /** Nobody should wonder for long why a core stays busy. */
  async #warnIfBusy(): Promise<void> {
    if (hasWarned || await this.#link.isGoneAfter(GRACE) || hasWarned) return;
    hasWarned = true;
    console.warn(
      "polypool: this runtime cannot stop a thread in a synchronous loop; a " +
        "task that timed out may go on until the program ends",
    );
  }

  /** The worker is gone without having been told to go. */
  #end(end: WorkerEnd): void {
    if (this.#state === "ended") return;
    const isStarting = this.#state === "starting";
    const during: DeathStage = isStarting && end.signal === undefined
      ? "start"
      : !isStarting && this.#held.isRunning
      ? "task"
      : "idleness";
    // The runtime's own words for why a worker could not start say most.
    const error = during === "start" && end.error instanceof Error
      ? end.error
      : deathError(this.id, end);
    this.#leave(error);
    // Only an exit function can have been lost.
    if (this.#hasExit) this.#stopped?.reject(error);
    else this.#stopped?.resolve([]);
    this.#owner.onDeath(this, error, during);
    this.#held.lose(() => deathError(this.id, end), false);
  }

  #finish(exit: StoppedMessage[1]): void {
    this.#leave();
    const { resolve, reject } = this.#stopped!;
    const { codec } = this.#link;
    const results: unknown[] = [];
    let settle = () => resolve(results);
    try {
      if (exit && "error" in exit) throw codec.unpackError(exit.error);
      // Memory that the worker has made is gone when it is.
      if (exit) results.push(codec.unpack(exit.result));
    } catch (error) {
      settle = () => reject(error);
    }
    // What the worker printed may still be on its way.
    this.#link.waitForEnd(GRACE).then(settle, settle);
  }
}
