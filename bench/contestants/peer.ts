import type * as tasks from "../workers/tasks.ts";

/** The name of a task function. */
export type TaskName = keyof typeof tasks;

/** A pool of somebody else's, as its users call it: one call a task. */
export interface Peer {
  call(task: TaskName, argument: unknown): Promise<unknown>;
  close(): Promise<unknown>;
}

/** Loads the library; what it returns makes a pool of so many workers. */
export type Adapter = () => Promise<(workers: number) => Peer>;
