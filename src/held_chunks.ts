import { ChunkLine } from "./chunk_line.ts";
import { readError, readResults, type ResultsMessage } from "./read_results.ts";
import { failBegun, putBackFrom, refuseChunk } from "./refuse_chunk.ts";
import { leadOn } from "./task_errors.ts";
import {
  type Chunk,
  isDivisible,
  partOf,
  restOf,
  shorten,
} from "./task_source.ts";
import { timeoutError } from "./timeouts.ts";
import { Watchdog } from "./watchdog.ts";
import {
  begunOf,
  hasBegun,
  INITIALISING,
  isAtTask,
  LEAVING,
  phaseOf,
  progressOf,
  revoke,
  RUNNING,
  setBegun,
  skipRest,
  SLOTS,
  withdraw,
} from "./wire/control.ts";
import type { PackedError } from "./wire/errors.ts";
import { addResults, UntoldWatch } from "./untold_watch.ts";
import type { WorkerLink } from "./worker_link.ts";

/** Chunks that a worker holds: one to run, one so that it never waits. */
const CREDIT = 2;

/** By how much a worker's own timers come before the owner's watchdog. */
const SIDE_BY_SIDE_GRACE = 100;

/** The watchdog's key of the init function; chunks have theirs from 1 on. */
const INIT = -INITIALISING;

/** What befalls the worker that holds the chunks. */
export interface HolderEvents {
  /** It holds one chunk less. */
  onLess(): void;
  /** A task of a chunk has ended, and others are to follow. */
  onProgress(): void;
  /** A task, or the init function, takes too long or has failed for good. */
  onGiveUp(errorOf: () => unknown, failsChunks: boolean): void;
}

/** The chunks that one worker holds, and what becomes of each. */
export class HeldChunks {
  readonly #workerId: number;
  readonly #link: WorkerLink;
  /** In the pool's own thread nothing can be watched while it runs. */
  readonly #isWatched: boolean;
  readonly #events: HolderEvents;
  readonly #watchdog: Watchdog;
  readonly #untold: UntoldWatch;
  /** Those that have been sent and not ended, oldest first. */
  readonly #chunks = new ChunkLine();
  /** Tasks in these chunks. */
  #tasks = 0;
  /** Tasks that the worker was given and has not given back. */
  #lifetimeTasks = 0;
  #lifespan = Infinity;
  #hasRunTasks = false;
  #hasLeft = false;
  /** How often it was told to drop what is wanted no more. */
  #drops = 0;

  constructor(
    workerId: number,
    link: WorkerLink,
    isWatched: boolean,
    events: HolderEvents,
  ) {
    this.#workerId = workerId;
    this.#link = link;
    this.#isWatched = isWatched;
    this.#events = events;
    this.#watchdog = new Watchdog(link.control);
    this.#untold = new UntoldWatch(link, this.#chunks);
  }

  /** The number of chunks. */
  get size(): number {
    return this.#chunks.length;
  }

  /** Whether the worker has been given as many tasks as it may run. */
  get isWorn(): boolean {
    return this.#lifetimeTasks >= this.#lifespan;
  }

