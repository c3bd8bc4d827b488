// Shows progress: a bar on stderr while a map runs, and onProgress for programs
// that want to tell by themselves. Run it in a terminal to see the bars move.
import { WorkerPool } from "../mod.ts"; // for you: "polypool"

await using pool = new WorkerPool({ nJobs: 2 });

async function work(ms: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return ms;
}
const pauses = Array.from({ length: 60 }, (_, i) => i % 20);

await pool.map(work, pauses, {
  progressBar: true,
  progressBarOptions: { desc: "Pauses", unit: "pause" },
});

// Two calls at the same time, each with a line of its own.
await Promise.all(
  ["first", "second"].map((desc, position) =>
    pool.map(work, pauses, {
      progressBar: true,
      progressBarOptions: { desc, position },
    })
  ),
);

// The same as figures: at most ten times a second, and at the end.
let calls = 0;
let last = "";
await pool.map(work, pauses, {
  onProgress({ completed, total, elapsed, remaining = 0 }) {
    calls++;
    last = `${completed} of ${total} are done`;
    console.log(`${last} after ${elapsed} ms, ${remaining} ms left`);
  },
});
console.log(last);
console.log(`told now and then, not for each task: ${calls < pauses.length}`);
