import { fileURLToPath } from "node:url";
import { workerUrl } from "../core/workload.ts";
import type { Adapter } from "./peer.ts";

export const workerpool: Adapter = async () => {
  const { default: library } = await import("workerpool");
  return (workers) => {
    const pool = library.pool(fileURLToPath(workerUrl("workerpool")), {
      minWorkers: workers,
      maxWorkers: workers,
      workerType: "thread",
    });
    return {
      // `async`, as what it returns is a promise of its own kind.
      call: async (name, argument) => await pool.exec(name, [argument], {}),
      close: async () => await pool.terminate(),
    };
  };
};