  /** Whether there is one chunk, and the worker has not begun it. */
  get isAboutToBegin(): boolean {
    const [chunk] = this.#chunks.items;
    return this.#chunks.length === 1 &&
      !hasBegun(this.#link.control, chunk!.sequence);
  }

  /** Whether the worker is at a task. */
  get isRunning(): boolean {
    return this.#chunks.items.some(({ sequence }) =>
      isAtTask(this.#link.control, sequence)
    );
  }

  /** Whether the worker takes one more chunk. */
  get hasRoom(): boolean {
    if (this.isWorn) return false;
    // What has been sent can be taken back only by control words.
    const credit = this.#link.sharesControl ? CREDIT : 1;
    if (this.#chunks.length < credit) return true;
    // Tasks that wait side by side: enough chunks to keep them so.
    const { concurrency } = this.#chunks.items[0]!.mode;
    return concurrency > 1 && this.#tasks < concurrency * CREDIT &&
      this.#chunks.length < SLOTS;
  }

  /** Whether another worker could take over some of it. */
  get hasSpare(): boolean {
    if (!this.#link.sharesControl) return false;
    if (this.#chunks.length !== 1) return this.#chunks.length > 1;
    return isDivisible(this.#chunks.items[0]!);
  }

  /** Sends a chunk. What cannot be sent fails by itself. */
  send(chunk: Chunk): void {
    const sequence = this.#chunks.nextSequence();
    const drops = this.#drops;
    let time: number | undefined;
    try {
      time = this.#link.sendChunk(sequence, chunk);
    } catch (error) {
      refuseChunk(chunk, error, this.#workerId, this.#link.codec);
    }
    if (time === undefined) {
      chunk.source.endChunk(chunk, 0);
      return this.#events.onLess();
    }
    // To read an element may run what ends the worker.
    if (this.#hasLeft) {
      withdraw(this.#link.control, sequence);
      return chunk.source.putBack(chunk);
    }
    chunk.sequence = sequence;
    chunk.sendTime = time;
    this.#chunks.add(chunk);
    this.#tasks += chunk.elements.length;
    this.#lifetimeTasks += chunk.elements.length;
    this.#lifespan = chunk.limits.workerLifespan ?? Infinity;
    if (this.#isWatched) this.#watch(chunk);
    this.#untold.watch(chunk);
    // Or what ends the call.
    if (drops !== this.#drops) this.skipUnwanted();
  }

  /**
   * Takes back the last chunk that the worker has not begun. With `leavesOne`
   * not the only one, which it is about to begin: two idle workers would pass
   * that to and fro.
   */
  takeBack(leavesOne: boolean): Chunk | undefined {
    if (leavesOne && this.isAboutToBegin) return undefined;
    for (const chunk of this.#chunks.items.toReversed()) {
      if (chunk.workerId !== undefined || chunk.moves) continue;
      // To be dropped, not to be given to another worker.
      if (!chunk.source.wants(chunk)) continue;
      if (!revoke(this.#link.control, chunk.sequence)) {
        return this.#takeRest(chunk);
      }
      this.#giveBack(chunk);
      return chunk;
    }
    return undefined;
  }

  /**
   * Takes what the worker has not begun of the chunk that it runs: a part for
   * whoever asks, and one that goes to whoever comes next.
   */
  #takeRest(chunk: Chunk): Chunk | undefined {
    const { control } = this.#link;
    const { sequence, elements: { length } } = chunk;
    const { begun: before } = progressOf(control, sequence);
    // Before its first task, a failure would be that of the whole chunk.
    if (!isDivisible(chunk) || before === 0 || before >= length) return;
    skipRest(control, sequence);
    const { begun } = progressOf(control, sequence);
    if (begun >= length) return undefined;
    this.#tasks -= length - begun;
    this.#lifetimeTasks -= length - begun;
    const middle = Math.ceil((begun + length) / 2);
    const taken = partOf(chunk, begun, middle);
    const rest = restOf(chunk, middle);
    shorten(chunk, begun);
    if (middle < length) chunk.source.putBack(rest);
    return taken;
  }

  /** Drops what is wanted no more, as far as not begun. */
  skipUnwanted(): void {
    this.#drops++;
    for (const chunk of [...this.#chunks.items]) {
      if (chunk.source.wants(chunk)) continue;
      if (revoke(this.#link.control, chunk.sequence)) this.#giveBack(chunk);
      else this.#link.skipRest(chunk.sequence);
    }
  }

  /** A worker whose words cannot be read has told how far it is. */
  noteBegun(sequence: number, begun: number): void {
    if (!this.#chunks.find(sequence)) return;
    setBegun(this.#link.control, sequence, begun);
  }

  /** Results of consecutive tasks have arrived. */
  addResults(message: ResultsMessage): void {
    const [, sequence, offset, , , end] = message;
    const chunk = this.#chunks.find(sequence);
    if (!chunk) return;
    this.#noteTask();
    this.#watchdog.touch(sequence);
    const { results, failures } = readResults(
      message,
      chunk,
      this.#link.codec,
      this.#workerId,
    );
    const { elements } = chunk;
    addResults(chunk, offset, results, failures, end !== undefined);
    if (end === undefined) return this.#events.onProgress();
    // The worker may have been told to leave the rest.
    if (offset + results.length < elements.length) {
      const { begun } = progressOf(this.#link.control, sequence);
      putBackFrom(begun, chunk, this.#workerId);
    }
    this.#end(chunk, end[0]);
  }

  /** A task has failed, and with it its chunk. */
  failTask(sequence: number, index: number, packed: PackedError): void {
    const chunk = this.#chunks.find(sequence);
    if (!chunk) return;
    this.#noteTask();
    const error = this.#readError(packed, chunk, index);
    chunk.source.failTask(chunk, index, error);
    // Side by side, the worker tells when the others have ended.
    if (chunk.mode.concurrency === 1) this.#end(chunk, 0);
  }

  /** No task of a chunk can be run. */
  failChunk(
    sequence: number,
    packed: PackedError,
    stage: "function" | "workerInit",
  ): void {
    const chunk = this.#chunks.find(sequence);
    if (!chunk) return;
    const error = this.#readError(packed, chunk);
    if (stage === "workerInit") return this.#events.onGiveUp(() => error, true);
    chunk.source.failChunk(chunk, error);
    this.#end(chunk, 0);
  }

  /** The worker has been told to end: its exit function may take so long. */
  watchExit(timeout: number, onLate: () => void): void {
    this.#watchdog.watchPhase(LEAVING, timeout, onLate);
  }

  /** Nothing that comes from the worker counts any more. */
  leave(): void {
    this.#hasLeft = true;
    this.#watchdog.stop();
    this.#untold.stop();
    // A thread that cannot be stopped shall at least begin nothing more.
    for (const { sequence } of this.#chunks.items) {
      withdraw(this.#link.control, sequence);
    }
  }

  /**
   * The worker is gone: fails what it was running and keeps what it had not
   * begun. With `failsChunks`, or if it was not at a task yet, all that it had
   * begun fails: others would fare no better.
   */
  lose(errorOf: () => unknown, failsChunks: boolean): void {
    const isPreparing = phaseOf(this.#link.control) !== RUNNING;
    for (const chunk of this.#chunks.clear()) {
      const { source, sequence } = chunk;
      if (!source.wants(chunk)) continue;
      const begun = hasBegun(this.#link.control, sequence);
      if (begun && (failsChunks || isPreparing)) {
        const error = leadOn(errorOf(), this.#workerId, chunk, undefined);
        source.failChunk(chunk, error);
      } else this.#loseOne(chunk, errorOf);
      source.endChunk(chunk, 0);
    }
  }

  #loseOne(chunk: Chunk, errorOf: () => unknown): void {
    this.#untold.fetch(chunk);
    const begun = begunOf(this.#link.control, chunk.sequence);
    failBegun(begun, chunk, errorOf, this.#workerId);
    putBackFrom(begun, chunk, this.#workerId);
  }

  /** A task has run: the init function has ended. */
  #noteTask(): void {
    this.#hasRunTasks = true;
    this.#watchdog.unwatch(INIT);
  }

  #giveBack(chunk: Chunk): void {
    this.#lifetimeTasks -= chunk.elements.length;
    this.#remove(chunk);
  }

  /** The chunk has come to its end. */
  #end(chunk: Chunk, elapsed: number): void {
    // Large elements take long to send though their tasks be quick.
    const cost = elapsed > 0 ? Math.max(elapsed, chunk.sendTime) : 0;
    chunk.source.endChunk(chunk, cost);
    this.#remove(chunk);
  }

  #remove(chunk: Chunk): void {
    this.#chunks.remove(chunk);
    this.#tasks -= chunk.elements.length;
    this.#watchdog.unwatch(chunk.sequence);
    if (this.#chunks.length === 0) this.#watchdog.unwatch(INIT);
    this.#events.onLess();
  }

  #watch(chunk: Chunk): void {
    const { taskTimeout, workerInitTimeout } = chunk.limits;
    if (taskTimeout !== undefined) {
      const grace = chunk.mode.concurrency > 1 ? SIDE_BY_SIDE_GRACE : 0;
      this.#watchdog.watchTasks(
        chunk.sequence,
        taskTimeout + grace,
        (late) => this.#overrun(chunk.sequence, late, taskTimeout),
      );
    }
    if (workerInitTimeout === undefined || this.#hasRunTasks) return;
    if (this.#watchdog.watches(INIT)) return;
    const errorOf = () =>
      timeoutError("workerInit", workerInitTimeout, this.#workerId);
    this.#watchdog.watchPhase(
      INITIALISING,
      workerInitTimeout,
      () => this.#events.onGiveUp(errorOf, true),
    );
  }

  /** Of the tasks that have begun, the one at `late` takes too long. */
  #overrun(sequence: number, late: number, timeout: number): void {
    const { control } = this.#link;
    const chunk = this.#chunks.find(sequence);
    // Another one that was late with it has had the worker stopped.
    if (!chunk) return;
    this.#link.skipRest(sequence);
    const { begun, ended } = progressOf(control, sequence);
    // It has just ended: the worker leaves the rest, which others get.
    if (ended || begun !== late) return;
    const errorOf = () => timeoutError("task", timeout, this.#workerId);
    if (chunk.mode.concurrency === 1) {
      if (chunk.mode.isolated) {
        this.#untold.fetch(chunk);
        // Results that are on their way must not go with the worker.
        for (let i = 0; i < begun - 1; i++) if (!chunk.reported?.[i]) return;
      }
      const error = leadOn(errorOf(), this.#workerId, chunk, begun - 1);
      chunk.source.failTask(chunk, begun - 1, error);
      chunk.reported ??= new Uint8Array(chunk.elements.length);
      chunk.reported[begun - 1] = 1;
    }
    this.#events.onGiveUp(errorOf, false);
  }

  #readError(packed: PackedError, chunk: Chunk, index?: number): unknown {
    return readError(packed, chunk, index, this.#link.codec, this.#workerId);
  }
}
