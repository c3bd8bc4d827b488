import { WorkerDiedError } from "./errors.ts";
import { formatArguments } from "./format.ts";
import { type Resolvers, withResolvers } from "./promises.ts";
import type { WorkerEnd, WorkerPort } from "./runtime/contract.ts";
import type { Starter } from "./start/contract.ts";
import { type Chunk, partOf, restOf } from "./task_source.ts";
import type { Codec } from "./wire/codec.ts";
import {
  begunCount,
  type ControlBlock,
  createControl,
  hasBegun,
  offer,
  revoke,
  skipRest,
  SLOTS,
} from "./wire/control.ts";
import type { PackedError } from "./wire/errors.ts";
import { packEach } from "./wire/list.ts";
import {
  CHUNK,
  DEFINE,
  EXITING,
  FAILED,
  FORGET,
  type FromWorker,
  READY,
  RESULTS,
  SETUP,
  STOP,
  STOPPED,
  STRAY,
  type ToWorker,
  UNRUNNABLE,
  type WorkerSetup,
} from "./wire/messages.ts";

/** Chunks that a worker holds: one to run, one so that it never waits. */
const CREDIT = 2;

/** How long a worker may take to end after its last message, in ms. */
const GRACE = 250;

/** What a worker's crew hears from it. */
export interface WorkerOwner {
  /** The worker can take more, or less, than before. */
  onCredit(worker: PoolWorker): void;
  /** The worker is gone, though nobody told it to go. */
  onDeath(worker: PoolWorker, error: Error, wasReady: boolean): void;
}

/** One worker, as its pool sees it. */
export class PoolWorker {
  readonly id: number;
  readonly #owner: WorkerOwner;
  readonly #codec: Codec;
  readonly #control: ControlBlock = createControl();
  readonly #port: WorkerPort;
  /** Chunks that have been sent and not ended, oldest first. */
  readonly #chunks = new Map<number, Chunk>();
  /** Functions that the worker knows, by ID. */
  readonly #known = new Set<number>();
  #tasks = 0;
  #sequence = 0;
  #state: "starting" | "ready" | "stopping" | "ended" = "starting";
  readonly #ready = withResolvers<void>();
  #stopped: Resolvers<unknown[]> | undefined;

