// Shows onError: "settle" with a taskTimeout: of many inputs some take for
// ever. Each costs only its own result, and those can be tried in another way.
import { TimeoutError, WorkerPool } from "../mod.ts"; // for you: "polypool"

await using pool = new WorkerPool({ nJobs: 2, taskTimeout: 500 });

/** How many steps of Collatz lead to 1; of some inputs there is no end. */
async function steps(n: number): Promise<number> {
  if (n < 1) await new Promise(() => {}); // A service that does not answer.
  let count = 0;
  for (; n !== 1; count++) n = n % 2 === 0 ? n / 2 : 3 * n + 1;
  return count;
}

const inputs = [27, 97, -1, 871, 6171, -2, 77031];
const results = await pool.map(steps, inputs, { onError: "settle" });

const late: number[] = [];
for (const [i, result] of results.entries()) {
  const n = inputs[i]!;
  if (result.status === "fulfilled") {
    console.log(`${n}: ${result.value} steps`);
  } else if (result.reason instanceof TimeoutError) {
    late.push(n);
    console.log(`${n}: no end within ${result.reason.timeout / 1000} s`);
  } else {
    throw result.reason;
  }
}

// The workers that hung have been replaced: the pool is as good as new.
const again = await pool.map(steps, late.map((n) => -n));
for (const [i, n] of late.entries()) {
  console.log(`${n} in another way: ${again[i]} steps`);
}
