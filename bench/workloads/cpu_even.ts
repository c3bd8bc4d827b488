// Tasks that compute, all as long as each other.
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
import { spin } from "../workers/tasks.ts";

/** Steps of `spin()` in about a millisecond. */
export const STEPS_PER_MS = 600_000;

/** Rows that spin for so many steps, task by task. */
export function spinRows(
  steps: number[],
  { serialName = "serial", serialScale = 1 } = {},
): Record<string, Row> {
  const known = new Map(steps.map((count) => [count, spin(count)]));
  const expected = steps.map((count) => known.get(count)!);
  const check = (results: unknown[]) =>
    expectAll(results, steps.length, (result, i) => result === expected[i]);

  return {
    [serialName]: () => {
      const run = () => steps.map(spin);
      return Promise.resolve(timed({ run, check, scale: serialScale }));
    },
    "raw": async () => {
      const workers = await RawWorkers.start(2);
      const run = () => workers.map("spin", steps, { ahead: 1 });
      return timed({ run, check, close: () => workers.stop() });
    },
    // What the machine gives where nothing is left to decide.
    "raw, shared out beforehand": async () => {
      const workers = await RawWorkers.start(2);
      const halves = halve(steps);
      const inputs = halves.map((half) => half.map((i) => steps[i]!));
      const run = async () => {
        const results: number[] = [];
        const parts = await workers.map<number[]>("spinAll", inputs, {
          ahead: 1,
        });
        halves.forEach((half, h) =>
          half.forEach((i, k) => results[i] = parts[h]![k]!)
        );
        return results;
      };
      return timed({ run, check, close: () => workers.stop() });
    },
    "polypool": () => {
      const pool = new WorkerPool({ nJobs: 2 });
      const tasks = importTasks<typeof import("../workers/tasks.ts")>(
        workerUrl("tasks"),
      );
      const run = () => pool.map(tasks.spin, steps);
      const close = () => pool.terminate();
      return Promise.resolve(timed({ run, check, close }));
    },
    "polypool, unknown length": () => {
      const pool = new WorkerPool({ nJobs: 2 });
      const tasks = importTasks<typeof import("../workers/tasks.ts")>(
        workerUrl("tasks"),
      );
      const run = () => pool.map(tasks.spin, steps.values());
      const close = () => pool.terminate();
      return Promise.resolve(timed({ run, check, close }));
    },
    ...peerRows((open) => {
      const pool = open(2);
      const run = () =>
        Promise.all(steps.map((count) => pool.call("spin", count)));
      return timed({ run, check, close: () => pool.close() });
    }),
  };
}

/** Two lists of indices, each with half of the steps. */
function halve(steps: number[]): [number[], number[]] {
  const halves: [number[], number[]] = [[], []];
  const loads = [0, 0];
  for (const [i, count] of steps.entries()) {
    const lighter = loads[0]! <= loads[1]! ? 0 : 1;
    halves[lighter].push(i);
    loads[lighter]! += count;
  }
  return halves;
}

export const cpuEven: Workload = {
  title: "200 tasks of about 20 ms",
  unit: "ms",
  control: "serial",
  target: "<= 0.526x serial (1.9 times as fast)",
  rows: (quick) =>
    spinRows(
      new Array<number>(quick ? 20 : 200).fill(20 * STEPS_PER_MS),
    ),
};