  constructor(
    setup: Omit<WorkerSetup, "control">,
    starter: Starter,
    owner: WorkerOwner,
  ) {
    this.id = setup.workerId;
    this.#owner = owner;
    this.#codec = starter.codec;
    this.#ready.promise.catch(() => {});
    this.#port = starter.start({
      onMessage: (message) => this.#receive(message as FromWorker),
      onEnd: (end) => this.#end(end),
    });
    this.#post([SETUP, { ...setup, control: this.#control }]);
  }

  /** Resolves when the worker can run tasks; rejects when it never will. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** The number of chunks that the worker holds. */
  get load(): number {
    return this.#chunks.size;
  }

  /** Whether the worker takes one more chunk. */
  get hasCredit(): boolean {
    if (this.#chunks.size < CREDIT) return true;
    // Tasks that wait side by side: enough chunks to keep them so.
    const [chunk] = this.#chunks.values();
    const { concurrency } = chunk!.mode;
    return concurrency > 1 && this.#tasks < concurrency * CREDIT &&
      this.#chunks.size < SLOTS;
  }

  /** Sends a chunk. What cannot be sent fails by itself. */
  send(chunk: Chunk): void {
    const { handle } = chunk;
    const sequence = ++this.#sequence;
    try {
      const { payload, transfer } = this.#codec.packList(chunk.elements);
      if (!this.#known.has(handle.id)) {
        this.#post([DEFINE, handle.id, handle.definition]);
        this.#known.add(handle.id);
      }
      offer(this.#control, sequence);
      this.#post([CHUNK, sequence, handle.id, chunk.mode, payload], transfer);
    } catch {
      this.#refuse(chunk);
      return;
    }
    this.#chunks.set(sequence, chunk);
    this.#tasks += chunk.elements.length;
    if (this.#chunks.size === 1) this.#port.keepAlive(true);
  }

  /** Takes back the last chunk that the worker has not begun. */
  takeBack(): Chunk | undefined {
    for (const [sequence, chunk] of [...this.#chunks].reverse()) {
      if (chunk.workerId !== undefined) continue;
      if (!revoke(this.#control, sequence)) return undefined;
      this.#remove(sequence);
      return chunk;
    }
    return undefined;
  }

  /** Drops what it holds and is wanted no more, as far as not begun. */
  skipUnwanted(): void {
    for (const [sequence, chunk] of [...this.#chunks]) {
      if (chunk.source.wants(chunk)) continue;
      if (revoke(this.#control, sequence)) this.#remove(sequence);
      else skipRest(this.#control, sequence);
    }
  }

  /** The worker may forget a function. */
  forget(functionId: number): void {
    if (this.#known.delete(functionId)) this.#post([FORGET, functionId]);
  }

  /**
   * Stops the worker in an orderly way, after the task that it runs. Resolves
   * to what its exit function returned, in an array as there may be nothing.
   */
  async stop(): Promise<unknown[]> {
    if (this.#state === "ended") return [];
    this.#state = "stopping";
    this.#stopped = withResolvers();
    this.#port.keepAlive(true);
    if (this.#chunks.size === 0) this.#post([STOP]);
    return await this.#stopped.promise;
  }

  /** Stops the worker at once. */
  async terminate(): Promise<void> {
    if (this.#state === "ended") return;
    this.#state = "ended";
    // A thread that cannot be stopped shall at least begin nothing more.
    for (const sequence of this.#chunks.keys()) {
      if (!revoke(this.#control, sequence)) skipRest(this.#control, sequence);
    }
    this.#stopped?.resolve([]);
    this.#ready.reject(new WorkerDiedError("The worker was stopped", {
      workerId: this.id,
    }));
    await this.#port.terminate();
  }

  #post(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    this.#port.post(message, transfer);
  }

  #remove(sequence: number): void {
    this.#tasks -= this.#chunks.get(sequence)!.elements.length;
    this.#chunks.delete(sequence);
    if (this.#state === "stopping") {
      if (this.#chunks.size === 0) this.#post([STOP]);
      return;
    }
    if (this.#chunks.size === 0 && this.#state === "ready") {
      this.#port.keepAlive(false);
    }
    this.#owner.onCredit(this);
  }

  /** Fails the tasks of the chunk that cannot be sent, and keeps the rest. */
  #refuse(chunk: Chunk): void {
    const packed = packEach(
      chunk.elements,
      (index) => {
        const element = chunk.elements[index];
        return Array.isArray(element) ? "the arguments" : "argument 0";
      },
    );
    packed.forEach((result, index) => {
      if ("error" in result) {
        chunk.source.failTask(chunk, index, result.error);
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
        if (this.#chunks.size === 0 && this.#state === "ready") {
          this.#port.keepAlive(false);
        }
        return;
      case RESULTS:
        return this.#addResults(message);
      case FAILED: {
        const [, sequence, index, packed] = message;
        const chunk = this.#chunks.get(sequence)!;
        const error = this.#unpackError(packed, chunk, index);
        chunk.source.failTask(chunk, index, error, this.id);
        chunk.source.endChunk(chunk, 0);
        return this.#remove(sequence);
      }
      case UNRUNNABLE: {
        const [, sequence, packed] = message;
        const chunk = this.#chunks.get(sequence)!;
        chunk.source.failChunk(chunk, this.#unpackError(packed, chunk));
        chunk.source.endChunk(chunk, 0);
        return this.#remove(sequence);
      }
      case EXITING:
        this.#port.terminate();
        return this.#end({ exitCode: message[1] });
      case STRAY:
        console.error(
          `Uncaught error in worker ${this.id}:`,
          this.#codec.unpackError(message[1]),
        );
        return;
      case STOPPED:
        return this.#finish(message[1]);
    }
  }

  #addResults(message: Extract<FromWorker, [typeof RESULTS, ...unknown[]]>) {
    const [, sequence, offset, payload, packedFailures, elapsed] = message;
    const chunk = this.#chunks.get(sequence);
    // Side by side, tasks go on after one has failed the call.
    if (!chunk) return;
    let failures: Map<number, unknown> | undefined;
    if (packedFailures.length > 0) {
      failures = new Map(
        packedFailures.map((
          [index, packed],
        ) => [index, this.#unpackError(packed, chunk, index)]),
      );
    }
    const results = this.#codec.unpackList(payload);
    if (results.length > 0) {
      if (elapsed === undefined || chunk.reported) {
        chunk.reported ??= new Uint8Array(chunk.elements.length);
        chunk.reported.fill(1, offset, offset + results.length);
      }
      if (chunk.source.wants(chunk)) {
        chunk.source.addResults(chunk, offset, results, failures, this.id);
      }
    }
    if (elapsed === undefined) return;
    chunk.source.endChunk(chunk, elapsed);
    this.#remove(sequence);
  }

  /** Rebuilds an error, its stack led on to where the task was called. */
  #unpackError(packed: PackedError, chunk: Chunk, index?: number): unknown {
    const error = this.#codec.unpackError(packed);
    if (!(error instanceof Error)) return error;
    const { frames } = chunk.source.callerOf(chunk, index ?? 0);
    const worker = index === undefined
      ? `worker ${this.id}`
      : `worker ${this.id} with arguments ` +
        `(${formatArguments(chunk.elements[index])})`;
    try {
      error.stack = `${error.stack ?? error}\n    at ${worker}\n${frames}`
        .trimEnd();
    } catch {
      // A frozen error that passed by reference: better without than lost.
    }
    return error;
  }

  #finish(
    exit: Extract<FromWorker, [typeof STOPPED, unknown]>[1],
  ): void {
    this.#state = "ended";
    const { resolve, reject } = this.#stopped!;
    const settle = () => {
      if (exit === undefined) resolve([]);
      else if ("result" in exit) resolve([this.#codec.unpack(exit.result)]);
      else reject(this.#codec.unpackError(exit.error));
    };
    // What the worker printed may still be on its way.
    this.#port.waitForEnd(GRACE).then(settle, settle);
  }

  /** The worker is gone without having been told to go. */
  #end(end: WorkerEnd): void {
    if (this.#state === "ended") return;
    const wasReady = this.#state !== "starting";
    this.#state = "ended";
    const error = this.#deathError(end, wasReady);
    this.#ready.reject(error);
    this.#stopped?.reject(error);
    const chunks = [...this.#chunks];
    this.#chunks.clear();
    this.#owner.onDeath(this, error, wasReady);
    for (const [sequence, chunk] of chunks) this.#lose(sequence, chunk, error);
  }

  /** Fails what the worker was running and keeps what it had not begun. */
  #lose(sequence: number, chunk: Chunk, error: Error): void {
    const { source, elements, reported } = chunk;
    if (!source.wants(chunk)) return;
    const begun = hasBegun(this.#control, sequence)
      ? begunCount(this.#control, sequence)
      : 0;
    for (let i = 0; i < begun; i++) {
      if (!reported?.[i]) source.failTask(chunk, i, error, this.id);
    }
    if (begun < elements.length && source.wants(chunk)) {
      source.putBack(restOf(chunk, begun));
    }
    source.endChunk(chunk, 0);
  }

  #deathError(end: WorkerEnd, wasReady: boolean): Error {
    const { exitCode, signal, error } = end;
    // The runtime's own words for why a worker could not start say most.
    if (!wasReady && error instanceof Error) return error;
    const how = signal !== undefined
      ? `was ended by ${signal}`
      : exitCode !== undefined
      ? `ended with exit code ${exitCode}`
      : "ended";
    const why = error instanceof Error ? `: ${error.message}` : "";
    const options = {
      workerId: this.id,
      ...exitCode !== undefined && { exitCode },
      ...signal !== undefined && { signal },
      ...error !== undefined && { cause: error },
    };
    return new WorkerDiedError(`Worker ${this.id} ${how}${why}`, options);
  }
}
