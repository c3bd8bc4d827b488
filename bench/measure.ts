// One contestant in one workload, in a process of its own: gets ready, then
// runs once for each line that it is sent. run.ts starts it, after building.
//
//   measure.js <workload> <contestant> [--quick]
import process from "node:process";
import { createInterface } from "node:readline";
import { MARK } from "./core/protocol.ts";
import { workloads } from "./workloads/all.ts";

function tell(message: unknown): void {
  process.stdout.write(`${MARK}${JSON.stringify(message)}\n`);
}

const [name, contestant, ...flags] = process.argv.slice(2);
const workload = workloads[name!]!;
const quick = flags.includes("--quick");
try {
  const session = await workload.rows(quick)[contestant!]!();
  // Code is compiled and memory had before it counts.
  if (!workload.fresh && workload.rounds !== 1) {
    const start = performance.now();
    for (let i = 0; i < 2 || performance.now() - start < 500; i++) {
      await session.sample();
    }
  }
  tell({ ready: true });
  for await (const line of createInterface({ input: process.stdin })) {
    if (line !== "go") break;
    tell(await session.sample());
  }
} catch (error) {
  tell({ error: error instanceof Error ? error.message : String(error) });
}
// Not every contestant ends by itself.
process.exit();
