// A large array as argument and as result.
import { transfer, WorkerPool } from "../../mod.ts";
import { peerRows } from "../contestants/peers.ts";
import { RawWorkers } from "../contestants/raw.ts";
import {
  expectSame,
  type Row,
  type Session,
  timed,
  type Workload,
} from "../core/workload.ts";

function rows(quick: boolean): Record<string, Row> {
  const length = (quick ? 8 : 64) * 2 ** 20 / 8;

  function session(
    run: (array: Float64Array) => Promise<unknown>,
    close: () => unknown,
  ): Session {
    return timed({
      prepare: () => new Float64Array(length).fill(1),
      run: async (array: Float64Array) => await run(array) as Float64Array,
      check(result) {
        expectSame(result.length, length);
        expectSame(result[0], 2);
        expectSame(result[length - 1], 1);
      },
      close,
    });
  }

  async function raw(transfer: boolean): Promise<Session> {
    const workers = await RawWorkers.start(1);
    const run = async (array: Float64Array) =>
      (await workers.map("touch", [array], { transfer }))[0];
    return session(run, () => workers.stop());
  }

  return {
    "raw": () => raw(false),
    "raw, transferred": () => raw(true),
    "polypool": () => {
      const pool = new WorkerPool({ nJobs: 1 });
      const task = (array: Float64Array) => {
        array[0]! += 1;
        return array;
      };
      return Promise.resolve(
        session((array) => pool.apply(task, [array]), () => pool.terminate()),
      );
    },
    "polypool, transferred": () => {
      const pool = new WorkerPool({ nJobs: 1 });
      const task = (array: Float64Array) => {
        array[0]! += 1;
        return transfer(array);
      };
      const closure = { transfer };
      return Promise.resolve(
        session(
          (array) => pool.apply(task, [transfer(array)], { closure }),
          () => pool.terminate(),
        ),
      );
    },
    ...peerRows((open) => {
      const pool = open(1);
      return session((array) => pool.call("touch", array), () => pool.close());
    }),
  };
}

export const bigArgument: Workload = {
  title: "A Float64Array of 64 MB as argument and result",
  unit: "ms",
  control: "raw",
  target: "<= 1.1x raw, both copied and transferred",
  rows,
};
