// MPIRE's third benchmark: a model that each worker loads once.
import { importTasks, WorkerPool } from "../../mod.ts";
import { peerRows } from "../contestants/peers.ts";
import { RawWorkers } from "../contestants/raw.ts";
import {
  expectAll,
  type Row,
  timed,
  workerUrl,
  type Workload,
} from "../core/workload.ts";
import { loadModel, predictWith } from "../workers/tasks.ts";

function rows(quick: boolean): Record<string, Row> {
  const inputs = Array.from({ length: quick ? 50 : 500 }, (_, i) => i);
  const model = loadModel();
  const expected = inputs.map((x) => predictWith(model, x));
  const check = (results: unknown[]) =>
    expectAll(results, inputs.length, (result, i) => result === expected[i]);

  return {
    "raw": () => {
      const run = async () => {
        const workers = await RawWorkers.start(2);
        const results = await workers.map("predict", inputs);
        await workers.stop();
        return results;
      };
      return Promise.resolve(timed({ run, check }));
    },
    "polypool": () =>
      Promise.resolve(timed({ run: () => predictWithState(inputs), check })),
    "serial": () => {
      const run = () => {
        const model = loadModel();
        return inputs.map((x) => predictWith(model, x));
      };
      return Promise.resolve(timed({ run, check }));
    },
    ...peerRows((open) => {
      const run = async () => {
        const pool = open(2);
        const calls = inputs.map((x) => pool.call("predict", x));
        const results = await Promise.all(calls);
        await pool.close();
        return results;
      };
      return timed({ run, check });
    }),
  };
}

async function predictWithState(inputs: number[]): Promise<number[]> {
  const { keepModel, predictFromState } = importTasks<
    typeof import("../workers/tasks.ts")
  >(workerUrl("tasks"));
  await using pool = new WorkerPool({
    nJobs: 2,
    useWorkerState: true,
    workerInit: keepModel,
  });
  return await pool.map(predictFromState, inputs);
}

export const expensiveInit: Workload = {
  title: "MPIRE's 3: a model loaded once by each worker, pool included",
  unit: "ms",
  control: "raw",
  target: "ahead of each peer",
  rows,
};
