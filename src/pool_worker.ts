import { PoolTerminatedError } from "./errors.ts";
import type { WorkerInsightsDelta } from "./insights/worker_meter.ts";
import { type Resolvers, withResolvers } from "./promises.ts";
import type { WorkerEnd } from "./runtime/contract.ts";
import type { Starter } from "./start/contract.ts";
import { deathError, leadOn } from "./task_errors.ts";
import { LONGEST_TIMER, timeoutError, withoutFrames } from "./timeouts.ts";
import { type Chunk, partOf, restOf } from "./task_source.ts";
import { Watchdog } from "./watchdog.ts";
import {
  hasBegun,
  isInitialising,
  progressOf,
  revoke,
  skipRest,
  SLOTS,
} from "./wire/control.ts";
import type { PackedError } from "./wire/errors.ts";
import { packEach } from "./wire/list.ts";
import {
  EXITING,
  FAILED,
  type FromWorker,
  READY,
  RESULTS,
  STOPPED,
  STRAY,
  UNRUNNABLE,
  UNSTARTABLE,
  type WorkerSetup,
} from "./wire/messages.ts";
import { WorkerLink } from "./worker_link.ts";

/** Chunks that a worker holds: one to run, one so that it never waits. */
const CREDIT = 2;

/** How long a worker may take to end after its last message, in ms. */
const GRACE = 250;

/** By how much a worker's own timers come before the owner's watchdog. */
const SIDE_BY_SIDE_GRACE = 100;

/** The watchdog's key of the init function; chunks have theirs from 1 on. */
const INIT = 0;

/** What a worker's crew hears from it. */
export interface WorkerOwner {
  /** The worker has started, which took so many ms. */
  onReady(worker: PoolWorker, elapsed: number): void;
  /** The worker has told where its time went. */
  onInsights(worker: PoolWorker, insights: WorkerInsightsDelta): void;
  /** The worker can take more, or less, than before. */
  onCredit(worker: PoolWorker): void;
  /** The worker has been given as many tasks as it may run. */
  onWorn(worker: PoolWorker): void;
  /** The worker has run as many tasks as it may, and holds none. */
  onWornOut(worker: PoolWorker): void;
  /** The worker was stopped by itself, as it took too long or failed. */
  onStopped(worker: PoolWorker): void;
  /** The worker is gone, though nobody told it to go. */
  onDeath(worker: PoolWorker, error: Error, wasReady: boolean): void;
}

type ResultsMessage = Extract<FromWorker, [typeof RESULTS, ...unknown[]]>;
type StoppedMessage = Extract<FromWorker, [typeof STOPPED, ...unknown[]]>;

/** One worker, as its pool sees it: what it holds, and what becomes of it. */
export class PoolWorker {
  readonly id: number;
  readonly #owner: WorkerOwner;
  readonly #link: WorkerLink;
  readonly #isInThread: boolean;
  readonly #watchdog: Watchdog;
  /** Chunks that have been sent and not ended, oldest first. */
  readonly #chunks = new Map<number, Chunk>();
  /** Tasks in these chunks. */
  #tasks = 0;
  /** Tasks that it was given since it started and has not given back. */
  #lifetimeTasks = 0;
  #lifespan = Infinity;
  #sequence = 0;
  #state: "starting" | "ready" | "stopping" | "ended" = "starting";
  readonly #ready = withResolvers<void>();
  #stopped: Resolvers<unknown[]> | undefined;
  #exitTimeout: number | undefined;
  readonly #startedAt = performance.now();
  #idleSince = this.#startedAt;
  #exitTimer: ReturnType<typeof setTimeout> | undefined;

