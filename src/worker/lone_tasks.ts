import { clock } from "../runtime/detect.ts";
import { beginTask, type ControlBlock, endTasks } from "../wire/control.ts";
import type { HotLine } from "../wire/hot_line.ts";
import { RESULTS } from "../wire/messages.ts";
import { isPrimitive } from "../wire/plain.ts";
import { type ChunkReport, elapsedSince, type Post } from "./chunk_report.ts";
import { callTask } from "./chunk_run.ts";
import type { FunctionFinder } from "./find_function.ts";
import { isThenable } from "./quick_run.ts";

// deno-lint-ignore ban-types
type Callable = Function;

/** Characters of a string that can surely be sent, at most. */
const LONGEST_STRING = 10_000;

/** A chunk as far as it matters here. */
interface LoneChunk {
  message: readonly [kind: unknown, sequence: number, ...unknown[]];
  /** Whether it came the quick way: then its end may go that way, too. */
  isInTurn: boolean;
  /** Whether it counts as begun since it was sent, and is run at once. */
  isGiven: boolean;
}

/** What surrounds the tasks, which belong to some kind of chunk. */
export interface LoneTaskSetup<Chunk extends LoneChunk> {
  control: ControlBlock;
  finder: FunctionFinder;
  hotLine: HotLine | undefined;
  post: Post;
  /** Tells how a task has ended that cannot be told in few words. */
  createReport(chunk: Chunk, startedAt: number): ChunkReport;
}

/**
 * Runs tasks that are alone in their chunks, and that nobody measures or has
 * to be told of, as `runInOrder()` does. One that ends at once, with a brief
 * result, needs no report: of calls in turn, each takes 0.2 to 0.9 us less.
 */
export class LoneTasks<Chunk extends LoneChunk> {
  readonly #setup: LoneTaskSetup<Chunk>;

  constructor(setup: LoneTaskSetup<Chunk>) {
    this.#setup = setup;
  }

  /** Runs a task. Returns a promise only if it does not end at once. */
  run(
    chunk: Chunk,
    callable: Callable,
    element: unknown,
    isTimed: boolean,
  ): Promise<void> | undefined {
    const { control, finder, hotLine, post } = this.#setup;
    const { message: [, sequence], isInTurn, isGiven } = chunk;
    const startedAt = isTimed ? clock.now() : 0;
    const report = () => this.#setup.createReport(chunk, startedAt);
    const isWanted = isGiven || beginTask(control, sequence, 0);
    if (!isWanted) return void report().finish();
    let result: unknown;
    try {
      result = finder.runInTask(() => callTask(callable, element));
      if (isThenable(result)) {
        return Promise.resolve(result).then(
          (value) => end(report(), value),
          (error) => fail(report(), error),
        );
      }
    } catch (error) {
      return void fail(report(), error);
    }
    if (!isGiven) endTasks(control, sequence);
    const elapsed = elapsedSince(startedAt);
    hotLine?.expectChunk();
    if (isInTurn && hotLine!.sendResults(sequence, elapsed, [result])) return;
    if (isSimple(result)) {
      post([RESULTS, sequence, 0, [result], undefined, [elapsed]]);
    } else end(report(), result);
  }
}

/** Whether the value can surely be sent as it is. */
function isSimple(value: unknown): boolean {
  return typeof value === "string"
    ? value.length <= LONGEST_STRING
    : isPrimitive(value);
}

function end(report: ChunkReport, result: unknown): void {
  report.add(result);
  report.finish();
}

function fail(report: ChunkReport, error: unknown): void {
  report.addFailure(0, error);
  report.finish();
}
