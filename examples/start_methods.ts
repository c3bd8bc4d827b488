// The same program with workers of each kind: threads, and processes that share
// memory with the program (see the README for what that takes).
import { sharedArray, WorkerPool } from "../mod.ts"; // for you: "polypool"

const numbers = Array.from({ length: 1000 }, (_, i) => i);

for (
  const startMethod of ["threading", "fork", "spawn", "forkserver"] as const
) {
  const squares = sharedArray(Float64Array, numbers.length);
  const sums = sharedArray(Int32Array, numbers.length);
  const remainders = sharedArray(Int32Array, numbers.length);
  const pool = new WorkerPool({
    nJobs: 2,
    startMethod,
    sharedObjects: { squares, sums, remainders },
    passWorkerId: true,
    useWorkerState: true,
    // Each worker loads its model once and keeps a sum of its own.
    workerInit: (_id, _shared, state) => {
      state.model = { scale: 3 };
      state.sum = 0;
    },
    workerExit: (id, _shared, state) => [id, state.sum],
  });
  const scaled = await pool.map(
    (_id, { squares, sums, remainders }, state, i: number, x: number) => {
      squares[i] = x * x;
      sums[i] = x + 1000;
      remainders[i] = x % 7;
      state.sum += x;
      return x * state.model.scale;
    },
    numbers.entries(),
  );
  await pool.join();

  const perWorker = pool.getExitResults() as [id: number, sum: number][];
  const total = perWorker.reduce((total, [, sum]) => total + sum, 0);
  console.log(
    `${startMethod}: 999 squared is ${squares[999]}, plus 1000 ${sums[999]}, ` +
      `modulo 7 ${remainders[999]}, scaled ${scaled[999]}; ` +
      `the workers' sums make ${total}`,
  );
}
