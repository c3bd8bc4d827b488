import {
  COMPLETED,
  type Counters,
  createCounters,
  EXIT,
  INIT,
  WAITING,
  WORKING,
} from "./counters.ts";
import { TopFive } from "./top_five.ts";
import type { LongTask } from "./worker_meter.ts";

/**
 * Where the time of a pool's workers went since they were started: what
 * `getInsights()` gives. Arrays have one entry per worker, in the order of
 * worker IDs. All times are in milliseconds. Means and standard deviations
 * (of the population) are over workers; ratios are shares of `totalTime`,
 * 0 ... 1.
 */
export interface WorkerPoolInsights {
  /** Tasks that succeeded. */
  nCompletedTasks: number[];
  /**
   * Time from a worker's creation until it could take tasks; of a worker that
   * was replaced, the latest one's.
   */
  startUpTime: number[];
  /** Time in `workerInit`, of a replaced worker and its successors together. */
  initTime: number[];
  /** Time with nothing to do, until the next chunk or the end came. */
  waitingTime: number[];
  /** Time in task functions; where several run at once it counts once. */
  workingTime: number[];
  /** Time in `workerExit`. */
  exitTime: number[];
  /** Sum of `startUpTime`. */
  totalStartUpTime: number;
  /** Sum of `initTime`. */
  totalInitTime: number;
  /** Sum of `waitingTime`. */
  totalWaitingTime: number;
  /** Sum of `workingTime`. */
  totalWorkingTime: number;
  /** Sum of `exitTime`. */
  totalExitTime: number;
  /** Sum of the five totals. */
  totalTime: number;
  /** Mean of `startUpTime`. */
  startUpTimeMean: number;
  /** Standard deviation of `startUpTime`. */
  startUpTimeStd: number;
  /** Mean of `initTime`. */
  initTimeMean: number;
  /** Standard deviation of `initTime`. */
  initTimeStd: number;
  /** Mean of `waitingTime`. */
  waitingTimeMean: number;
  /** Standard deviation of `waitingTime`. */
  waitingTimeStd: number;
  /** Mean of `workingTime`. */
  workingTimeMean: number;
  /** Standard deviation of `workingTime`. */
  workingTimeStd: number;
  /** Mean of `exitTime`. */
  exitTimeMean: number;
  /** Standard deviation of `exitTime`. */
  exitTimeStd: number;
  /** Share of `totalStartUpTime`. */
  startUpRatio: number;
  /** Share of `totalInitTime`. */
  initRatio: number;
  /** Share of `totalWaitingTime`. */
  waitingRatio: number;
  /** Share of `totalWorkingTime`: below 0.8, workers could be better used. */
  workingRatio: number;
  /** Share of `totalExitTime`. */
  exitRatio: number;
  /**
   * How long the longest tasks took, at most five, the longest first. Tasks
   * of less than 20 us are measured together with their neighbours.
   */
  top5MaxTaskDurations: number[];
  /** The arguments of these tasks, shortened: `Arg 0: 19 | Arg 1: "z"`. */
  top5MaxTaskArgs: string[];
}

/** Keeps a ratio defined when there has been no time at all. */
const EPSILON = 1e-8;

function sum(times: readonly number[]): number {
  return times.reduce((total, time) => total + time, 0);
}

function mean(times: readonly number[]): number {
  return sum(times) / times.length;
}

/** The standard deviation of a population. */
function deviation(times: readonly number[]): number {
  const centre = mean(times);
  return Math.sqrt(mean(times.map((time) => (time - centre) ** 2)));
}

function addTo(sums: Counters, counters: Counters): void {
  counters.forEach((value, index) => sums[index]! += value);
}

/** Gathers what the workers of a pool tell about their time. */
export class InsightsBook {
  readonly #nJobs: number;
  #startUpTime!: number[];
  /** What workers counted that have ended, by worker ID. */
  #ended!: Counters[];
  /** What those count that have not, and their IDs. */
  readonly #live = new Map<Counters, number>();
  #longest!: TopFive<string>;

  /** A book for workers 0 ... `nJobs - 1`. */
  constructor(nJobs: number) {
    this.#nJobs = nJobs;
    this.reset();
  }

  /** Forgets everything: all workers are started anew. */
  reset(): void {
    const length = this.#nJobs;
    this.#startUpTime = new Array<number>(length).fill(0);
    this.#ended = Array.from({ length }, createCounters);
    this.#live.clear();
    this.#longest = new TopFive();
  }

  /** A worker, maybe a replacement, took so long to start up, in ms. */
  startUp(workerId: number, elapsed: number): void {
    this.#startUpTime[workerId] = elapsed;
  }

  /** A worker, maybe a replacement, begins to count. */
  open(workerId: number, counters: Counters): void {
    this.#live.set(counters, workerId);
  }

  /** The worker has ended: what it counts from now on is left out. */
  close(counters: Counters): void {
    const workerId = this.#live.get(counters);
    if (workerId === undefined) return;
    this.#live.delete(counters);
    addTo(this.#ended[workerId]!, counters);
  }

  /** A worker has told of long tasks. */
  add(longest: readonly LongTask[]): void {
    for (const [duration, args] of longest) this.#longest.add(duration, args);
  }

  /** The figures as they stand. */
  snapshot(): WorkerPoolInsights {
    const counters = this.#ended.map((ended) => ended.slice());
    for (const [live, id] of this.#live) addTo(counters[id]!, live);
    const each = (index: number) => counters.map((words) => words[index]!);
    const startUpTime = [...this.#startUpTime];
    const initTime = each(INIT);
    const waitingTime = each(WAITING);
    const workingTime = each(WORKING);
    const exitTime = each(EXIT);
    const totalStartUpTime = sum(startUpTime);
    const totalInitTime = sum(initTime);
    const totalWaitingTime = sum(waitingTime);
    const totalWorkingTime = sum(workingTime);
    const totalExitTime = sum(exitTime);
    const totalTime = totalStartUpTime + totalInitTime + totalWaitingTime +
      totalWorkingTime + totalExitTime;
    const ratio = (time: number) => time / (totalTime + EPSILON);
    const longest = this.#longest.entries;
    return {
      nCompletedTasks: each(COMPLETED),
      startUpTime,
      initTime,
      waitingTime,
      workingTime,
      exitTime,
      totalStartUpTime,
      totalInitTime,
      totalWaitingTime,
      totalWorkingTime,
      totalExitTime,
      totalTime,
      startUpTimeMean: mean(startUpTime),
      startUpTimeStd: deviation(startUpTime),
      initTimeMean: mean(initTime),
      initTimeStd: deviation(initTime),
      waitingTimeMean: mean(waitingTime),
      waitingTimeStd: deviation(waitingTime),
      workingTimeMean: mean(workingTime),
      workingTimeStd: deviation(workingTime),
      exitTimeMean: mean(exitTime),
      exitTimeStd: deviation(exitTime),
      startUpRatio: ratio(totalStartUpTime),
      initRatio: ratio(totalInitTime),
      waitingRatio: ratio(totalWaitingTime),
      workingRatio: ratio(totalWorkingTime),
      exitRatio: ratio(totalExitTime),
      top5MaxTaskDurations: longest.map(([duration]) => duration),
      top5MaxTaskArgs: longest.map(([, args]) => args),
    };
  }
}
