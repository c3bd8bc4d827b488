// Shows timeouts: a task that takes too long is given up, even one that never
// comes to an end. Its worker is stopped and replaced; the other tasks run on.
import { TimeoutError, WorkerPool } from "../mod.ts"; // for you: "polypool"

await using pool = new WorkerPool({ nJobs: 2, taskTimeout: 300 });

async function countDown(from: number): Promise<string> {
  if (from < 0) await new Promise(() => {}); // Waits for ever.
  for (let i = from; i !== 0; i--); // Of a fraction there is no end either.
  return `${from}, ..., 0`;
}

const results = await pool.map(countDown, [1000, 0.5, 2000, -1, 3000], {
  onError: "settle",
});
for (const result of results) {
  if (result.status === "fulfilled") {
    console.log(result.value);
  } else if (result.reason instanceof TimeoutError) {
    console.log(`${result.reason.name}, stage "${result.reason.stage}"`);
  }
}

// A call may have a timeout of its own.
const patient = await pool.apply(
  async (time: number) => {
    await new Promise((resolve) => setTimeout(resolve, time));
    return "worth the wait";
  },
  [600],
  { taskTimeout: 10_000 },
);
console.log(patient);
