import { workerUrl } from "../core/workload.ts";
import type { Adapter } from "./peer.ts";

export const tinypool: Adapter = async () => {
  const { Tinypool } = await import("tinypool");
  return (workers) => {
    const pool = new Tinypool({
      filename: workerUrl("tasks").href,
      minThreads: workers,
      maxThreads: workers,
    });
    return {
      call: (name, argument) => pool.run(argument, { name }),
      close: () => pool.destroy(),
    };
  };
};
