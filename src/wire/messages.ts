/**
 * What the owner of a worker and the worker say to each other: tuples whose
 * first element tells which kind they are.
 *
 * @module
 */

import type { LongTask } from "../insights/worker_meter.ts";
import type { WorkerProgram } from "../runtime/contract.ts";
import type { PackedError } from "./errors.ts";
import type { ListPayload } from "./list.ts";
import type { Packed } from "./values.ts";

/** How the worker comes to a function. */
export type FunctionDefinition =
  /** By its source text, with free variables from `closure`. */
  | {
    kind: "text";
    name: string;
    text: string;
    /** The module whose `import()` calls inside the text resolve against. */
    base: string | undefined;
    closure: Packed | undefined;
    /** Functions among the closure's properties, as text. */
    closureTexts: Record<string, string>;
    /**
     * Whether it serves several calls: each task then finds the variables of
     * the closure as they were given. They hold nothing that can be changed.
     */
    isShared: boolean;
  }
  /** Wrapped by `task()`. */
  | TaskDefinition
  /** Exported as `name` by the module at `url`. */
  | { kind: "export"; name: string; url: string }
  /** The function itself: only where owner and worker share a thread. */
  // deno-lint-ignore ban-types
  | { kind: "direct"; name: string; value: Function };

/** The `ordinal`-th function that the module at `url` wraps by `task()`. */
export interface TaskDefinition {
  kind: "task";
  name: string;
  url: string;
  ordinal: number;
  /** What stands for the texts of all that the module has wrapped so far. */
  prints: readonly string[];
}

/** What a worker must know before its first task. */
export interface WorkerSetup {
  workerId: number;
  passWorkerId: boolean;
  useWorkerState: boolean;
  /** Shared objects in a box of their own, as any value may be passed. */
  sharedObjects: { packed: Packed } | undefined;
  workerInit: FunctionDefinition | undefined;
  workerExit: FunctionDefinition | undefined;
  /** CPUs to run on. */
  cpuIds: readonly number[] | undefined;
  /** Modules to import before the first task, as from the module `base`. */
  preload: { specifier: string; base: string | undefined }[];
  /** Whether it counts where its time goes. */
  measures: boolean;
  typescriptLoader: string | undefined;
  /** See control.ts. */
  control: Int32Array;
}

/** The same as it is sent. */
export interface SentSetup extends Omit<WorkerSetup, "control"> {
  /** None where the worker's memory is its own. */
  control: Packed | undefined;
  /** The binding by which a process opens shared memory. */
  nativeModule: string | undefined;
  /** What the program has put on `globalThis`. */
  globals: ProgramGlobals | undefined;
}

/** What a process can do before it is a worker. */
export interface PreparedSetup {
  preload: WorkerSetup["preload"];
  typescriptLoader: string | undefined;
  nativeModule: string | undefined;
}

/** What a fork server must know. */
export interface ServerSetup {
  /** What its processes run. */
  program: WorkerProgram;
  nativeModule: string | undefined;
}

/** What a program has put on `globalThis`. */
export interface ProgramGlobals {
  values: Packed;
  /** Functions, by their source text. */
  texts: Record<string, string>;
}

/** How the tasks of a chunk are run. */
export interface ChunkMode {
  /** Asynchronous tasks that run at the same time. */
  concurrency: number;
  /**
   * Each task stands for itself: results leave before the next task begins,
   * and a failure does not end the chunk. The owner knows exactly which tasks
   * have begun, as others may go to another worker.
   */
  isolated: boolean;
  /** The time that a task may take, in ms. */
  taskTimeout: number | undefined;
  /** Whether the worker itself must keep that time. */
  timesItself: boolean;
  /** The time that its init function may take, if it must keep that, in ms. */
  initTimeout?: number | undefined;
}

/** How most calls of `apply()` run: what is mostly sent shall be little. */
export const ONE_BY_ONE: ChunkMode = {
  concurrency: 1,
  isolated: true,
  taskTimeout: undefined,
  timesItself: false,
};

