// The pool under test. The matrix runs the files that import it once for each
// start method that has workers of its own.
import process from "node:process";
import { type StartMethod, WorkerPool as Pool } from "../../mod.ts";

/** The start method of pools that name none. */
export const startMethod: StartMethod =
  (process.env["POLYPOOL_TEST_START_METHOD"] ?? "threading") as StartMethod;

/** Whether workers are threads of the process that runs the tests. */
export const inThreads: boolean = startMethod === "threading";

const Base = Pool as unknown as new (options: object) => object;

class TestedPool extends Base {
  constructor(options: object = {}) {
    const isOpen = options?.constructor === Object &&
      !Object.hasOwn(options, "startMethod");
    super(isOpen ? { startMethod, ...options } : options);
  }
}

/** `WorkerPool` with the start method under test. */
export const WorkerPool: typeof Pool = TestedPool as unknown as typeof Pool;

/** Its type. */
export type WorkerPool<
  Shared = undefined,
  PassId extends boolean = false,
  UseState extends boolean = false,
> = Pool<Shared, PassId, UseState>;
