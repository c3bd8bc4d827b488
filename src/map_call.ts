import { whenAborted } from "./abort.ts";
import type { ChunkSizer } from "./chunking.ts";
import { asSettled, type Collector, type IteratedCall } from "./collectors.ts";
import type { Crew } from "./crew.ts";
import type { Crews, LifecycleHandles } from "./crews.ts";
import type { Caller } from "./functions/caller.ts";
import type { FunctionHandle } from "./functions/registry.ts";
import { outcomeOf, type ProgressTracker } from "./progress/tracker.ts";
import { createReader, type ElementReader, isPlainArray } from "./input.ts";
import {
  type Chunk,
  type Limits,
  type TaskSource,
  timing,
} from "./task_source.ts";
import { afterTurn, isTurnDue } from "./turns.ts";
import type { ChunkMode } from "./wire/messages.ts";
import { holdsMarked } from "./wire/transfer.ts";
import { WaitingChunks } from "./waiting_chunks.ts";

/**
 * How long results may keep timers and messages waiting, in ms. Workers run out
 * of chunks for the turn that these get then: that takes 1 to 3 ms.
 */
const LONGEST_WAIT = 50;

/**
 * Of so many chunks that end, one has it looked whether a turn is due: to look
 * sets a timer, which wakes the thread once more, on a core of a busy worker.
 */
const CHUNKS_A_LOOK = 4;

/** What a call of the map family was asked to do. */
export interface MapRequest {
  crews: Crews;
  handles: LifecycleHandles;
  handle: FunctionHandle;
  caller: Caller;
  input: Iterable<unknown> | AsyncIterable<unknown>;
  isAsync: boolean;
  /** The number of tasks, where it is known. */
  length: number | undefined;
  /** The most tasks to read. */
  limit: number;
  sizer: ChunkSizer;
  nJobs: number;
  maxTasksActive: number | undefined;
  concurrency: number;
  limits: Limits;
  /** Makes what tells how far the call is, if somebody wants to know. */
  track: (() => ProgressTracker) | undefined;
  /** Whether workers run in the calling thread. */
  inThread: boolean;
  settle: boolean;
  ordered: boolean;
  /** Whether a task counts as active until its result has been taken. */
  countsUntaken: boolean;
  signal: AbortSignal | undefined;
}

/** One call of the map family: cuts its input, gathers its results. */
export class MapCall implements TaskSource, IteratedCall {
  readonly #request: MapRequest;
  readonly #collector: Collector;
  #crew: Crew | undefined;
  /** Resolves when what belongs to the end of the call is done. */
  #released: Promise<void> | undefined;
  readonly #mode: ChunkMode;
  readonly #reader: ElementReader;
  /** Chunks that have come back, and chunks cut for other workers. */
  readonly #waiting: WaitingChunks;
  #chunks = 0;
  #endedChunks = 0;
  #read = 0;
  /** Tasks that count for `maxTasksActive`. */
  #active = 0;
  /** How few these must become until a chunk has room that had none. */
  #resumeAt = -1;
  /** Tasks that have been read and whose results have not arrived. */
  #unfinished = 0;
  #awaitsTurn = false;
  #hasEnded = false;
  #progress: ProgressTracker | undefined;
  #hasTold = false;
  #ignoreSignal: (() => void) | undefined;

