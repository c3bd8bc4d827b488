// Shows insights: where the workers' time goes, and which tasks took longest.
// A low working ratio says that workers wait, start or end more than they work.
import { WorkerPool } from "../mod.ts"; // for you: "polypool"

await using pool = new WorkerPool({ nJobs: 2, enableInsights: true });

function countPrimes(from: number, to: number): number {
  let count = 0;
  for (let n = Math.max(from, 2); n < to; n++) {
    let isPrime = true;
    for (let i = 2; i * i <= n && isPrime; i++) isPrime = n % i !== 0;
    if (isPrime) count++;
  }
  return count;
}

const ranges = Array.from(
  { length: 20 },
  (_, i): [number, number] => [i * 5000, (i + 1) * 5000],
);
// One range is much longer than the others.
ranges[7] = [35_000, 400_000];

const results = await pool.map(countPrimes, ranges, { chunkSize: 1 });
console.log(`${results.length} ranges, the first has ${results[0]} primes`);

const insights = pool.getInsights();
if (insights.nCompletedTasks) {
  const total = insights.nCompletedTasks.reduce((sum, n) => sum + n, 0);
  console.log(`tasks completed: ${total}`);
  console.log(`the longest one: ${insights.top5MaxTaskArgs[0]}`);
  const percent = (insights.workingRatio * 100).toFixed(0);
  console.log(`${insights.totalWorkingTime} ms of work, ${percent} % of all`);
}

// A report for people, with all figures:
// pool.printInsights();
