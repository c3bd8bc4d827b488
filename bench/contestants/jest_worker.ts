import { fileURLToPath } from "node:url";
import { workerUrl } from "../core/workload.ts";
import * as tasks from "../workers/tasks.ts";
import type { Adapter } from "./peer.ts";

export const jestWorker: Adapter = async () => {
  const { Worker } = await import("jest-worker");
  return (workers) => {
    const pool = new Worker(fileURLToPath(workerUrl("tasks")), {
      numWorkers: workers,
      enableWorkerThreads: true,
      exposedMethods: Object.keys(tasks),
    });
    return {
      call: (name, argument) => pool[name]!(argument),
      close: () => pool["end"]!(undefined),
    };
  };
};
