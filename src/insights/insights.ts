import { TopFive } from "./top_five.ts";
import type { WorkerInsightsDelta } from "./worker_meter.ts";

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
   * of a few microseconds are measured together with their neighbours.
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

/** Gathers what the workers of a pool tell about their time. */
export class InsightsBook {
  readonly #nJobs: number;
  #nCompletedTasks!: number[];
  #startUpTime!: number[];
  #initTime!: number[];
  #waitingTime!: number[];
  #workingTime!: number[];
  #exitTime!: number[];
  #longest!: TopFive<string>;

  /** A book for workers 0 ... `nJobs - 1`. */
  constructor(nJobs: number) {
    this.#nJobs = nJobs;
    this.reset();
  }

  /** Forgets everything: all workers are started anew. */
  reset(): void {
    const zeros = () => new Array<number>(this.#nJobs).fill(0);
    this.#nCompletedTasks = zeros();
    this.#startUpTime = zeros();
    this.#initTime = zeros();
    this.#waitingTime = zeros();
    this.#workingTime = zeros();
    this.#exitTime = zeros();
    this.#longest = new TopFive();
  }

  /** A worker, maybe a replacement, took so long to start up, in ms. */
  startUp(workerId: number, elapsed: number): void {
    this.#startUpTime[workerId] = elapsed;
  }

  /** Adds what a worker has told. */
  add(workerId: number, delta: WorkerInsightsDelta): void {
    const [nCompleted, init, waiting, working, exit, longest] = delta;
    this.#nCompletedTasks[workerId]! += nCompleted;
    this.#initTime[workerId]! += init;
    this.#waitingTime[workerId]! += waiting;
    this.#workingTime[workerId]! += working;
    this.#exitTime[workerId]! += exit;
    for (const [duration, args] of longest) this.#longest.add(duration, args);
  }

  /** The figures as they stand. */
  snapshot(): WorkerPoolInsights {
    const totalStartUpTime = sum(this.#startUpTime);
    const totalInitTime = sum(this.#initTime);
    const totalWaitingTime = sum(this.#waitingTime);
    const totalWorkingTime = sum(this.#workingTime);
    const totalExitTime = sum(this.#exitTime);
    const totalTime = totalStartUpTime + totalInitTime + totalWaitingTime +
      totalWorkingTime + totalExitTime;
    const ratio = (time: number) => time / (totalTime + EPSILON);
    const longest = this.#longest.entries;
    return {
      nCompletedTasks: [...this.#nCompletedTasks],
      startUpTime: [...this.#startUpTime],
      initTime: [...this.#initTime],
      waitingTime: [...this.#waitingTime],
      workingTime: [...this.#workingTime],
      exitTime: [...this.#exitTime],
      totalStartUpTime,
      totalInitTime,
      totalWaitingTime,
      totalWorkingTime,
      totalExitTime,
      totalTime,
      startUpTimeMean: mean(this.#startUpTime),
      startUpTimeStd: deviation(this.#startUpTime),
      initTimeMean: mean(this.#initTime),
      initTimeStd: deviation(this.#initTime),
      waitingTimeMean: mean(this.#waitingTime),
      waitingTimeStd: deviation(this.#waitingTime),
      workingTimeMean: mean(this.#workingTime),
      workingTimeStd: deviation(this.#workingTime),
      exitTimeMean: mean(this.#exitTime),
      exitTimeStd: deviation(this.#exitTime),
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
