import { fileURLToPath } from "node:url";
import { workerUrl } from "../core/workload.ts";
import type { Adapter } from "./peer.ts";

export const poolifier: Adapter = async () => {
  const { FixedThreadPool } = await import("poolifier");
  return (workers) => {
    const file = fileURLToPath(workerUrl("poolifier"));
    const pool = new FixedThreadPool(workers, file);
    return {
      call: (name, argument) => pool.execute(argument, name),
      close: () => pool.destroy(),
    };
  };
};
