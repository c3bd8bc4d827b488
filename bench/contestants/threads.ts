import type { Adapter } from "./peer.ts";

export const threads: Adapter = async () => {
  const { Pool, spawn, Worker } = await import("threads");
  return (workers) => {
    // Taken as relative to the file that this is built into.
    const file = "./workers/threads.js";
    const pool = Pool(() => spawn(new Worker(file)), workers);
    return {
      call: async (name, argument) =>
        await pool.queue((worker) => worker[name]!(argument)),
      close: () => pool.terminate(true),
    };
  };
};
