import { describeTask } from "./describe_task.ts";
import { GroupSize } from "./group_size.ts";
import { TopFive } from "./top_five.ts";

/** How long a task took, in ms, and its arguments as text. */
export type LongTask = [duration: number, args: string];

/**
 * What a worker went through since it last told: the number of tasks that
 * succeeded, times in ms, and tasks that are among the worker's five longest.
 */
export type WorkerInsightsDelta = [
  nCompletedTasks: number,
  initTime: number,
  waitingTime: number,
  workingTime: number,
  exitTime: number,
  longest: LongTask[],
];

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
  readonly #now: () => number;
  #nCompleted = 0;
  #init = 0;
  #waiting = 0;
  #working = 0;
  #exit = 0;
  readonly #longest = new TopFive<Candidate>();
  readonly #size = new GroupSize();
  #functionId: number | undefined;
  /** The chunk whose tasks run one after the other. */
  #elements: ArrayLike<unknown> = [];
  /** How many of them had ended at the last look, and when that was. */
  #ended = 0;
  #lookedAt = 0;
  /** Tasks that run side by side, and since when there are any. */
  #running = 0;
  #runningSince = 0;
  #isWaiting = false;
  #waitingSince = 0;

  /** `now` tells the time in ms. */
  constructor(now: () => number = () => performance.now()) {
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
    this.#init += elapsed;
  }

  /** Adds time in the exit function, in ms. */
  addExit(elapsed: number): void {
    this.#exit += elapsed;
  }

  /** One task, of whatever kind, has failed. */
  addFailure(): void {
    this.#nCompleted--;
  }

  /**
   * The tasks of a chunk are about to run, one after the other. Returns how
   * many to run until `look()`.
   */
  beginTasks(elements: ArrayLike<unknown>, functionId: number): number {
    // What is known of a function's tasks says nothing of another's.
    if (functionId !== this.#functionId) this.#size.reset();
    this.#functionId = functionId;
    this.#elements = elements;
    this.#ended = 0;
    this.resumeTasks();
    return this.#size.current;
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
      this.#nCompleted += count;
      this.#working += elapsed;
      this.#size.next(count, elapsed);
      for (let i = first; i < ended && this.#isLong(mean); i++) {
        this.#note(mean, this.#elements[i]);
      }
    }
    this.#lookedAt = now;
    return this.#size.current;
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
    this.#nCompleted++;
    const duration = this.#now() - beganAt;
    if (this.#isLong(duration)) this.#note(duration, element);
  }

  /**
   * What happened since the last call, as data that can be cloned; undefined
   * if nothing did. Not to be called between `beginTasks()` and `endTasks()`.
   */
  take(): WorkerInsightsDelta | undefined {
    this.#settle();
    const delta: WorkerInsightsDelta = [
      this.#nCompleted,
      this.#init,
      this.#waiting,
      this.#working,
      this.#exit,
      this.#takeLongest(),
    ];
    this.#nCompleted = 0;
    this.#init =
      this.#waiting =
      this.#working =
      this.#exit =
        0;
    const isNothing = delta.every((part) =>
      typeof part === "number" ? part === 0 : part.length === 0
    );
    return isNothing ? undefined : delta;
  }

  #isLong(duration: number): boolean {
    return duration > this.#longest.threshold;
  }

  #note(duration: number, element: unknown): void {
    this.#longest.add(duration, { untold: { element } });
  }

  #takeLongest(): LongTask[] {
    const longest: LongTask[] = [];
    for (const [duration, candidate] of this.#longest.entries) {
      if (candidate.untold === undefined) continue;
      longest.push([duration, describeTask(candidate.untold.element)]);
      candidate.untold = undefined;
    }
    return longest;
  }

  /** Adds the time until now to what the worker is at. */
  #settle(): void {
    if (this.#running > 0) {
      const now = this.#now();
      this.#working += now - this.#runningSince;
      this.#runningSince = this.#waitingSince = now;
    } else if (this.#isWaiting) {
      const now = this.#now();
      this.#waiting += now - this.#waitingSince;
      this.#waitingSince = now;
    }
  }
}
