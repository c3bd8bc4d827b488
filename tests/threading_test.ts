// How threads are asked for: once each, and none without need.
import { assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { PoolTerminatedError, WorkerPool } from "../mod.ts";
import { runtime } from "../src/runtime/detect.ts";
import { threading } from "../src/start/threading.ts";
import { runProgram } from "./support/program.ts";

/** The number of threads that are asked for while something runs. */
async function threadsOf(run: () => unknown): Promise<number> {
  const { startThread } = runtime;
  let count = 0;
  runtime.startThread = (program, events) => {
    count++;
    return startThread(program, events);
  };
  try {
    await run();
  } finally {
    runtime.startThread = startThread;
  }
  return count;
}

test("A pool asks for as many threads as it has workers", async () => {
  const count = await threadsOf(async () => {
    await using pool = new WorkerPool({ nJobs: 2 });
    assertEquals(await pool.apply((x: number) => x + 1, [1]), 2);
    await pool.map((x: number) => x + 1, [1, 2], { chunkSize: 1 });
  });
  assertEquals(count, 2);
});

test("A pool asks for no thread where there is nothing to run", async () => {
  const count = await threadsOf(async () => {
    await using pool = new WorkerPool({ nJobs: 2 });
    const task = (x: number) => x + 1;
    assertEquals(await pool.map(task, []), []);
    assertEquals(await pool.map(task, new Set<number>().values()), []);
  });
  assertEquals(count, 0);
});

test("A pool asks for no thread if its shared objects are refused", async () => {
  const count = await threadsOf(async () => {
    const sharedObjects = { secret: Symbol("secret") };
    await using pool = new WorkerPool({ nJobs: 2, sharedObjects });
    await assertRejects(() => pool.apply(() => 1), Error, "sharedObjects");
  });
  assertEquals(count, 0);
});

test("A pool that is terminated asks for no thread for calls that it rejects", async () => {
  const nap = () =>
    new Promise<void>((resolve) => setTimeout(resolve, 3_600_000));
  const count = await threadsOf(async () => {
    const pool = new WorkerPool({ nJobs: 1 });
    assertEquals(await pool.apply((x: number) => x, [1]), 1);
    const calls = [
      pool.map(nap, [1, 2]),
      pool.apply(nap),
      pool.mapUnordered(nap, [1, 2]),
    ].map((call) => assertRejects(() => call, PoolTerminatedError));
    await pool.terminate();
    await Promise.all(calls);
    // One that starts would be waited for, and so would what it runs.
    await pool.join();
  });
  assertEquals(count, 1);
});

test("A pool whose worker cannot start asks for no other for calls that it rejects", async () => {
  const count = await threadsOf(async () => {
    await using pool = new WorkerPool({ nJobs: 1, preload: ["./missing.ts"] });
    const task = (x: number) => x;
    await Promise.all(
      [pool.map(task, [1, 2]), pool.apply(task, [1]), pool.map(task, [3])]
        .map((call) => assertRejects(() => call, Error, "missing.ts")),
    );
  });
  assertEquals(count, 1);
});

test("threading.prepare() asks for the thread of the next worker", async () => {
  const count = await threadsOf(async () => {
    threading.prepare!();
    threading.prepare!();
    for (const x of [1, 2]) {
      await using pool = new WorkerPool({ nJobs: 1 });
      assertEquals(await pool.apply((x: number) => x * 2, [x]), x * 2);
    }
  });
  assertEquals(count, 2);
});

test("A pool takes no thread that a call has left behind", async () => {
  const refused = () => {
    throw new RangeError("of the getter");
  };
  const input = Object.defineProperty([0], 0, { get: refused });
  const left = new WorkerPool({ nJobs: 1 });
  const count = await threadsOf(async () => {
    await assertRejects(() => left.map((x: number) => x, input), RangeError);
    await using pool = new WorkerPool({ nJobs: 1 });
    assertEquals(await pool.apply((x: number) => x + 1, [1]), 2);
  });
  assertEquals(count, 2);
  await left.terminate();
});

test("A thread that nobody takes lets the program end", async () => {
  const fixture = new URL("./fixtures/spare_thread.ts", import.meta.url);
  const { code, stdout, stderr } = await runProgram(fixture);
  assertEquals([code, stdout, stderr], [0, "prepared\n", ""]);
});
