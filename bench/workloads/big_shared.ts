// A large array that all workers are to see.
import { sharedArray, WorkerPool } from "../../mod.ts";
import { RawWorkers } from "../contestants/raw.ts";
import {
  expectAll,
  type Reading,
  type Row,
  rssMegabytes,
  type Workload,
} from "../core/workload.ts";

function rows(quick: boolean): Record<string, Row> {
  const length = (quick ? 32 : 256) * 2 ** 20 / 8;
  // Each row has one, so that memory can be compared.
  const array = sharedArray(Float64Array, length).fill(1);

  /** Time until each of four fresh workers has answered; memory then. */
  function row(run: () => Promise<[number[], () => unknown]>): Row {
    return () =>
      Promise.resolve({
        async sample(): Promise<Reading> {
          const start = performance.now();
          const [results, stop] = await run();
          const value = performance.now() - start;
          expectAll(results, 4, (result) => result === 1);
          const extras = { "RSS, MB": Math.round(rssMegabytes()) };
          await stop();
          return { value, extras };
        },
        close: () => Promise.resolve(),
      });
  }

  const raw = (input: Float64Array) =>
    row(async () => {
      const workers = await RawWorkers.start(4);
      const inputs = new Array<Float64Array>(4).fill(input);
      const results = await workers.map<number>("last", inputs, { ahead: 1 });
      return [results, () => workers.stop()];
    });

  return {
    "polypool, nothing shared": row(async () => {
      const pool = new WorkerPool({ nJobs: 4 });
      const task = (_: number) => 1;
      const results = await pool.map(task, [0, 1, 2, 3], { chunkSize: 1 });
      return [results, () => pool.terminate()];
    }),
    "polypool, sharedArray": row(async () => {
      const pool = new WorkerPool({ nJobs: 4, sharedObjects: array });
      const task = (shared: Float64Array, _: number) =>
        shared[shared.length - 1]!;
      const results = await pool.map(task, [0, 1, 2, 3], { chunkSize: 1 });
      return [results, () => pool.terminate()];
    }),
    "raw, SharedArrayBuffer": raw(array),
    "raw, cloned": () => raw(new Float64Array(array))(),
  };
}

export const bigShared: Workload = {
  title: "256 MB for four workers that start: until all have answered",
  unit: "ms",
  control: "polypool, nothing shared",
  target: "no later, memory <= 1.1x",
  fresh: true,
  rows,
};
