// Shows mapChunks(): the task gets a whole slice of a typed array at once and
// returns an array; the results are joined. Little travels per element, and
// the loop inside the task runs at full speed.
import { sharedArray, WorkerPool } from "../mod.ts"; // for you: "polypool"

const samples = Float64Array.from({ length: 1_000_000 }, (_, i) => i % 1000);

await using pool = new WorkerPool({ nJobs: 2 });

const roots = await pool.mapChunks(
  (slice: Float64Array) => slice.map((x) => Math.sqrt(x)),
  samples,
);
console.log(`${roots.constructor.name} of ${roots.length}`);
console.log(`root of ${samples[999_424]} is ${roots[999_424]!.toFixed(4)}`);

// With concatenateOutput: false the results stay apart, one for each slice,
// and may be anything: here partial sums.
const sums = await pool.mapChunks(
  (slice: Float64Array) => slice.reduce((sum, x) => sum + x, 0),
  samples,
  { nSplits: 10, concatenateOutput: false },
);
console.log(`${sums.length} sums, together ${sums.reduce((a, b) => a + b, 0)}`);

// Slices of a shared array are views of the same memory: the task may work in
// place, and nothing is copied either way.
const shared = sharedArray(Float64Array, samples);
await pool.mapChunks(
  (slice: Float64Array) => {
    for (const [i, x] of slice.entries()) slice[i] = x / 1000;
    return [];
  },
  shared,
);
console.log(`largest in place: ${shared.reduce((a, b) => Math.max(a, b))}`);
