/**
 * What the pool needs from a runtime: one object for the side that owns the
 * workers, one for the inside of a worker. Each runtime has one file that
 * implements both; nothing else may ask which runtime it is on.
 *
 * @module
 */

/** How a worker ended without having been told to. */
export interface WorkerEnd {
  /** The exit code, where the runtime reports one. */
  exitCode?: number | undefined;
  /** The signal that ended it, such as `"SIGKILL"`. */
  signal?: string | undefined;
  /** Why it ended, such as the error that kept it from starting. */
  error?: unknown;
  /** The last that it wrote on stderr, where that is known. */
  stderr?: string | undefined;
}

/** What happens to a worker, as its owner sees it. */
export interface WorkerEvents {
  /** A message from the worker arrived. */
  onMessage(message: unknown): void;
  /** The worker is gone. Called at most once, and never after `terminate()`. */
  onEnd(end: WorkerEnd): void;
}

/** A worker, as its owner sees it. */
export interface WorkerPort {
  /** Sends a message. Throws when it cannot be cloned. */
  post(message: unknown, transfer: ArrayBuffer[]): void;
  /** Whether the worker keeps the program alive. A new one does. */
  keepAlive(on: boolean): void;
  /**
   * Stops the worker at once and no event follows. Resolves when it is gone,
   * or at once on runtimes that cannot stop a thread that does not yield.
   */
  terminate(): Promise<void>;
  /** Whether the worker, which has been terminated, is gone after `ms`. */
  isGoneAfter(ms: number): Promise<boolean>;
  /**
   * Waits for the end of a worker that has been told to close, and
   * terminates it after `grace` ms. No event follows.
   */
  waitForEnd(grace: number): Promise<void>;
}

/**
 * What runs in a worker: a script that evaluates to a function, which gets
 * for each text what evaluates that in turn, should it be needed.
 */
export type WorkerProgram = readonly [script: string, ...texts: string[]];

/** What a runtime can do, as data for the code that must adapt. */
export interface Capabilities {
  /** Whether `terminate()` stops a thread that never yields. */
  stopsBusyThreads: boolean;
  /** Whether the heap of a process can be limited. */
  limitsMemory: boolean;
  /** Whether shared memory that nobody needs makes the engine collect it. */
  weighsSharedMemory: boolean;
  /** Whether an array that holds a fraction is made longer in one piece. */
  lengthensNumbers: boolean;
}

/** A clock that is never set. */
export interface Clock {
  /** The time in ms, from some moment on. */
  now(): number;
}

/** How a process is to be. */
export interface ProcessOptions {
  /** The most that its heap may take, in MiB. */
  memoryLimit: number | undefined;
  /** Whether its messages are handed on as bytes. */
  isRelayed: boolean;
}

/** The side that owns the workers. */
export interface Runtime {
  /** The runtime's name. */
  readonly name: "node" | "deno" | "bun";
  /** What it can do. */
  readonly capabilities: Capabilities;
  /** Whether this code runs in the thread that the program started with. */
  isMainThread(): boolean;
  /**
   * Whether this is a process of a pool that has not come to its program, but
   * runs modules which the program's flags name.
   */
  isStarting(): boolean;
  /** The number of CPUs that the program may use, at least 1. */
  cpuCount(): number;
  /** Starts a thread that runs the program. */
  startThread(program: WorkerProgram, events: WorkerEvents): WorkerPort;
  /**
   * Starts a process that runs the program. Throws when this program may
   * not start processes.
   */
  startProcess(
    program: WorkerProgram,
    options: ProcessOptions,
    events: WorkerEvents,
  ): WorkerPort;
  /**
   * The URL of a module whose `register()` lets workers import TypeScript,
   * where they do not inherit that from the program.
   */
  typescriptLoader(forProcess: boolean): string | undefined;
  /**
   * Imports a module as the module at `base` would; without one, as a program
   * without a file does, from the current folder.
   */
  importFrom(
    specifier: string,
    base: string | undefined,
    options?: ImportCallOptions,
  ): Promise<unknown>;
  /** Lets a timer not keep the program alive. */
  unrefTimer(timer: unknown): void;
  /** A module of the runtime's Node layer, without an import statement. */
  builtin<T>(name: string): T;
}

/** The inside of a worker. */
export interface WorkerRuntime {
  /** Whether the worker is a process, whose end needs no telling. */
  readonly isProcess: boolean;
  /**
   * Receives messages, and why one that came cannot be read. Must be called
   * before the worker's script ends.
   */
  onMessage(
    handler: (message: unknown) => void,
    onUnreadable: (error: unknown) => void,
  ): void;
  /** Sends a message to the owner. Throws when it cannot be cloned. */
  post(message: unknown, transfer: ArrayBuffer[]): void;
  /** Waits until what was posted has left, if it has not. */
  drained(): Promise<void> | undefined;
  /** Has a process end at once when the process that owns it has ended. */
  endWithOwner?(): void;
  /** Calls `handler` when user code ends the worker, before it ends. */
  onExit(handler: (exitCode: number) => void): void;
  /** Calls `handler` for errors and rejections that nobody caught. */
  onStrayError(handler: (error: unknown) => void): void;
  /** Ends the worker after what was posted has left. */
  close(): void;
  /** Called once, before the first module of the user is imported. */
  beforeImport(typescriptLoader: string | undefined): Promise<void>;
  /**
   * Imports a module as the module at `base` would; without one, as a program
   * without a file does, from the current folder.
   */
  importFrom(
    specifier: string,
    base: string | undefined,
    options?: ImportCallOptions,
  ): Promise<unknown>;
  /** A module of the runtime's Node layer, without an import statement. */
  builtin<T>(name: string): T;
}
