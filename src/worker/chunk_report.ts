import { clock } from "../runtime/detect.ts";
import type { LongTask, WorkerMeter } from "../insights/worker_meter.ts";
import type { Codec } from "../wire/codec.ts";
import {
  type ControlBlock,
  endTasks,
  UNTOLD_CAPACITY,
} from "../wire/control.ts";
import type { PackedError } from "../wire/errors.ts";
import {
  type ChunkEnd,
  type ChunkMode,
  FAILED,
  type Failure,
  type FromWorker,
  RESULTS,
} from "../wire/messages.ts";
import { type HotLine, MOST_TASKS } from "../wire/hot_line.ts";
import type { UntoldResults } from "../wire/untold.ts";
import { explainCloneFailure } from "../wire/values.ts";
import { ResultList } from "./result_list.ts";
import { callSoon } from "../timers.ts";

/** Sends a message to the owner. */
export type Post = (message: FromWorker, transfer?: ArrayBuffer[]) => void;

/** What a chunk's report needs to know. */
export interface ReportSetup {
  sequence: number;
  mode: ChunkMode;
  /** Where results wait to be told together, if they may. */
  untold: UntoldResults | undefined;
  control: ControlBlock;
  codec: Codec;
  packError: (error: unknown) => PackedError;
  meter: WorkerMeter | undefined;
  post: Post;
  /** The quick way to the owner, if the runner looks for what comes back. */
  hotLine: HotLine | undefined;
  /** Where results may be put as long as they are numbers. */
  buffer: Float64Array | undefined;
  /** When the chunk was begun, by the clock; 0 if nobody asks. */
  startedAt: number;
}

/** Tells the owner how the tasks of a chunk end. */
export class ChunkReport {
  readonly #setup: ReportSetup;
  /** Results of consecutive tasks that have not been told. */
  readonly #results: ResultList;
  /** Index of the first of them. */
  #first = 0;
  #failures: Failure[] = [];
  /** Whether the owner could not fetch all of them. */
  #isUrgent = false;
  /** Whether they will be told when the worker comes to rest. */
  #isFlushing = false;
  /** Taken from the meter, and not lost with a message that cannot be sent. */
  #longest: LongTask[] | undefined;

  constructor(setup: ReportSetup) {
    this.#setup = setup;
    setup.untold?.setTold(0);
    this.#results = new ResultList(setup.buffer);
  }

  /** The index of the next task, if those before it ended one by one. */
  get next(): number {
    return this.#first + this.#results.length;
  }

  /** Where results may be put; undefined once there are others than numbers. */
  get buffer(): Float64Array | undefined {
    return this.#results.buffer;
  }

  /** The buffer now holds the results of so many tasks. */
  fillTo(count: number): void {
    this.#results.length = count;
  }

  /** The result of the next task. */
  add(result: unknown): void {
    const index = this.next;
    this.#results.add(result);
    if (!this.#setup.untold?.put(index, result)) this.#isUrgent = true;
  }

  /** The error of the next task, which has the index. */
  addFailure(index: number, error: unknown): void {
    this.#results.add(undefined);
    this.#failures.push([index, this.#setup.packError(error)]);
    this.#isUrgent = true;
  }

  /** The next task is the one at the index. */
  moveTo(index: number): void {
    if (index === this.next) return;
    this.flush();
    this.#first = index;
  }

  /** Whether tasks run one after the other, so that none is left when one fails. */
  get #isInOrder(): boolean {
    return this.#setup.mode.concurrency === 1;
  }

  /** A task failed, and with it the call: tasks in order end by that. */
  fail(index: number, error: unknown): void {
    const { sequence, control, post, packError } = this.#setup;
    if (this.#isInOrder) endTasks(control, sequence);
    post([FAILED, sequence, index, packError(error), this.#takeLongest()]);
  }

  /** Tells what has not been told, as the worker goes on or ends. */
  flush(): void {
    if (this.#results.length > 0) this.#tell(false);
  }

  /** Tells what must not wait while the next task runs. */
  flushUrgent(): void {
    if (this.#isUrgent || this.#results.length === UNTOLD_CAPACITY) {
      this.flush();
    }
  }

  /** Tells what has not been told, unless it has been when others may run. */
  flushSoon(): void {
    if (this.#isFlushing || this.#results.length === 0) return;
    this.#isFlushing = true;
    callSoon(() => {
      this.#isFlushing = false;
      this.flush();
    });
  }

  /** Tells the rest: no more tasks of the chunk will run. */
  finish(): void {
    endTasks(this.#setup.control, this.#setup.sequence);
    this.#tell(true);
  }

  #tell(final: boolean): void {
    const first = this.#first;
    const results = this.#results.take();
    const failures = this.#failures;
    this.#first += results.length;
    this.#failures = [];
    this.#isUrgent = false;
    try {
      this.#send(first, results, failures, final);
    } catch {
      this.#tellOneByOne(first, results, failures, final);
    }
    if (!final) this.#setup.untold?.setTold(this.#first);
  }

  /** Some result cannot be sent: finds out which. */
  #tellOneByOne(
    first: number,
    results: ArrayLike<unknown>,
    failures: Failure[],
    final: boolean,
  ): void {
    for (let i = 0; i < results.length; i++) {
      const index = first + i;
      const last = final && i === results.length - 1;
      const failed = failures.filter(([at]) => at === index);
      try {
        this.#send(index, [results[i]], failed, last);
      } catch (reason) {
        const error = this.#refusalOf(results[i], reason);
        if (!this.#setup.mode.isolated) {
          this.fail(index, error);
          if (final && !this.#isInOrder) this.#send(index, [], [], true);
          return;
        }
        const failure: Failure = [index, this.#setup.packError(error)];
        this.#send(index, [undefined], [failure], last);
      }
    }
  }

  /** Why a result could not be sent, for `reason`. */
  #refusalOf(result: unknown, reason: unknown): Error {
    const what = "the result";
    const [refusal] = this.#setup.codec.refusalsOf(
      [result],
      () => what,
      reason,
    );
    return refusal ?? explainCloneFailure(result, what);
  }

  #send(
    first: number,
    results: ArrayLike<unknown>,
    failures: Failure[],
    final: boolean,
  ): void {
    const { sequence, codec, post, hotLine, startedAt } = this.#setup;
    const elapsed = elapsedSince(startedAt);
    if (final) hotLine?.expectChunk();
    if (
      final && first === 0 && results.length > 0 &&
      results.length <= MOST_TASKS && failures.length === 0 &&
      !this.#setup.meter && hotLine?.sendResults(sequence, elapsed, results)
    ) return;
    const { payload, transfer } = codec.packList(results, true);
    const failed = failures.length > 0 ? failures : undefined;
    const end = final ? this.#end(elapsed) : undefined;
    post([RESULTS, sequence, first, payload, failed, end], transfer);
  }

  #end(elapsed: number): ChunkEnd {
    const longest = this.#takeLongest();
    return longest ? [elapsed, longest] : [elapsed];
  }

  #takeLongest(): LongTask[] | undefined {
    this.#longest ??= this.#setup.meter?.takeLongest();
    return this.#longest;
  }
}

/** How long that is ago, in ms; 0 if it was not noted. */
export function elapsedSince(startedAt: number): number {
  return startedAt === 0 ? 0 : clock.now() - startedAt;
}