  /** `collect` makes the collector, which may drive the call. */
  constructor(request: MapRequest, collect: (call: MapCall) => Collector) {
    this.#request = request;
    this.#collector = collect(this);
    this.#waiting = new WaitingChunks(request.ordered ? request.nJobs : 1);
    this.#mode = {
      concurrency: request.concurrency,
      isolated: request.settle,
      ...timing(request.limits, request.concurrency, request.inThread),
    };
    this.#reader = createReader(
      request.input,
      request.isAsync,
      request.limit,
      () => this.#onInput(),
    );
  }

  /** Starts the call. */
  begin(): void {
    const { signal, crews, handles, limits, track, length, input } =
      this.#request;
    this.#progress = track?.();
    if (signal?.aborted) return this.fail(signal.reason);
    if (signal) {
      this.#ignoreSignal = whenAborted(signal, () => this.fail(signal.reason));
    }
    // Other input may be empty though it says otherwise.
    const needsWorker = isPlainArray(input) && length !== 0;
    crews.enter(handles, limits, needsWorker, (crew) => {
      if (this.#hasEnded) return;
      if (length !== undefined) this.#collector.expect?.(length);
      this.#crew = crew;
      crew.add(this);
      this.#readOn();
    })?.catch((error) => this.fail(error));
  }

  get isOrdered(): boolean {
    return this.#request.ordered;
  }

  get isPaused(): boolean {
    return this.#request.countsUntaken && this.#unfinished === 0 &&
      this.#room < this.#wanted && !this.#reader.ended;
  }

  hasChunk(): boolean {
    if (this.#waiting.length > 0) return true;
    const chunk = this.#cut();
    if (chunk) this.putBack(chunk);
    return chunk !== undefined;
  }

  nextChunk(workerId: number): Chunk | undefined {
    const { ordered } = this.#request;
    const waiting = this.#waiting.shift(ordered ? workerId : 0);
    if (waiting) return waiting;
    let chunk = this.#cut();
    while (ordered && chunk && chunk.workerId !== workerId) {
      this.putBack(chunk);
      chunk = this.#cut();
    }
    return chunk;
  }

  putBack(chunk: Chunk): void {
    if (!this.#hasEnded) this.#waiting.push(chunk);
  }

  addResults(
    chunk: Chunk,
    offset: number,
    results: ArrayLike<unknown>,
    failures: Map<number, unknown> | undefined,
  ): void {
    this.#add(
      chunk.first + offset,
      this.#request.settle ? asSettled(results, failures, offset) : results,
    );
  }

  failTask(chunk: Chunk, index: number, error: unknown): void {
    if (this.#hasEnded) return;
    if (!this.#request.settle) return this.fail(error);
    this.#add(chunk.first + index, [{ status: "rejected", reason: error }]);
  }

  failChunk(_chunk: Chunk, error: unknown): void {
    this.fail(error);
  }

  endChunk(chunk: Chunk, cost: number): void {
    const { length } = chunk.elements;
    if (cost > 0 && this.#untaken <= length) {
      this.#request.sizer.ran(length, cost);
    }
    this.#checkEnd();
    // Who takes results one by one sees to it by himself.
    if (
      !this.#request.countsUntaken &&
      ++this.#endedChunks % CHUNKS_A_LOOK === 0 && isTurnDue(LONGEST_WAIT)
    ) this.#awaitTurn();
    if (this.#unfinished === 0) this.#readOn();
  }

  fail(error: unknown): void {
    if (this.#hasEnded) return;
    const outcome = outcomeOf(error, this.#request.signal);
    this.#end(outcome, () => this.#collector.fail(error));
  }

  wants(): boolean {
    return !this.#hasEnded;
  }

  callerOf(): Caller {
    return this.#request.caller;
  }

  /** Ends the call: its results are wanted no more. */
  async cancel(): Promise<void> {
    if (!this.#hasEnded) this.#end("stopped", () => this.#collector.finish());
    await this.ended();
  }

  /** Resolves when what belongs to the end of the call is done. */
  async ended(): Promise<void> {
    await this.#released;
  }

  /** So many results have been taken. */
  taken(count: number): void {
    if (!this.#request.countsUntaken) return;
    this.#active -= count;
    if (this.#active > this.#resumeAt) return;
    this.#resumeAt = -1;
    if (!this.#hasEnded && !this.#reader.ended) this.#crew!.feed();
  }

  /**
   * Results that wait for their consumer. Where there are more than the last
   * chunk's, larger chunks would only read further ahead of it.
   */
  get #untaken(): number {
    return this.#request.countsUntaken ? this.#active - this.#unfinished : 0;
  }

  get #maxActive(): number {
    const { maxTasksActive, nJobs, sizer, concurrency } = this.#request;
    return maxTasksActive ?? nJobs * Math.max(sizer.largest, concurrency) * 2;
  }

  get #room(): number {
    return this.#maxActive - this.#active;
  }

  /** Tasks for the next chunk: cut only where it could never have room. */
  get #wanted(): number {
    const { sizer, nJobs } = this.#request;
    // A size that adapts leaves enough for two chunks for each worker.
    const share = sizer.adapts
      ? Math.ceil(this.#maxActive / (nJobs * 2))
      : this.#maxActive;
    return Math.min(sizer.size, share);
  }

  #cut(): Chunk | undefined {
    if (this.#hasEnded || this.#awaitsTurn) return undefined;
    const wanted = this.#wanted;
    if (this.#room < wanted) {
      this.#resumeAt = this.#maxActive - wanted;
      return undefined;
    }
    const { sizer, handle, nJobs, ordered } = this.#request;
    let elements: ArrayLike<unknown>;
    try {
      // Unless a size was asked for, slow input does not hold back what is there.
      elements = this.#reader.take(wanted, sizer.mayGoUnfilled);
    } catch (error) {
      this.fail(error);
      return undefined;
    }
    if (elements.length === 0) this.#checkEnd();
    // To read may run what ends the call.
    if (elements.length === 0 || this.#hasEnded) return undefined;
    sizer.cut();
    const chunk: Chunk = {
      source: this,
      handle,
      mode: this.#mode,
      limits: this.#request.limits,
      elements,
      entries: undefined,
      first: this.#read,
      workerId: ordered ? this.#chunks % nJobs : undefined,
      moves: this.#request.crews.moves && holdsMarked(elements),
      reported: undefined,
      wanted: undefined,
      sequence: 0,
      sendTime: 0,
    };
    this.#chunks++;
    this.#read += elements.length;
    this.#active += elements.length;
    this.#unfinished += elements.length;
    return chunk;
  }

  /** Without new chunks, no results keep the thread from its event loop. */
  #awaitTurn(): void {
    if (this.#hasEnded || this.#awaitsTurn) return;
    this.#awaitsTurn = true;
    afterTurn(() => {
      this.#awaitsTurn = false;
      if (this.#hasEnded) return;
      this.#crew!.feed();
      if (this.#unfinished === 0) this.#readOn();
    });
  }

  /**
   * Only reading on tells whether there is anything to wait for: workers may
   * be busy with other calls for long.
   */
  #readOn(): void {
    this.hasChunk();
  }

  #add(first: number, results: ArrayLike<unknown>): void {
    this.#unfinished -= results.length;
    if (!this.#request.countsUntaken) this.#active -= results.length;
    this.#collector.add(first, results);
    this.#tellProgress();
  }

  #tellProgress(): void {
    if (!this.#progress || this.#hasEnded) return;
    try {
      if (this.#reader.ended && !this.#hasTold) {
        this.#hasTold = true;
        this.#progress.setTotal(this.#read);
      }
      this.#progress.update(this.#read - this.#unfinished);
    } catch (error) {
      // The user's callback has thrown.
      this.fail(error);
    }
  }

  #onInput(): void {
    if (this.#hasEnded) return;
    this.#crew!.feed();
    this.#checkEnd();
  }

  #checkEnd(): void {
    if (this.#hasEnded || this.#unfinished > 0 || !this.#reader.ended) return;
    this.#end("finished", () => this.#collector.finish());
  }

  #end(outcome: "finished" | "failed" | "stopped", settle: () => void): void {
    this.#hasEnded = true;
    try {
      this.#progress?.end(outcome, this.#read - this.#unfinished);
    } catch (error) {
      // The user's callback has thrown; an earlier error comes first.
      if (outcome === "finished") settle = () => this.#collector.fail(error);
    }
    this.#waiting.clear();
    this.#ignoreSignal?.();
    try {
      this.#reader.close();
    } catch {
      // The call has its outcome; what the input's return() throws is late.
    }
    const { crews, handle } = this.#request;
    if (this.#crew) {
      this.#crew.remove(this);
      this.#released = crews.release(this.#crew, outcome !== "finished");
      // Whoever waits for the end hears of a failed exit function.
      this.#released?.catch(() => {});
    }
    if (handle.temporary) crews.forget(handle);
    settle();
  }
}
