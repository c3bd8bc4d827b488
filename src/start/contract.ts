import type { WorkerEvents, WorkerPort } from "../runtime/contract.ts";
import type { Codec } from "../wire/codec.ts";

/** How the workers of a start method are started. */
export interface Starter {
  /** How values travel. */
  readonly codec: Codec;
  /** Whether workers run in the thread that called the pool. */
  readonly inThread: boolean;
  /** Whether a worker that never yields can be stopped. */
  readonly stopsBusyWorkers: boolean;
  /** Starts a worker. */
  start(events: WorkerEvents): WorkerPort;
}
