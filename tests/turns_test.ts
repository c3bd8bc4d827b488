import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import {
  PoolTerminatedError,
  TimeoutError,
  transfer,
  WorkerDiedError,
} from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";

const same = {};
const increment = (x: number) => x + 1;

/** Calls one after the other, until both sides stay awake for the next. */
async function heat(pool: WorkerPool): Promise<void> {
  for (let i = 0; i < 200; i++) {
    assertEquals(await pool.apply(increment, [i]), i + 1);
  }
}

const title = (text: string) => `WorkerPool.apply(), called in turn, ${text}`;

test(title("carries all kinds of values"), async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const values = [
    [0, -0, NaN, 1e300, undefined, null, true],
    { a: 1, b: [{ c: "ü\0\ud800" }] },
    "",
    new Date(5),
    10n,
    new Map([[1, { a: 2 }]]),
    new Float64Array([1, 2]),
    [same, same],
    "x".repeat(5000),
    Array.from({ length: 1000 }, (_, i) => i),
  ];
  for (let round = 0; round < 20; round++) {
    for (const value of values) {
      assertEquals(await pool.apply((x: unknown) => x, [value]), value);
      assertEquals(await pool.apply(increment, [round]), round + 1);
    }
  }
  const buffer = new ArrayBuffer(8);
  await heat(pool);
  assertEquals(
    await pool.apply((b: ArrayBuffer) => b.byteLength, [transfer(buffer)]),
    8,
  );
});

test(
  title("runs each task once, in order, whatever comes between"),
  async () => {
    await using pool = new WorkerPool({
      nJobs: 1,
      useWorkerState: true,
    });
    type State = { runs?: number };
    const count = (state: State) => state.runs = (state.runs ?? 0) + 1;
    const fail = (state: State) => {
      throw new RangeError(`no ${state.runs = (state.runs ?? 0) + 1}`);
    };
    for (let i = 1; i <= 2000; i++) {
      if (i % 97 === 0) {
        await assertRejects(() => pool.apply(fail), RangeError, `no ${i}`);
      } else if (i % 89 === 0) {
        // A function that the worker does not know yet.
        const closure = { i };
        const task = (
          state: State,
        ) => [state.runs = (state.runs ?? 0) + 1, i];
        assertEquals(await pool.apply(task, [], { closure }), [i, i]);
      } else if (i % 83 === 0) {
        const later = async (state: State) => {
          await new Promise((resolve) => setTimeout(resolve, 1));
          return state.runs = (state.runs ?? 0) + 1;
        };
        assertEquals(await pool.apply(later), i);
      } else assertEquals(await pool.apply(count), i);
    }
  },
);

test(title("leaves timers their turn, here and in workers"), async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  await pool.apply(() => {
    const scope = globalThis as { ticks?: number };
    scope.ticks = 0;
    const timer = setInterval(() => {
      if (++scope.ticks! === 5) clearInterval(timer);
    }, 1);
  });
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  let inWorker = 0;
  for (let i = 0; i < 1e6 && (ticks < 5 || inWorker < 5); i++) {
    inWorker = await pool.apply(() =>
      (globalThis as { ticks?: number }).ticks!
    );
  }
  clearInterval(timer);
  assert(ticks >= 5, `${ticks} here`);
  assertEquals(inWorker, 5);
});

test(
  title("rejects when the worker ends, and goes on with the next"),
  async () => {
    await using pool = new WorkerPool({ nJobs: 1 });
    for (let i = 0; i < 3; i++) {
      await heat(pool);
      await assertRejects(
        () => pool.apply(() => globalThis.process.exit(3)),
        WorkerDiedError,
      );
    }
    await heat(pool);
  },
);

test(title("rejects what takes too long"), async () => {
  await using pool = new WorkerPool({
    nJobs: 1,
    taskTimeout: 400,
  });
  await heat(pool);
  await assertRejects(
    () => pool.apply(() => new Promise(() => {})),
    TimeoutError,
  );
  await heat(pool);
  const controller = new AbortController();
  const { signal } = controller;
  const call = pool.apply(() => new Promise(() => {}), [], { signal });
  controller.abort(new RangeError("enough"));
  await assertRejects(() => call, RangeError, "enough");
});

test(title("rejects when the pool is terminated"), async () => {
  const pool = new WorkerPool({ nJobs: 1 });
  await heat(pool);
  const call = pool.apply(increment, [1]);
  const terminated = pool.terminate();
  await assertRejects(() => call, PoolTerminatedError);
  await terminated;
  await heat(pool);
  await pool.join();
});

test(title("works from several places at once"), async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  await using other = new WorkerPool({ nJobs: 1 });
  await Promise.all([heat(pool), heat(pool), heat(other), heat(pool)]);
});

test("WorkerPool.apply() works in turn inside of a worker", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const url = new URL("../mod.ts", import.meta.url).href;
  const sum = await pool.apply(async (url: string) => {
    const { WorkerPool } = await import(url) as typeof import("../mod.ts");
    await using inner = new WorkerPool({ nJobs: 1 });
    let sum = 0;
    for (let i = 0; i < 300; i++) {
      sum += await inner.apply((x: number) => x, [i]);
    }
    return sum;
  }, [url]);
  assertEquals(sum, 300 * 299 / 2);
});
