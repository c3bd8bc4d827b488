import type { WorkerEvents, WorkerPort } from "../runtime/contract.ts";
import type { Codec } from "../wire/codec.ts";
import type { ControlBlock } from "../wire/control.ts";
import type { ProgramGlobals, WorkerSetup } from "../wire/messages.ts";

/** What is known of a worker before it starts. */
export interface StartSetup extends Omit<WorkerSetup, "control"> {
  /** The most that the heap of a process may take, in MiB. */
  memoryLimit: number | undefined;
}

/** How the workers of a start method are started. */
export interface Starter {
  /** How values travel. */
  readonly codec: Codec;
  /** Whether workers run in the thread that called the pool. */
  readonly inThread: boolean;
  /** Whether workers are processes. */
  readonly isProcess: boolean;
  /** Whether a worker that never yields can be stopped. */
  readonly stopsBusyWorkers: boolean;
  /** Control words that a worker can share, if there can be such. */
  createControl(): ControlBlock | undefined;
  /** What the program has put on `globalThis`, if workers are to see it. */
  globals?(): ProgramGlobals;
  /**
   * Has the system begin with what the next worker needs, while the pool makes
   * what is its own. Where none follows in the same turn, that is undone.
   */
  prepare?(): void;
  /** Starts a worker. */
  start(events: WorkerEvents, setup: StartSetup): WorkerPort;
}
