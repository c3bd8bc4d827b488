// Shows worker state: something that is slow to make and cannot be sent, here
// a sieve and a formatter, is made once in each worker and kept there.
import { sharedArray, WorkerPool } from "../mod.ts"; // for you: "polypool"

interface State {
  isComposite: Uint8Array;
  format: Intl.NumberFormat;
}

// The workers count here how often each of them prepared itself.
const timesPrepared = sharedArray(Int32Array, 2);

await using pool = new WorkerPool({
  nJobs: 2,
  passWorkerId: true,
  sharedObjects: timesPrepared,
  useWorkerState: true,

  // Runs once in a worker, right before its first task.
  workerInit(workerId, timesPrepared, state: State) {
    timesPrepared[workerId]! += 1;
    const isComposite = new Uint8Array(1_000_000).fill(1, 0, 2);
    for (let i = 2; i * i < isComposite.length; i++) {
      for (let j = i * i; j < isComposite.length; j += i) isComposite[j] = 1;
    }
    state.isComposite = isComposite;
    state.format = new Intl.NumberFormat("en");
  },
});

// Every task gets the state of its worker, before its own arguments.
const results = await pool.map(
  (_workerId, _timesPrepared, state: State, from: number, to: number) => {
    let count = 0;
    for (let i = from; i < to; i++) count += 1 - state.isComposite[i]!;
    return state.format.format(count);
  },
  [[0, 10_000], [10_000, 100_000], [100_000, 1_000_000]],
  { chunkSize: 1 },
);

console.log(`primes below 10,000: ${results[0]}`);
console.log(`from 10,000 to 100,000: ${results[1]}`);
console.log(`from 100,000 to 1,000,000: ${results[2]}`);
console.log(
  `no worker prepared itself twice: ${Math.max(...timesPrepared) === 1}`,
);
