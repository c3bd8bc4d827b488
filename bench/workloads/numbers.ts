// A million numbers and a task that does next to nothing: the cost of a task.
import { WorkerPool } from "../../mod.ts";
import { peerRows } from "../contestants/peers.ts";
import { piscina } from "../contestants/piscina.ts";
import { RawWorkers } from "../contestants/raw.ts";
import {
  expectAll,
  nsPerTask,
  type Row,
  type Session,
  timed,
  type Workload,
} from "../core/workload.ts";

const CHUNK = 10_000;
/** Calls of pools that make a message of each: there are fewer of them. */
const CALLS = 10_000;

function rows(quick: boolean): Record<string, Row> {
  const count = quick ? 100_000 : 1_000_000;
  const numbers = Array.from({ length: count }, (_, i) => i);
  const floats = Float64Array.from(numbers);
  const check = (results: ArrayLike<number>) =>
    expectAll(results, count, (result, i) => result === i * i);
  const scale = nsPerTask(count);

  function polypool(
    run: (pool: WorkerPool) => Promise<ArrayLike<number>>,
  ): Promise<Session> {
    const pool = new WorkerPool({ nJobs: 2 });
    return timedPool(pool, () => run(pool));
  }

  function timedPool(
    pool: { terminate(): Promise<void> },
    run: () => Promise<ArrayLike<number>>,
  ): Promise<Session> {
    const close = () => pool.terminate();
    return Promise.resolve(timed({ run, check, close, scale }));
  }

  async function raw(
    run: (workers: RawWorkers) => Promise<ArrayLike<number>>,
  ): Promise<Session> {
    const workers = await RawWorkers.start(2);
    const close = () => workers.stop();
    return timed({ run: () => run(workers), check, close, scale });
  }

  return {
    // Numbers in and out, by way of chunks that are transferred.
    "raw": () =>
      raw(async (workers) => {
        const results = new Array<number>(count);
        await workers.run("squareInPlace", packed(numbers), unpack, {
          transfer: true,
        });
        return results;

        function unpack(chunk: Float64Array, index: number): void {
          const offset = index * CHUNK;
          for (let i = 0; i < chunk.length; i++) {
            results[offset + i] = chunk[i]!;
          }
        }
      }),
    "raw, typed arrays": () =>
      raw(async (workers) => {
        const results = new Float64Array(count);
        const take = (chunk: Float64Array, index: number) =>
          results.set(chunk, index * CHUNK);
        await workers.run("squareInPlace", slices(floats), take, {
          transfer: true,
        });
        return results;
      }),
    "polypool": () =>
      polypool((pool) => pool.map((x: number) => x * x, numbers)),
    "polypool, typed array in": () =>
      polypool((pool) => pool.map((x: number) => x * x, floats)),
    "polypool, with a shared object": () => {
      const pool = new WorkerPool({ nJobs: 2, sharedObjects: { power: 2 } });
      return timedPool(
        pool,
        () => pool.map(({ power }, x: number) => x ** power, numbers),
      );
    },
    "polypool, mapChunks": () =>
      polypool((pool) =>
        pool.mapChunks(
          (chunk: Float64Array) => chunk.map((x) => x * x),
          floats,
        )
      ),
    "serial": () =>
      Promise.resolve(
        timed({ run: () => numbers.map((x) => x * x), check, scale }),
      ),
    ...peerRows((open) => {
      const pool = open(2);
      const input = numbers.slice(0, CALLS);
      return timed({
        run: () => Promise.all(input.map((x) => pool.call("square", x))),
        check: (results) =>
          expectAll(results, CALLS, (result, i) => result === i * i),
        close: () => pool.close(),
        scale: nsPerTask(CALLS),
      });
    }),
    "piscina, chunks by hand": async () => {
      const pool = (await piscina())(2);
      return timed({
        async run() {
          const chunks = Array.from(
            { length: count / 1000 },
            (_, i) => numbers.slice(i * 1000, (i + 1) * 1000),
          );
          const results = await Promise.all(
            chunks.map((chunk) => pool.call("squareAll", chunk)),
          );
          return (results as number[][]).flat();
        },
        check,
        close: () => pool.close(),
        scale,
      });
    },
  };
}

function* packed(numbers: number[]): Generator<Float64Array> {
  for (let start = 0; start < numbers.length; start += CHUNK) {
    const chunk = new Float64Array(Math.min(CHUNK, numbers.length - start));
    for (let i = 0; i < chunk.length; i++) chunk[i] = numbers[start + i]!;
    yield chunk;
  }
}

function* slices(floats: Float64Array): Generator<Float64Array> {
  for (let start = 0; start < floats.length; start += CHUNK) {
    yield floats.slice(start, start + CHUNK);
  }
}

export const numbers: Workload = {
  title: "Tiny tasks: x => x * x for 1,000,000 numbers",
  unit: "ns per task",
  control: "raw",
  target: "<= 1.3x raw, < 50 ns",
  rows,
};
