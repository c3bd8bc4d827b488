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
 */
export class WorkerMeter {
  readonly #now: () => number;
  #nCompleted = 0;
  #init = 0;
  #waiting = 0;
  #working = 0;
  #exit = 0;
  readonly #longest = new TopFive<Candidate>();
  /** The chunk whose tasks run one after the other. */
  #elements: ArrayLike<unknown> = [];
  #functionId: number | undefined;
  readonly #size = new GroupSize();
  /** Index of the first task of the group, and when that began. */
  #first = 0;
  #groupBeganAt = 0;
  /** Tasks of the group, and how many of them have not ended. */
  #count = 0;
  #left = 0;
  /** Tasks that run side by side, and since when there are any. */
  #running = 0;
  #runningSince = 0;
  #isWaiting = false;
  #waitingSince = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** There is nothing to do. */
  beginWaiting(): void {
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

  /** The tasks of a chunk are about to run, one after the other. */
  beginTasks(elements: ArrayLike<unknown>, functionId: number): void {
    // What is known of a function's tasks says nothing of another's.
    if (functionId !== this.#functionId) this.#size.reset();
    this.#functionId = functionId;
    this.#elements = elements;
    this.#first = 0;
    this.resumeTasks();
  }

  /** One of them has ended, well or not. */
  tick(): void {
    if (--this.#left === 0) this.#look();
  }

  /** One task, of whatever kind, has failed. */
  addFailure(): void {
    this.#nCompleted--;
  }

  /** Until `resumeTasks()`, the worker does not work on a task. */
  pauseTasks(): void {
    this.#closeGroup(this.#count - this.#left, this.#now());
    this.#count = this.#left = 0;
  }

  /** The worker goes on with the next task. */
  resumeTasks(): void {
    this.#openGroup(this.#now());
  }

  /** All tasks of the chunk have ended that will run. */
  endTasks(): void {
    this.pauseTasks();
    this.#elements = [];
  }

  /** Of tasks that run side by side, one begins: when, for `leaveTask()`. */
  enterTask(): number {
    const now = this.#now();
    if (this.#running++ === 0) this.#runningSince = now;
    return now;
  }

  /** One of them has ended. Time in which several run counts once. */
  leaveTask(element: unknown, beganAt: number): void {
    const now = this.#settle();
    this.#running--;
    this.#nCompleted++;
    this.#consider(now - beganAt, element);
  }

  /**
   * What happened since the last call, as data that can be cloned; undefined
   * if nothing did. Not to be called between `beginTasks()` and `endTasks()`.
   */
  take(): WorkerInsightsDelta | undefined {
    this.#settle();
    const longest: LongTask[] = [];
    for (const [duration, candidate] of this.#longest.entries) {
      if (candidate.untold === undefined) continue;
      longest.push([duration, describeTask(candidate.untold.element)]);
      candidate.untold = undefined;
    }
    const delta: WorkerInsightsDelta = [
      this.#nCompleted,
      this.#init,
      this.#waiting,
      this.#working,
      this.#exit,
      longest,
    ];
    this.#nCompleted = 0;
    this.#init =
      this.#waiting =
      this.#working =
      this.#exit =
        0;
    const isNothing = delta.every((part) => part === 0 || part === longest) &&
      longest.length === 0;
    return isNothing ? undefined : delta;
  }

  #look(): void {
    const now = this.#now();
    this.#closeGroup(this.#count, now);
    this.#openGroup(now);
  }

  #openGroup(now: number): void {
    this.#groupBeganAt = now;
    this.#count = this.#left = this.#size.current;
  }

  #closeGroup(count: number, now: number): void {
    if (count === 0) return;
    const elapsed = now - this.#groupBeganAt;
    const first = this.#first;
    this.#first += count;
    this.#nCompleted += count;
    this.#working += elapsed;
    this.#size.next(count, elapsed);
    const mean = elapsed / count;
    for (let i = 0; i < count && mean > this.#longest.threshold; i++) {
      this.#consider(mean, this.#elements[first + i]);
    }
  }

  /** Notes a task if it is among the longest. */
  #consider(duration: number, element: unknown): void {
    if (duration > this.#longest.threshold) {
      this.#longest.add(duration, { untold: { element } });
    }
  }

  /** Adds the time until now to what the worker is at. */
  #settle(): number {
    const now = this.#now();
    if (this.#running > 0) {
      this.#working += now - this.#runningSince;
      this.#runningSince = now;
      this.#waitingSince = now;
    } else if (this.#isWaiting) {
      this.#waiting += now - this.#waitingSince;
      this.#waitingSince = now;
    }
    return now;
  }
}