/** Whether tasks are run so. */
export function isOneByOne(mode: ChunkMode): boolean {
  const { concurrency, isolated, taskTimeout, timesItself, initTimeout } = mode;
  return concurrency === 1 && isolated && taskTimeout === undefined &&
    !timesItself && initTimeout === undefined;
}

/** A method of a managed object that a worker calls, see managed/. */
export interface ManagedCall {
  /** Whose. */
  id: string;
  kind: string;
  method: string;
  args: Packed;
}

// Owner to worker.
export const SETUP = 0;
export const DEFINE = 1;
export const FORGET = 2;
export const CHUNK = 3;
export const STOP = 4;
export const SKIP = 5;
export const PREPARE = 6;
export const SERVE = 7;
export const MANAGED_REPLY = 8;

/** A message to a worker. */
export type ToWorker =
  | [typeof SETUP, SentSetup]
  | [typeof DEFINE, functionId: number, FunctionDefinition]
  | [typeof FORGET, functionId: number]
  | [
    typeof CHUNK,
    sequence: number,
    functionId: number,
    /** None is ONE_BY_ONE. */
    ChunkMode | undefined,
    elements: ListPayload,
  ]
  | [typeof STOP]
  /** Get ready to become a worker. */
  | [typeof PREPARE, PreparedSetup]
  /** Become a fork server. */
  | [typeof SERVE, ServerSetup]
  /** Leave what has not begun: where no control words tell it. */
  | [typeof SKIP, sequence: number]
  /** What a method of a managed object gave. */
  | [
    typeof MANAGED_REPLY,
    requestId: number,
    { result: Packed } | { error: PackedError },
  ];

// Worker to owner. User code may say something, too, but hardly such numbers.
export const READY = 0x706f_6f60;
export const RESULTS = 0x706f_6f61;
export const FAILED = 0x706f_6f62;
export const UNRUNNABLE = 0x706f_6f63;
export const EXITING = 0x706f_6f64;
export const STRAY = 0x706f_6f65;
export const STOPPED = 0x706f_6f66;
export const UNSTARTABLE = 0x706f_6f67;
export const AT = 0x706f_6f68;
export const PHASE = 0x706f_6f69;
export const COUNTED = 0x706f_6f6a;
export const MANAGED = 0x706f_6f6b;

/** One failed task of an isolated chunk. */
export type Failure = [taskIndex: number, PackedError];

/** What a worker tells when a chunk has ended: how long it took, in ms. */
export type ChunkEnd = [elapsed: number, longest?: LongTask[]];

/** A message from a worker. */
export type FromWorker =
  /** The worker can take tasks. */
  | [typeof READY]
  /**
   * Results of consecutive tasks. With the last ones of a chunk comes its end.
   */
  | [
    typeof RESULTS,
    sequence: number,
    first: number,
    results: ListPayload,
    failures: Failure[] | undefined,
    end: ChunkEnd | undefined,
  ]
  /** A task threw, and with it ended a chunk that is not isolated. */
  | [
    typeof FAILED,
    sequence: number,
    taskIndex: number,
    PackedError,
    longest: LongTask[] | undefined,
  ]
  /**
   * No task of the chunk can run: its function cannot be had, or the worker's
   * init function failed.
   */
  | [
    typeof UNRUNNABLE,
    sequence: number,
    PackedError,
    stage: "function" | "workerInit",
  ]
  /** A module that must be preloaded cannot be. */
  | [typeof UNSTARTABLE, PackedError]
  /** How many tasks have begun: where no control words tell it. */
  | [typeof AT, sequence: number, begun: number]
  /** What the worker is at: where no control words tell it. */
  | [typeof PHASE, phase: number]
  /** What the worker has counted: where no control words tell it. */
  | [typeof COUNTED, counters: readonly number[]]
  /** Asks the owner to call a method of a managed object. */
  | [typeof MANAGED, requestId: number, ManagedCall]
  /** User code ends the worker. */
  | [typeof EXITING, exitCode: number]
  /** An error that nobody caught. */
  | [typeof STRAY, PackedError]
  /** Answer to STOP, with what the worker's exit function gave. */
  | [
    typeof STOPPED,
    exit: { result: Packed } | { error: PackedError } | undefined,
    longest: LongTask[] | undefined,
  ];
