import process from "node:process";

/** What one run gave: its value in the workload's unit, and what else was seen. */
export interface Reading {
  value: number;
  /** Figures that are shown beside the value, such as megabytes of memory. */
  extras?: Record<string, number>;
  /** A figure over time, such as the megabytes in use. */
  series?: number[];
}

/** A contestant that is ready to run. */
export interface Session {
  /** Runs the workload once. Rejects if the result is wrong. */
  sample(): Promise<Reading>;
  close(): Promise<unknown>;
}

/** Gets a contestant ready; it runs in a process of its own. */
export type Row = () => Promise<Session>;

/** Something to measure. */
export interface Workload {
  title: string;
  unit: string;
  /** The row that all others are divided by. */
  control: string;
  /** What polypool is to reach. */
  target: string;
  /**
   * Runs that are counted.
   *
   * @default {5}, or what the command line says
   */
  rounds?: number;
  /**
   * Whether each run is the first thing that its process does.
   *
   * @default {false}
   */
  fresh?: boolean;
  /** The contestants. */
  rows(quick: boolean): Record<string, Row>;
}

/** What {@linkcode timed} measures. */
export interface Timed<I, R> {
  /** Makes the input, before the clock starts. */
  prepare?: () => I;
  run: (input: I) => R | Promise<R>;
  /** Throws if the result is wrong; runs after the clock has stopped. */
  check: (result: R) => void;
  close?: () => unknown;
  /**
   * What milliseconds are multiplied with.
   *
   * @default {1}
   */
  scale?: number;
}

/** A session whose value is the time that a run takes. */
export function timed<I, R>(
  { prepare, run, check, close, scale = 1 }: Timed<I, R>,
): Session {
  return {
    async sample() {
      const input = prepare?.() as I;
      const start = performance.now();
      const result = await run(input);
      const ms = performance.now() - start;
      check(result);
      return { value: ms * scale };
    },
    close: async () => await close?.(),
  };
}

/** What milliseconds for so many tasks are multiplied with to give nanoseconds for one. */
export const nsPerTask = (tasks: number): number => 1e6 / tasks;

/** Throws unless the two are the same. */
export function expectSame(actual: unknown, expected: unknown): void {
  if (!Object.is(actual, expected)) {
    throw new Error(`wrong result: ${actual} instead of ${expected}`);
  }
}

/** Throws unless there are so many results and each is what it should be. */
export function expectAll<R>(
  results: ArrayLike<R>,
  length: number,
  isRight: (result: R, index: number) => boolean,
): void {
  expectSame(results.length, length);
  for (let i = 0; i < length; i++) {
    if (!isRight(results[i]!, i)) throw new Error(`wrong result ${i}`);
  }
}

/** The memory of this process, in megabytes. */
export const rssMegabytes = (): number => process.memoryUsage().rss / 2 ** 20;

/** Where a built worker file lies; all code is in one file beside that folder. */
export const workerUrl = (name: string): URL =>
  new URL(`./workers/${name}.js`, import.meta.url);

/** Numbers from 0 to 1 that are the same in every run (mulberry32). */
export function randomNumbers(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
