// What workers cost that have nothing to do.
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { WorkerPool } from "../../mod.ts";
import { peerRows } from "../contestants/peers.ts";
import { RawWorkers } from "../contestants/raw.ts";
import type { Reading, Row, Session, Workload } from "../core/workload.ts";

const WORKERS = 8;

function rows(quick: boolean): Record<string, Row> {
  const ms = quick ? 3000 : 10_000;

  function session(close: () => unknown): Session {
    return {
      async sample(): Promise<Reading> {
        await sleep(1000);
        const before = process.cpuUsage();
        const start = performance.now();
        await sleep(ms);
        const { user, system } = process.cpuUsage(before);
        const elapsed = performance.now() - start;
        return { value: (user + system) / 10 / elapsed };
      },
      close: async () => await close(),
    };
  }

  const inputs = Array.from({ length: WORKERS * 4 }, (_, i) => i);
  return {
    "raw": async () => {
      const workers = await RawWorkers.start(WORKERS);
      await workers.map("increment", inputs, { ahead: 1 });
      return session(() => workers.stop());
    },
    "polypool": async () => {
      const pool = new WorkerPool({ nJobs: WORKERS });
      await pool.map((x: number) => x + 1, inputs, { chunkSize: 1 });
      return session(() => pool.terminate());
    },
    ...peerRows(async (open) => {
      const pool = open(WORKERS);
      await Promise.all(inputs.map((x) => pool.call("increment", x)));
      return session(() => pool.close());
    }),
  };
}

export const idle: Workload = {
  title: "Eight idle workers",
  unit: "% of a core",
  control: "raw",
  target: "< 0.5 % of a core",
  rounds: 1,
  rows,
};
