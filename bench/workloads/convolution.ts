// MPIRE's first benchmark: filters over an image that all workers share.
import { importTasks, sharedArray, WorkerPool } from "../../mod.ts";
import { peerRows } from "../contestants/peers.ts";
import { RawWorkers } from "../contestants/raw.ts";
import {
  expectAll,
  expectSame,
  randomNumbers,
  type Row,
  timed,
  workerUrl,
  type Workload,
} from "../core/workload.ts";
import { type Convolution, convolve } from "../workers/tasks.ts";

function rows(quick: boolean): Record<string, Row> {
  const width = quick ? 400 : 1000;
  const random = randomNumbers(1);
  const image = sharedArray(
    Float64Array,
    Array.from({ length: width * width }, random),
  );
  const filters = Array.from(
    { length: 40 },
    () => Array.from({ length: 16 }, random),
  );
  const inputs = filters.map((filter): Convolution => ({
    image,
    width,
    filter,
  }));
  const expected = convolve(inputs.at(-1)!);

  function check(results: unknown[]): void {
    expectSame(results.length, filters.length);
    const result = results.at(-1) as Float64Array;
    expectAll(result, expected.length, (pixel, i) => pixel === expected[i]);
  }

  return {
    // Workers start and stop each time, as they do in MPIRE's benchmark.
    "raw": () => {
      const run = async () => {
        const workers = await RawWorkers.start(2);
        const results = await workers.map("convolve", inputs);
        await workers.stop();
        return results;
      };
      return Promise.resolve(timed({ run, check }));
    },
    "polypool": () => {
      const tasks = importTasks<typeof import("../workers/tasks.ts")>(
        workerUrl("tasks"),
      );
      const run = async () => {
        await using pool = new WorkerPool({ nJobs: 2 });
        return await pool.map(tasks.convolve, inputs);
      };
      return Promise.resolve(timed({ run, check }));
    },
    "serial": () =>
      Promise.resolve(timed({ run: () => inputs.map(convolve), check })),
    ...peerRows((open) => {
      const run = async () => {
        const pool = open(2);
        const calls = inputs.map((input) => pool.call("convolve", input));
        const results = await Promise.all(calls);
        await pool.close();
        return results;
      };
      return timed({ run, check });
    }),
  };
}

export const convolution: Workload = {
  title: "MPIRE's 1: 40 filters over a shared image, pool included",
  unit: "ms",
  control: "raw",
  target: "ahead of each peer",
  rows,
};
