// From making a pool to its first result, in a program that just began.
import { WorkerPool } from "../../mod.ts";
import { startLoneWorker } from "../contestants/lone_worker.ts";
import { peerRows } from "../contestants/peers.ts";
import { workerProgram } from "../../src/worker/source.ts";
import { RawWorkers } from "../contestants/raw.ts";
import {
  expectSame,
  type Reading,
  type Row,
  type Session,
  type Workload,
} from "../core/workload.ts";

/** Starts workers and has one of them compute 1 + 1. */
type Start = () => Promise<[result: unknown, stop: () => unknown]>;

/** The process ends with the run, so workers need be stopped only in others. */
function session(run: Start, fresh: boolean): Session {
  return {
    async sample(): Promise<Reading> {
      const start = performance.now();
      const [result, stop] = await run();
      const value = performance.now() - start;
      expectSame(result, 2);
      if (!fresh) await stop();
      return { value };
    },
    close: () => Promise.resolve(),
  };
}

export function startRows(fresh: boolean): Record<string, Row> {
  const raw = (count: number): Row => () =>
    Promise.resolve(session(async () => {
      const workers = await RawWorkers.start(count);
      return [await workers.roundTrip(1), () => workers.stop()];
    }, fresh));
  return {
    "raw": raw(1),
    "raw, two workers": raw(2),
    // What it takes to compile what runs in each worker of polypool's: the
    // function returns at once, but some engines compile it when it is called.
    "raw, reads polypool's program": () =>
      Promise.resolve(session(async () => {
        const workers = await RawWorkers.start(1);
        const program = workerProgram[0].replace("{", "{return 2;");
        const [two] = await workers.map<number>("read", [program]);
        return [two, () => workers.stop()];
      }, fresh)),
    // And to run it, up to the first task: what no pool around it could save.
    "raw, runs polypool's program": () =>
      Promise.resolve(session(startLoneWorker, fresh)),
    "polypool": () =>
      Promise.resolve(session(async () => {
        const pool = new WorkerPool({ nJobs: 2 });
        const result = await pool.apply((x: number) => x + 1, [1]);
        return [result, () => pool.terminate()];
      }, fresh)),
    ...peerRows((open) =>
      session(async () => {
        const pool = open(2);
        return [await pool.call("increment", 1), () => pool.close()];
      }, fresh)
    ),
  };
}

export const startFirst: Workload = {
  title: "From a new pool of two to its first result",
  unit: "ms",
  control: "raw",
  target: "<= 1.15x raw (one worker)",
  fresh: true,
  rows: () => startRows(true),
};
