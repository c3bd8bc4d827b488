/**
 * What a worker leaves on `globalThis` for the copy of this library that the
 * user's modules import there: the bundled worker entry and that copy are two
 * programs.
 *
 * @module
 */

import { runtime } from "../runtime/detect.ts";

const key = Symbol.for("polypool.worker");

/** A function that was wrapped by `task()`. */
export interface RegisteredTask {
  /** How many of its module were before it. */
  ordinal: number;
  name: string;
  /** Stands for its text. */
  print: string;
  // deno-lint-ignore ban-types
  task: Function;
}

/** The worker, as the library imported inside it sees it. */
export interface WorkerScope {
  /** The worker's ID in its pool. */
  workerId: number;
  /** What workers need to import TypeScript; pools made here pass it on. */
  typescriptLoader: string | undefined;
  /** Takes note of a function wrapped by `task()`. */
  register(url: string, task: RegisteredTask): void;
  /**
   * Whether the running code belongs to a task. Code that does not belongs to
   * a module that the worker imports to find a function.
   */
  isInTask(): boolean;
  /** A pool outside any task was called, which never settles. */
  noteInertCall(): void;
}

const scope = globalThis as { [key]?: WorkerScope };

/** Stands for the worker of a process that has not come to its program. */
const starting: WorkerScope = {
  workerId: -1,
  typescriptLoader: undefined,
  register() {},
  isInTask: () => false,
  noteInertCall() {
    // Who awaits it would keep the process from ever coming to that.
    throw new Error(
      "Cannot run tasks as each process of a pool loads this module before " +
        "its own program: guard the pool with isMainThread",
    );
  },
};

/** The worker this code runs in, if any. */
export function currentWorker(): WorkerScope | undefined {
  return scope[key] ?? (runtime.isStarting() ? starting : undefined);
}

/** Marks this realm as a worker. */
export function enterWorker(worker: WorkerScope): void {
  scope[key] = worker;
}
