// Small objects there and back: the cost of a task whose data must be cloned.
import { WorkerPool } from "../../mod.ts";
import { peerRows } from "../contestants/peers.ts";
import { piscina } from "../contestants/piscina.ts";
import { RawWorkers } from "../contestants/raw.ts";
import {
  expectAll,
  nsPerTask,
  type Row,
  timed,
  type Workload,
} from "../core/workload.ts";
import {
  type Item,
  type ItemColumns,
  shift,
  toColumns,
  toItems,
} from "../workers/tasks.ts";

const CHUNK = 1000;
/** Calls of pools that make a message of each: there are fewer of them. */
const CALLS = 10_000;

function* columnsOf(chunks: Item[][]): Generator<ItemColumns> {
  for (const chunk of chunks) yield toColumns(chunk);
}

function rows(quick: boolean): Record<string, Row> {
  const count = quick ? 20_000 : 100_000;
  const items = Array.from(
    { length: count },
    (_, i): Item => ({ a: i, b: `item ${i}`, c: i / 2 }),
  );
  const isRight = ({ a, b, c }: Item, i: number) =>
    a === i + 1 && b === `item ${i}` && c === i;
  const check = (results: Item[]) => expectAll(results, count, isRight);
  const scale = nsPerTask(count);
  const chunks = () =>
    Array.from(
      { length: count / CHUNK },
      (_, i) => items.slice(i * CHUNK, (i + 1) * CHUNK),
    );

  return {
    "raw": async () => {
      const workers = await RawWorkers.start(2);
      const close = () => workers.stop();
      const run = async () =>
        (await workers.map<Item[]>("shiftAll", chunks())).flat();
      return timed({ run, check, close, scale });
    },
    // Written for these items alone, in a program and a worker that trust them.
    "raw, columns by hand": async () => {
      const workers = await RawWorkers.start(2);
      const close = () => workers.stop();
      const run = async () => {
        const results: Item[][] = [];
        await workers.run<ItemColumns>(
          "shiftColumns",
          columnsOf(chunks()),
          (columns, index) => results[index] = toItems(columns),
        );
        return results.flat();
      };
      return timed({ run, check, close, scale });
    },
    "polypool": () => {
      const pool = new WorkerPool({ nJobs: 2 });
      const run = () =>
        pool.map(
          ({ a, b, c }: Item): Item => ({ a: a + 1, b, c: c * 2 }),
          items,
        );
      const close = () => pool.terminate();
      return Promise.resolve(timed({ run, check, close, scale }));
    },
    "serial": () =>
      Promise.resolve(timed({ run: () => items.map(shift), check, scale })),
    ...peerRows((open) => {
      const pool = open(2);
      const input = items.slice(0, CALLS);
      return timed({
        run: async () =>
          await Promise.all(
            input.map((item) => pool.call("shift", item)),
          ) as Item[],
        check: (results) => expectAll(results, CALLS, isRight),
        close: () => pool.close(),
        scale: nsPerTask(CALLS),
      });
    }),
    "piscina, chunks by hand": async () => {
      const pool = (await piscina())(2);
      const run = async () => {
        const calls = chunks().map((chunk) => pool.call("shiftAll", chunk));
        return (await Promise.all(calls) as Item[][]).flat();
      };
      return timed({ run, check, close: () => pool.close(), scale });
    },
  };
}

export const objects: Workload = {
  title: "Tiny tasks: 100,000 objects {a, b, c} there and back",
  unit: "ns per task",
  control: "raw",
  target: "<= 1.2x raw",
  rows,
};
