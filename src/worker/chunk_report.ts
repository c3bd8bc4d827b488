import type { LongTask, WorkerMeter } from "../insights/worker_meter.ts";
import type { Codec } from "../wire/codec.ts";
import { type ControlBlock, endTasks } from "../wire/control.ts";
import type { PackedError } from "../wire/errors.ts";
import {
  FAILED,
  type Failure,
  type FromWorker,
  RESULTS,
} from "../wire/messages.ts";
import { explainCloneFailure } from "../wire/values.ts";

/** Sends a message to the owner. */
export type Post = (message: FromWorker, transfer?: ArrayBuffer[]) => void;

/** What a chunk's report needs to know. */
export interface ReportSetup {
  sequence: number;
  /** Whether each task stands for itself. */
  isolated: boolean;
  control: ControlBlock;
  codec: Codec;
  packError: (error: unknown) => PackedError;
  meter: WorkerMeter | undefined;
  post: Post;
}

/** Tells the owner how the tasks of a chunk end. */
export class ChunkReport {
  readonly #setup: ReportSetup;
  readonly #startedAt = performance.now();
  /** Results of consecutive tasks that have not been told. */
  #results: unknown[] = [];
  /** Index of the first of them. */
  #first = 0;
  #failures: Failure[] = [];
  /** Taken from the meter, and not lost with a message that cannot be sent. */
  #longest: LongTask[] | undefined;

  constructor(setup: ReportSetup) {
    this.#setup = setup;
  }

  /** The result of the next task. */
  add(result: unknown): void {
    this.#results.push(result);
  }

  /** The error of the next task, which has the index. */
  addFailure(index: number, error: unknown): void {
    this.#results.push(undefined);
    this.#failures.push([index, this.#setup.packError(error)]);
  }

  /** The next task is the one at the index. */
  moveTo(index: number): void {
    this.#first = index;
  }

  /** A task failed, and with it the chunk. */
  fail(index: number, error: unknown): void {
    const { sequence, control, post, packError } = this.#setup;
    endTasks(control, sequence);
    post([FAILED, sequence, index, packError(error), this.#takeLongest()]);
  }

  /** Tells what has not been told, as the worker goes on or ends. */
  flush(): void {
    if (this.#results.length > 0) this.#tell(false);
  }

  /** Tells the rest: no more tasks of the chunk will run. */
  finish(): void {
    endTasks(this.#setup.control, this.#setup.sequence);
    this.#tell(true);
  }

  #tell(final: boolean): void {
    const first = this.#first;
    const results = this.#results;
    const failures = this.#failures;
    this.#first += results.length;
    this.#results = [];
    this.#failures = [];
    try {
      this.#send(first, results, failures, final);
    } catch {
      this.#tellOneByOne(first, results, failures, final);
    }
  }

  /** Some result cannot be sent: finds out which. */
  #tellOneByOne(
    first: number,
    results: unknown[],
    failures: Failure[],
    final: boolean,
  ): void {
    for (let i = 0; i < results.length; i++) {
      const index = first + i;
      const last = final && i === results.length - 1;
      const failed = failures.filter(([at]) => at === index);
      try {
        this.#send(index, [results[i]], failed, last);
      } catch {
        const error = explainCloneFailure(results[i], "the result");
        if (!this.#setup.isolated) return this.fail(index, error);
        const failure: Failure = [index, this.#setup.packError(error)];
        this.#send(index, [undefined], [failure], last);
      }
    }
  }

  #send(
    first: number,
    results: unknown[],
    failures: Failure[],
    final: boolean,
  ): void {
    const { sequence, codec, post } = this.#setup;
    const { payload, transfer } = codec.packList(results);
    const elapsed = performance.now() - this.#startedAt;
    const end = final ? { elapsed, longest: this.#takeLongest() } : undefined;
    post([RESULTS, sequence, first, payload, failures, end], transfer);
  }

  #takeLongest(): LongTask[] | undefined {
    this.#longest ??= this.#setup.meter?.takeLongest();
    return this.#longest;
  }
}
