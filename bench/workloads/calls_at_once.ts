// Single calls, all made before the first has returned.
import { WorkerPool } from "../../mod.ts";
import { peerRows } from "../contestants/peers.ts";
import { RawWorkers } from "../contestants/raw.ts";
import {
  expectAll,
  nsPerTask,
  type Row,
  timed,
  type Workload,
} from "../core/workload.ts";
import { increment } from "../workers/tasks.ts";

/** Calls that share a gate. */
const BURST = 128;

function rows(quick: boolean): Record<string, Row> {
  const count = quick ? 10_000 : 100_000;
  // Peers get fewer calls, as theirs cost so much more.
  const peerCount = 10_000;
  const numbers = Array.from({ length: count }, (_, i) => i);
  const isRight = (result: unknown, i: number) => result === i + 1;
  const check = (results: number[]) => expectAll(results, count, isRight);
  const scale = nsPerTask(count) / 1000;

  return {
    // A message for each call, as everybody writes it.
    "raw": async () => {
      const workers = await RawWorkers.start(2);
      const run = () => workers.increments(count);
      return timed({ run, check, close: () => workers.stop(), scale });
    },
    // What could be had if nobody needed a promise for each.
    "raw, 1,000 a message": async () => {
      const workers = await RawWorkers.start(2);
      const run = async () => {
        const chunks = [];
        for (let i = 0; i < count; i += 1000) {
          chunks.push(numbers.slice(i, i + 1000));
        }
        return (await workers.map<number[]>("incrementAll", chunks)).flat();
      };
      return timed({ run, check, close: () => workers.stop(), scale });
    },
    // What the promises alone cost.
    "promises": () => {
      const run = async () => {
        const resolves: (() => void)[] = [];
        const all = numbers.map((x) =>
          new Promise<number>((resolve) =>
            resolves.push(() => resolve(increment(x)))
          )
        );
        await null;
        for (const resolve of resolves) resolve();
        return await Promise.all(all);
      };
      return Promise.resolve(timed({ run, check, scale }));
    },
    // The same as polypool makes them, see src/apply_burst.ts.
    "promises of gates": () => {
      const run = async () => {
        const opens: (() => void)[] = [];
        const all: Promise<number>[] = [];
        for (let i = 0; i < count; i += BURST) {
          const gate = new Promise<void>((resolve) => opens.push(resolve));
          let next = i;
          const pass = () => increment(numbers[next++]!);
          const end = Math.min(i + BURST, count);
          for (let k = i; k < end; k++) all.push(gate.then(pass));
        }
        await null;
        for (const open of opens) open();
        return await Promise.all(all);
      };
      return Promise.resolve(timed({ run, check, scale }));
    },
    "polypool": () => {
      const pool = new WorkerPool({ nJobs: 2 });
      const task = (x: number) => x + 1;
      const run = () => Promise.all(numbers.map((x) => pool.apply(task, [x])));
      const close = () => pool.terminate();
      return Promise.resolve(timed({ run, check, close, scale }));
    },
    "serial": () => {
      const run = () =>
        Promise.all(numbers.map((x) => Promise.resolve(increment(x))));
      return Promise.resolve(timed({ run, check, scale }));
    },
    ...peerRows((open) => {
      const pool = open(2);
      const input = numbers.slice(0, peerCount);
      return timed({
        run: () => Promise.all(input.map((x) => pool.call("increment", x))),
        check: (results) => expectAll(results, peerCount, isRight),
        close: () => pool.close(),
        scale: nsPerTask(peerCount) / 1000,
      });
    }),
  };
}

export const callsAtOnce: Workload = {
  title: "100,000 calls of apply at once",
  unit: "µs per call",
  control: "raw",
  target: "<= 0.3x raw",
  rows,
};
