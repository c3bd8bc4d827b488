// Shows onError: "settle": a task that fails costs only its own result, even
// if it takes its worker with it. Results are as from Promise.allSettled().
import { WorkerDiedError, WorkerPool } from "../mod.ts"; // for you: "polypool"

await using pool = new WorkerPool({ nJobs: 2 });

const lines = [
  '{"price": 3}',
  '{"price": ',
  '{"cost": 4}',
  "crash",
  '{"price": 5}',
];

const results = await pool.map(
  async (line: string) => {
    if (line === "crash") {
      const { default: process } = await import("node:process");
      process.exit(3);
    }
    const { price } = JSON.parse(line);
    if (price === undefined) throw new RangeError("there is no price");
    return price as number;
  },
  lines,
  { onError: "settle" },
);

for (const [i, result] of results.entries()) {
  if (result.status === "fulfilled") {
    console.log(`line ${i}: ${result.value}`);
  } else if (result.reason instanceof WorkerDiedError) {
    console.log(
      `line ${i}: the worker ended with exit code ${result.reason.exitCode}`,
    );
  } else {
    // What a SyntaxError says differs among engines; its class does not.
    console.log(`line ${i}: ${result.reason.name}`);
  }
}
const prices = results.map((r) => r.status === "fulfilled" ? r.value : 0);
console.log(`sum of the good ones: ${prices.reduce((a, b) => a + b, 0)}`);
