// Shows workerLifespan: after so many tasks a worker is replaced by a fresh
// one, which helps where tasks leak memory. The old one runs its workerExit.
import { WorkerPool } from "../mod.ts"; // for you: "polypool"

interface State {
  tasks: number;
}

const pool = new WorkerPool({
  nJobs: 2,
  workerLifespan: 5,
  useWorkerState: true,
  orderTasks: true,
  workerInit(state: State) {
    state.tasks = 0;
  },
  workerExit: (state: State) => state.tasks,
});

const ages = await pool.map(
  (state: State, _task: number) => ++state.tasks,
  Array.from({ length: 30 }, (_, i) => i),
  { chunkSize: 1 },
);
console.log(`oldest worker: ${Math.max(...ages)} tasks`);

await pool.join();
const results = pool.getExitResults();
console.log(`${results.length} workers, tasks of each: ${results.join(" ")}`);
