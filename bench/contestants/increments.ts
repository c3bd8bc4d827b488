import { WorkerPool } from "../../mod.ts";
import type { Row, Session } from "../core/workload.ts";
import { peerRows } from "./peers.ts";

/** The rows of polypool and its peers, each by single calls that add 1. */
export function incrementRows(
  measure: (
    call: (x: number) => Promise<unknown>,
    close: () => unknown,
  ) => Promise<Session>,
): Record<string, Row> {
  return {
    "polypool": async () => {
      const pool = new WorkerPool({ nJobs: 2 });
      const task = (x: number) => x + 1;
      return await measure(
        (x) => pool.apply(task, [x]),
        () => pool.terminate(),
      );
    },
    ...peerRows((open) => {
      const pool = open(2);
      return measure((x) => pool.call("increment", x), () => pool.close());
    }),
  };
}
