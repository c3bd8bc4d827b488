import { bun, bunWorker } from "./bun.ts";
import type { Clock, Runtime, WorkerRuntime } from "./contract.ts";
import { deno, denoWorker } from "./deno.ts";
import { createNode, nodeClock, nodeWorker } from "./node.ts";

// By names that only the runtime itself has: shims of `Deno` for Node and
// the DOM names of Bun's main thread have misled others.
const scope = globalThis as {
  Deno?: { version?: { deno?: string } };
  Bun?: { version?: string };
};

const name = scope.Bun?.version
  ? "bun"
  : scope.Deno?.version?.deno
  ? "deno"
  : "node";

// No look-up in an object: a bundler can then leave out the one that is not
// used, as in the program of workers.
/** The runtime this code runs on, as the owner of workers. */
export const runtime: Runtime = name === "node"
  ? /* @__PURE__ */ createNode()
  : name === "deno"
  ? deno
  : bun;

/** The runtime this code runs on, as seen from inside a worker. */
export const workerRuntime: WorkerRuntime = name === "node"
  ? nodeWorker
  : name === "deno"
  ? denoWorker
  : bunWorker;

/** The clock of this thread. */
export const clock: Clock = name === "node" ? nodeClock() : performance;
