// Shows the worker ID: each worker adds up what it sees, in an element of a
// shared array that is its own. No two workers write to the same element, so
// there is nothing to lock.
import { sharedArray, WorkerPool } from "../mod.ts"; // for you: "polypool"

const nJobs = 4;
const sums = sharedArray(Float64Array, nJobs);

await using pool = new WorkerPool({
  nJobs,
  passWorkerId: true,
  sharedObjects: sums,
  // Chunk i goes to worker i % nJobs: without this, who is free takes it.
  orderTasks: true,
});

// Leading arguments come in a fixed order: worker ID, shared objects, state.
await pool.map(
  (workerId, sums, x: number) => {
    sums[workerId]! += x;
  },
  Array.from({ length: 1000 }, (_, i) => i),
  { chunkSize: 10 },
);

for (const [workerId, sum] of sums.entries()) {
  console.log(`worker ${workerId}: ${sum}`);
}
console.log(`all: ${sums.reduce((a, b) => a + b, 0)}`);
