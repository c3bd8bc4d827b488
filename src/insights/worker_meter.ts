import { clock } from "../runtime/detect.ts";
import {
  COMPLETED,
  type Counters,
  EXIT,
  INIT,
  WAITING,
  WORKING,
} from "./counters.ts";
import { describeTask } from "./describe_task.ts";
import { GroupSize } from "./group_size.ts";
import { SIZE, TopFive } from "./top_five.ts";

/** How long a task took, in ms, and its arguments as text. */
export type LongTask = [duration: number, args: string];

/** A task that is among the longest. */
interface Candidate {
  /** Its arguments, until they have been told. */
  untold: { element: unknown } | undefined;
}

/**
 * Measures where the time of one worker goes.
 *
 * Tasks that run one after the other are looked at in groups, as a look at
 * the clock may take longer than a task: see GroupSize. Each task of a group
 * counts with the group's mean.
 *
 * Times of waiting and of working do not overlap: time in which several tasks
 * run counts once, and a worker that runs any is not waiting.
 */
export class WorkerMeter {
  readonly #counters: Counters;
  readonly #now: () => number;
  /** Tasks that have failed and not been counted as ended. */
  #failed = 0;
  readonly #longest = new TopFive<Candidate>();
  #hasUntold = false;
  readonly #size = new GroupSize();
  #functionId: number | undefined;
  /** The chunk whose tasks run one after the other. */
  #elements: ArrayLike<unknown> = [];
  /**
   * The first of the next group, if they are numbers: results take their
   * place. As all of a group count the same, no others can be asked for.
   */
  readonly #group = new Float64Array(SIZE);
  /** How many of them had ended at the last look, and when that was. */
  #ended = 0;
  #lookedAt = 0;
  /** Tasks that run side by side, and since when there are any. */
  #running = 0;
  #runningSince = 0;
  #isWaiting = false;
  #waitingSince = 0;

  /** `now` tells the time in ms. */
  constructor(
    counters: Counters,
    now: () => number = () => clock.now(),
  ) {
    this.#counters = counters;
    this.#now = now;
  }

  /** There is nothing to do. */
  beginWaiting(): void {
    this.#settle();
    this.#isWaiting = true;
    this.#waitingSince = this.#now();
  }

  /** There is something to do. No effect unless waiting. */
  endWaiting(): void {
    this.#settle();
    this.#isWaiting = false;
  }

  /** Adds time in the init function, in ms. */
  addInit(elapsed: number): void {
    this.#counters[INIT]! += elapsed;
  }

  /** Adds time in the exit function, in ms. */
  addExit(elapsed: number): void {
    this.#counters[EXIT]! += elapsed;
  }

  /** The task that is about to count as ended has failed. */
  addFailure(): void {
    this.#failed++;
  }

  /**
   * The tasks of a chunk are about to run, one after the other. Returns how
   * many to run until `look()`.
   */
  beginTasks(
    elements: ArrayLike<unknown>,
    functionId: number,
    now: number,
  ): number {
    // What is known of a function's tasks says nothing of another's.
    if (functionId !== this.#functionId) this.#size.reset();
    this.#functionId = functionId;
    this.#elements = elements;
    this.#ended = 0;
    this.#lookedAt = now;
    return this.#nextGroup();
  }

  /**
   * So many tasks of the chunk have ended by now, well or not. Returns how
   * many more to run until the next look.
   */
  look(ended: number, now: number): number {
    const first = this.#ended;
    const count = ended - first;
    if (count > 0) {
      const elapsed = now - this.#lookedAt;
      const mean = elapsed / count;
      this.#ended = ended;
      this.#addEnded(count);
      this.#counters[WORKING]! += elapsed;
      this.#size.next(count, elapsed);
      for (let i = first; i < ended && this.#isLong(mean); i++) {
        this.#note(mean, this.#elementAt(i, first));
      }
    }
    this.#lookedAt = now;
    return this.#nextGroup();
  }

  /** Until `resumeTasks()`, the worker is not at these tasks. */
  pauseTasks(ended: number): void {
    this.look(ended, this.#now());
  }

  /** The worker goes on with the next task. */
  resumeTasks(): void {
    this.#lookedAt = this.#now();
  }

  /** No more tasks of the chunk will run. */
  endTasks(ended: number): void {
    this.pauseTasks(ended);
    this.#elements = [];
  }

  /** Of tasks that run side by side, one begins: when, for `leaveTask()`. */
  enterTask(): number {
    const now = this.#now();
    if (this.#running === 0) {
      this.#settle();
      this.#runningSince = now;
    }
    this.#running++;
    return now;
  }

  /** One of them has ended, well or not. */
  leaveTask(element: unknown, beganAt: number): void {
    this.#settle();
    this.#running--;
    this.#addEnded(1);
    const duration = this.#now() - beganAt;
    if (this.#isLong(duration)) this.#note(duration, element);
  }

  /** Tasks that are new among the worker's five longest, if there are any. */
  takeLongest(): LongTask[] | undefined {
    if (!this.#hasUntold) return undefined;
    this.#hasUntold = false;
    const longest: LongTask[] = [];
    for (const [duration, candidate] of this.#longest.entries) {
      if (candidate.untold === undefined) continue;
      longest.push([duration, describeTask(candidate.untold.element)]);
      candidate.untold = undefined;
    }
    return longest;
  }

  #nextGroup(): number {
    const size = this.#size.current;
    const elements = this.#elements;
    if (elements instanceof Float64Array) {
      const first = this.#ended;
      const count = Math.min(size, SIZE, elements.length - first);
      for (let i = 0; i < count; i++) this.#group[i] = elements[first + i]!;
    }
    return size;
  }

  /** An element of the group that began with the first. */
  #elementAt(index: number, first: number): unknown {
    return this.#elements instanceof Float64Array
      ? this.#group[index - first]
      : this.#elements[index];
  }

  #addEnded(count: number): void {
    this.#counters[COMPLETED]! += count - this.#failed;
    this.#failed = 0;
  }

  #isLong(duration: number): boolean {
    return duration > this.#longest.threshold;
  }

  #note(duration: number, element: unknown): void {
    this.#longest.add(duration, { untold: { element } });
    this.#hasUntold = true;
  }

  /** Adds the time until now to what the worker is at. */
  #settle(): void {
    if (this.#running > 0) {
      const now = this.#now();
      this.#counters[WORKING]! += now - this.#runningSince;
      this.#runningSince = this.#waitingSince = now;
    } else if (this.#isWaiting) {
      const now = this.#now();
      this.#counters[WAITING]! += now - this.#waitingSince;
      this.#waitingSince = now;
    }
  }
}
