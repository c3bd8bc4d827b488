// Ten million tasks that are read from a generator, one result at a time.
import { WorkerPool } from "../../mod.ts";
import { peerRows } from "../contestants/peers.ts";
import {
  expectSame,
  nsPerTask,
  type Reading,
  type Row,
  rssMegabytes,
  type Session,
  type Workload,
} from "../core/workload.ts";

/** Tasks that are read at a time, as many as polypool reads. */
const CHUNK = 14_000;

function* count(n: number): Generator<number> {
  for (let i = 0; i < n; i++) yield i;
}

/** Times the sum of all results; looks at the memory now and then. */
function session(
  tasks: number,
  results: () => AsyncIterable<unknown> | Promise<number[]>,
  close: () => unknown,
): Session {
  return {
    async sample(): Promise<Reading> {
      const series: number[] = [];
      const step = Math.ceil(tasks / 50);
      const start = performance.now();
      const source = results();
      let sum = 0;
      let n = 0;
      const take = (result: unknown) => {
        sum += result as number;
        if (++n % step === 0) series.push(Math.round(rssMegabytes()));
      };
      if (source instanceof Promise) (await source).forEach(take);
      else for await (const result of source) take(result);
      const value = (performance.now() - start) * nsPerTask(tasks);
      expectSame(sum, tasks * (tasks + 1) / 2);
      return { value, extras: { "RSS, MB": Math.max(...series) }, series };
    },
    close: async () => await close(),
  };
}

/** What `next` gives, asynchronously, until it gives undefined. */
function asynchronous(
  next: () => number | undefined,
): AsyncIterable<number> {
  return {
    [Symbol.asyncIterator]: () => ({
      next() {
        const value = next();
        return Promise.resolve<IteratorResult<number>>(
          value === undefined ? { done: true, value } : { done: false, value },
        );
      },
    }),
  };
}

/** The least that a loop over asynchronous results costs. */
function bare(tasks: number): AsyncIterable<number> {
  let i = 0;
  return asynchronous(() => i < tasks ? ++i : undefined);
}

/** The same in a thread that reads what workers are sent, and sends nothing. */
function bareReading(tasks: number): AsyncIterable<number> {
  const input = count(tasks);
  let chunk: number[] = [];
  let at = 0;
  return asynchronous(() => {
    if (at === chunk.length) {
      chunk = [];
      at = 0;
      while (chunk.length < CHUNK) {
        const { done, value } = input.next();
        if (done) break;
        chunk.push(value + 1);
      }
    }
    return chunk[at++];
  });
}

function rows(quick: boolean): Record<string, Row> {
  const tasks = quick ? 1e6 : 1e7;
  const peerTasks = 20_000;
  const task = (x: number) => x + 1;

  return {
    "polypool, map": () => {
      const pool = new WorkerPool({ nJobs: 2 });
      return Promise.resolve(session(
        tasks,
        () => pool.map(task, count(tasks), { iterableLen: tasks }),
        () => pool.terminate(),
      ));
    },
    "polypool, imap": () => {
      const pool = new WorkerPool({ nJobs: 2 });
      return Promise.resolve(session(
        tasks,
        () => pool.imap(task, count(tasks), { iterableLen: tasks }),
        () => pool.terminate(),
      ));
    },
    "polypool, imap, unknown length": () => {
      const pool = new WorkerPool({ nJobs: 2 });
      return Promise.resolve(session(
        tasks,
        () => pool.imap(task, count(tasks)),
        () => pool.terminate(),
      ));
    },
    "a bare for await": () =>
      Promise.resolve(session(tasks, () => bare(tasks), () => {})),
    "a bare for await, input read": () =>
      Promise.resolve(session(tasks, () => bareReading(tasks), () => {})),
    // None reads lazily: a window of calls is what one writes oneself.
    ...peerRows((open) => {
      const pool = open(2);
      const results = async function* () {
        const window: Promise<unknown>[] = [];
        for (const x of count(peerTasks)) {
          window.push(pool.call("increment", x));
          if (window.length === 64) yield await window.shift();
        }
        for (const result of window) yield await result;
      };
      return session(peerTasks, results, () => pool.close());
    }),
  };
}

export const lazy: Workload = {
  title: "10,000,000 lazy tasks through imap",
  unit: "ns per task",
  control: "polypool, map",
  target: "<= 1.25x map, or near a bare for await; flat memory",
  rows,
};
