// Shows a shared array: one memory that all workers write to. Nothing but the
// task's arguments travels; there are no results to send back.
import { sharedArray, WorkerPool } from "../mod.ts"; // for you: "polypool"

const numbers = Array.from({ length: 100 }, (_, i) => i / 10);
const squares = sharedArray(Float64Array, numbers.length);

await using pool = new WorkerPool({ nJobs: 4, sharedObjects: squares });

// The shared objects are the first argument. Of each element of the input,
// here [index, number], the array is spread into the arguments after it.
await pool.mapUnordered(
  (squares, i: number, x: number) => {
    squares[i] = x * x;
  },
  numbers.entries(),
);
console.log(`the square of ${numbers[99]} is ${squares[99]!.toFixed(2)}`);
console.log(`sum: ${squares.reduce((sum, x) => sum + x, 0).toFixed(2)}`);

// A shared array is a plain typed array on a SharedArrayBuffer. Several
// workers may write to the same element if they use Atomics.
const histogram = sharedArray(Int32Array, 10);
await pool.setSharedObjects(histogram).map((histogram, x: number) => {
  Atomics.add(histogram, Math.floor(x), 1);
}, numbers);
console.log(`how many begin with 0 ... 9: ${histogram.join(" ")}`);