  /** Starts a worker. */
  constructor(
    setup: Omit<WorkerSetup, "control">,
    starter: Starter,
    owner: WorkerOwner,
  ) {
    this.id = setup.workerId;
    this.#owner = owner;
    this.#isInThread = starter.inThread;
    this.#ready.promise.catch(() => {});
    this.#link = new WorkerLink(setup, starter, {
      onMessage: (message) => this.#receive(message),
      onEnd: (end) => this.#end(end),
    });
    this.#watchdog = new Watchdog(this.#link.control);
  }

  /** Resolves when the worker can run tasks; rejects when it never will. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** The number of chunks that the worker holds. */
  get load(): number {
    return this.#chunks.size;
  }

  /** Since when it holds no chunk, by `performance.now()`. */
  get idleSince(): number {
    return this.#idleSince;
  }

  /** Whether it has been given as many tasks as it may run. */
  get isWorn(): boolean {
    return this.#lifetimeTasks >= this.#lifespan;
  }

  /** Whether the worker takes one more chunk. */
  get hasCredit(): boolean {
    if (this.isWorn) return false;
    if (this.#chunks.size < CREDIT) return true;
    // Tasks that wait side by side: enough chunks to keep them so.
    const [chunk] = this.#chunks.values();
    const { concurrency } = chunk!.mode;
    return concurrency > 1 && this.#tasks < concurrency * CREDIT &&
      this.#chunks.size < SLOTS;
  }

  /** Sends a chunk. What cannot be sent fails by itself. */
  send(chunk: Chunk): void {
    const sequence = ++this.#sequence;
    try {
      this.#link.sendChunk(sequence, chunk);
    } catch {
      this.#refuse(chunk);
      return;
    }
    this.#chunks.set(sequence, chunk);
    this.#tasks += chunk.elements.length;
    this.#lifetimeTasks += chunk.elements.length;
    this.#lifespan = chunk.limits.workerLifespan ?? Infinity;
    if (this.#chunks.size === 1) this.#link.keepAlive(true);
    this.#watch(sequence, chunk);
    if (this.isWorn) this.#owner.onWorn(this);
  }

  /** Takes back the last chunk that the worker has not begun. */
  takeBack(): Chunk | undefined {
    for (const [sequence, chunk] of [...this.#chunks].reverse()) {
      if (chunk.workerId !== undefined) continue;
      if (!revoke(this.#link.control, sequence)) return undefined;
      this.#giveBack(sequence, chunk.elements.length);
      return chunk;
    }
    return undefined;
  }

  /** Drops what it holds and is wanted no more, as far as not begun. */
  skipUnwanted(): void {
    for (const [sequence, chunk] of [...this.#chunks]) {
      if (chunk.source.wants(chunk)) continue;
      if (revoke(this.#link.control, sequence)) {
        this.#giveBack(sequence, chunk.elements.length);
      } else {
        skipRest(this.#link.control, sequence);
      }
    }
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
    this.#link.keepAlive(true);
    if (this.#chunks.size === 0) this.#tellToStop();
    return await this.#stopped.promise;
  }

  /** Stops the worker at once. */
  async terminate(): Promise<void> {
    if (this.#state === "ended") return;
    this.#leave();
    this.#stopped?.resolve([]);
    this.#ready.reject(new PoolTerminatedError("The pool was terminated"));
    await this.#link.terminate();
  }

  #tellToStop(): void {
    this.#link.stop();
    const timeout = this.#exitTimeout;
    if (timeout === undefined) return;
    this.#exitTimer = setTimeout(() => {
      const error = timeoutError("workerExit", timeout, this.id);
      this.#leave();
      this.#link.terminate().finally(() => this.#stopped!.reject(error));
    }, Math.min(timeout, LONGEST_TIMER));
  }

  /** Nothing that comes from the worker counts any more. */
  #leave(): void {
    this.#state = "ended";
    this.#watchdog.stop();
    clearTimeout(this.#exitTimer);
    // A thread that cannot be stopped shall at least begin nothing more.
    for (const sequence of this.#chunks.keys()) {
      if (!revoke(this.#link.control, sequence)) {
        skipRest(this.#link.control, sequence);
      }
    }
  }

  #watch(sequence: number, chunk: Chunk): void {
    // In the pool's own thread nothing can be watched while it runs.
    if (this.#isInThread) return;
    const { taskTimeout, workerInitTimeout } = chunk.limits;
    if (taskTimeout !== undefined) {
      const grace = chunk.mode.concurrency > 1 ? SIDE_BY_SIDE_GRACE : 0;
      this.#watchdog.watchTasks(
        sequence,
        taskTimeout + grace,
        () => this.#overrun(sequence, chunk, taskTimeout),
      );
    }
    if (workerInitTimeout !== undefined && sequence === 1) {
      this.#watchdog.watchStep(
        INIT,
        workerInitTimeout,
        () => this.#overrunInit(workerInitTimeout),
        () => isInitialising(this.#link.control),
      );
    }
  }

  #giveBack(sequence: number, count: number): void {
    this.#lifetimeTasks -= count;
    this.#remove(sequence);
  }

  #remove(sequence: number): void {
    this.#tasks -= this.#chunks.get(sequence)!.elements.length;
    this.#chunks.delete(sequence);
    this.#watchdog.unwatch(sequence);
    if (this.#chunks.size === 0) {
      this.#idleSince = performance.now();
      if (this.#state === "stopping") return this.#tellToStop();
      if (this.#state === "ready") this.#link.keepAlive(false);
      if (this.isWorn) return this.#owner.onWornOut(this);
    }
    if (this.#state !== "stopping") this.#owner.onCredit(this);
  }

  /** Fails the tasks of the chunk that cannot be sent, and keeps the rest. */
  #refuse(chunk: Chunk): void {
    const packed = packEach(
      chunk.elements,
      (index) =>
        Array.isArray(chunk.elements[index]) ? "the arguments" : "argument 0",
    );
    packed.forEach((result, index) => {
      if ("error" in result) {
        const error = withoutFrames(result.error);
        leadOn(error, this.id, chunk, index);
        chunk.source.failTask(chunk, index, error);
      } else if (chunk.source.wants(chunk)) {
        chunk.source.putBack(partOf(chunk, index, index + 1));
      }
    });
    chunk.source.endChunk(chunk, 0);
    this.#owner.onCredit(this);
  }

  #receive(message: FromWorker): void {
    if (this.#state === "ended") return;
    switch (message[0]) {
      case READY:
        if (this.#state === "starting") this.#state = "ready";
        this.#ready.resolve();
        this.#owner.onReady(this, performance.now() - this.#startedAt);
        if (this.#chunks.size === 0 && this.#state === "ready") {
          this.#link.keepAlive(false);
        }
        return;
      case RESULTS:
        return this.#addResults(message);
      case FAILED:
        this.#note(message[4]);
        return this.#failTask(message[1], message[2], message[3]);
      case UNRUNNABLE:
        return this.#failChunk(message[1], message[2], message[3]);
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

  #note(insights: WorkerInsightsDelta | undefined): void {
    if (insights) this.#owner.onInsights(this, insights);
  }

  #addResults(message: ResultsMessage): void {
    const [, sequence, offset, payload, packedFailures, end] = message;
    this.#note(end?.insights);
    const chunk = this.#chunks.get(sequence);
    // Side by side, tasks go on after one has failed the call.
    if (!chunk) return;
    this.#watchdog.unwatch(INIT);
    this.#watchdog.touch(sequence);
    const failures = packedFailures.length === 0 ? undefined : new Map(
      packedFailures.map((
        [index, packed],
      ) => [index, this.#unpackError(packed, chunk, index)]),
    );
    const results = this.#link.codec.unpackList(payload);
    const { source, elements } = chunk;
    if (results.length > 0) {
      if (end === undefined || chunk.reported) {
        chunk.reported ??= new Uint8Array(elements.length);
        chunk.reported.fill(1, offset, offset + results.length);
      }
      if (source.wants(chunk)) {
        source.addResults(chunk, offset, results, failures);
      }
    }
    if (end === undefined) return;
    // The worker was told to leave the rest.
    const { begun } = progressOf(this.#link.control, sequence);
    if (begun < elements.length && source.wants(chunk)) {
      source.putBack(restOf(chunk, begun));
    }
    source.endChunk(chunk, end.elapsed);
    this.#remove(sequence);
  }

  #failTask(sequence: number, index: number, packed: PackedError): void {
    const chunk = this.#chunks.get(sequence);
    if (!chunk) return;
    const error = this.#unpackError(packed, chunk, index);
    chunk.source.failTask(chunk, index, error);
    chunk.source.endChunk(chunk, 0);
    this.#remove(sequence);
  }

  #failChunk(
    sequence: number,
    packed: PackedError,
    stage: "function" | "workerInit",
  ): void {
    const chunk = this.#chunks.get(sequence)!;
    const error = this.#unpackError(packed, chunk);
    if (stage === "workerInit") return this.#abandon(() => error, true);
    chunk.source.failChunk(chunk, error);
    chunk.source.endChunk(chunk, 0);
    this.#remove(sequence);
  }

  #overrun(sequence: number, chunk: Chunk, timeout: number): void {
    const { control } = this.#link;
    const before = progressOf(control, sequence).begun;
    skipRest(control, sequence);
    const { begun, ended } = progressOf(control, sequence);
    // It has just ended: the worker leaves the rest, which others get.
    if (ended || begun !== before) return;
    const isInOrder = chunk.mode.concurrency === 1;
    if (isInOrder && chunk.mode.isolated) {
      // Results that are on their way must not go with the worker.
      for (let i = 0; i < begun - 1; i++) if (!chunk.reported?.[i]) return;
    }
    if (isInOrder) {
      const error = timeoutError("task", timeout, this.id);
      leadOn(error, this.id, chunk, begun - 1);
      chunk.source.failTask(chunk, begun - 1, error);
      chunk.reported ??= new Uint8Array(chunk.elements.length);
      chunk.reported[begun - 1] = 1;
    }
    this.#abandon(() => timeoutError("task", timeout, this.id));
  }

  #overrunInit(timeout: number): void {
    this.#abandon(() => timeoutError("workerInit", timeout, this.id), true);
  }

  /** Gives the worker up, with what it runs. */
  #abandon(errorOf: () => unknown, failsChunks = false): void {
    const chunks = [...this.#chunks];
    this.#leave();
    this.#stopped?.resolve([]);
    this.#link.terminate();
    this.#owner.onStopped(this);
    for (const [sequence, chunk] of chunks) {
      if (failsChunks && hasBegun(this.#link.control, sequence)) {
        chunk.source.failChunk(chunk, errorOf());
        chunk.source.endChunk(chunk, 0);
      } else {
        this.#lose(sequence, chunk, errorOf);
      }
    }
  }

  /** Fails what the worker was running and keeps what it had not begun. */
  #lose(sequence: number, chunk: Chunk, errorOf: () => unknown): void {
    const { source, elements, reported } = chunk;
    if (!source.wants(chunk)) return;
    const begun = hasBegun(this.#link.control, sequence)
      ? progressOf(this.#link.control, sequence).begun
      : 0;
    for (let i = 0; i < begun; i++) {
      if (reported?.[i]) continue;
      source.failTask(chunk, i, leadOn(errorOf(), this.id, chunk, i));
    }
    if (begun < elements.length && source.wants(chunk)) {
      source.putBack(restOf(chunk, begun));
    }
    source.endChunk(chunk, 0);
  }

  /** The worker is gone without having been told to go. */
  #end(end: WorkerEnd): void {
    if (this.#state === "ended") return;
    const wasReady = this.#state !== "starting";
    const chunks = [...this.#chunks];
    this.#leave();
    // The runtime's own words for why a worker could not start say most.
    const error = !wasReady && end.error instanceof Error
      ? end.error
      : deathError(this.id, end);
    this.#ready.reject(error);
    this.#stopped?.reject(error);
    this.#owner.onDeath(this, error, wasReady);
    for (const [sequence, chunk] of chunks) {
      this.#lose(sequence, chunk, () => deathError(this.id, end));
    }
  }

  #finish(exit: StoppedMessage[1]): void {
    this.#leave();
    const { resolve, reject } = this.#stopped!;
    const { codec } = this.#link;
    const settle = () => {
      if (exit === undefined) resolve([]);
      else if ("result" in exit) resolve([codec.unpack(exit.result)]);
      else reject(codec.unpackError(exit.error));
    };
    // What the worker printed may still be on its way.
    this.#link.waitForEnd(GRACE).then(settle, settle);
  }

  /** Rebuilds an error, its stack led on to where the task was called. */
  #unpackError(packed: PackedError, chunk: Chunk, index?: number): unknown {
    return leadOn(this.#link.codec.unpackError(packed), this.id, chunk, index);
  }
}
