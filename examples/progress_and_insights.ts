// Shows what can be seen of the work: a progress bar (on stderr), the same for
// programs by onProgress, and insights into where the workers' time went.
import { type Progress, WorkerPool } from "../mod.ts"; // for you: "polypool"

await using pool = new WorkerPool({ nJobs: 2, enableInsights: true });

let last: Progress | undefined;
await pool.map(
  async (time: number) => {
    await new Promise((resolve) => setTimeout(resolve, time));
  },
  Array.from({ length: 60 }, (_, i) => i === 17 ? 300 : 10),
  {
    progressBar: true,
    progressBarOptions: { desc: "sleeping" },
    onProgress: (progress) => last = progress,
  },
);
console.log(`done: ${last!.completed} of ${last!.total}`);

const insights = pool.getInsights();
const completed = insights.nCompletedTasks!.reduce((a, b) => a + b, 0);
console.log(`tasks: ${completed}`);
console.log(`the longest had the argument: ${insights.top5MaxTaskArgs![0]}`);
console.log(`working: ${insights.totalWorkingTime!.toFixed()} ms`);
console.log(`waiting: ${insights.totalWaitingTime!.toFixed()} ms`);

// All of it as text: pool.printInsights();
