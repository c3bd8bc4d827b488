import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { test } from "node:test";
import { importTasks, sharedArray } from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { inTime, reasonOf, until, upTo } from "./fixtures/life/wait.ts";

const preloaded = new URL("./fixtures/life/preloaded.ts", import.meta.url);
const broken = new URL("./fixtures/life/broken.ts", import.meta.url);
const tasks = importTasks<typeof import("./fixtures/life/preloaded.ts")>(
  preloaded,
);

/** In a worker: how often it has evaluated the module. */
function evaluations(_x?: number): number {
  return (globalThis as { lifePreloaded?: number }).lifePreloaded ?? 0;
}

test("WorkerPool imports the modules of 'preload' before the first task", async () => {
  await using pool = new WorkerPool({ nJobs: 2, preload: [preloaded] });
  const counts = await inTime(
    pool.map(evaluations, upTo(20), { chunkSize: 1 }),
  );
  assertEquals(counts, new Array(20).fill(1));
  // In the workers only.
  assertEquals(evaluations(), 0);
});

test("WorkerPool imports no module without 'preload'", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  assertEquals(await inTime(pool.apply(evaluations)), 0);
  assertEquals(await inTime(pool.apply(tasks.add, [1])), 2);
});

test("WorkerPool starts workers that no task waits for after the others", async () => {
  const times = sharedArray(Float64Array, 3);
  await using pool = new WorkerPool({
    nJobs: 3,
    preload: [preloaded],
    sharedObjects: times,
    passWorkerId: true,
    enableInsights: true,
  });
  const note = (id: number, times: Float64Array, _x?: number) => {
    times[id] = (globalThis as { lifePreloadedAt?: number }).lifePreloadedAt!;
    return id;
  };
  const first = await inTime(Promise.all([pool.apply(note), pool.apply(note)]));
  assertEquals(first.sort(), [0, 1]);
  await until(
    () => pool.getInsights().startUpTime.every((time) => time > 0),
    "the third worker starts without a task",
  );
  while (times.includes(0)) {
    await inTime(pool.map(note, upTo(12), { chunkSize: 1 }));
  }
  const [one, two, three] = times as unknown as [number, number, number];
  // Timers may be early by a little.
  assert(three - Math.min(one, two) > 15, `${times}`);
});

test("WorkerPool takes specifiers in 'preload' as the module would import them that makes the pool", async () => {
  await using pool = new WorkerPool({
    nJobs: 1,
    preload: ["./fixtures/life/preloaded.ts", "node:path"],
  });
  assertEquals(await inTime(pool.apply(evaluations)), 1);
});

test("WorkerPool shares preloaded modules with the tasks that import them", async () => {
  await using pool = new WorkerPool({ nJobs: 1, preload: [preloaded] });
  assertEquals(await inTime(pool.apply(tasks.add, [1])), 2);
  const dynamic = await inTime(pool.apply(async () => {
    const { add } = await import("./fixtures/life/preloaded.ts");
    return add(1);
  }));
  assertEquals(dynamic, 3);
  assertEquals(await inTime(pool.apply(evaluations)), 1);
});

test("WorkerPool preloads again in workers that replace others", async () => {
  await using pool = new WorkerPool({
    nJobs: 1,
    preload: [preloaded],
    workerLifespan: 1,
  });
  const options = { chunkSize: 1 };
  assertEquals(await inTime(pool.map(evaluations, upTo(3), options)), [
    1,
    1,
    1,
  ]);
});

test("WorkerPool preloads ahead of need in start()", async () => {
  await using pool = new WorkerPool({ nJobs: 1, preload: [preloaded] });
  await inTime(pool.start());
  assertEquals(await inTime(pool.apply(evaluations)), 1);
  const failing = new WorkerPool({ nJobs: 1, preload: [broken] });
  const error = await reasonOf(failing.start());
  assert(error instanceof RangeError);
});

test("WorkerPool rejects calls with the error of a module that cannot be preloaded", async () => {
  const pool = new WorkerPool({ nJobs: 2, preload: [preloaded, broken] });
  for (let round = 0; round < 2; round++) {
    const error = await reasonOf(pool.map(evaluations, upTo(10)));
    assert(error instanceof RangeError, String(error));
    assertEquals(error.message, "broken on purpose");
  }
  const settled = await reasonOf(
    pool.map(evaluations, upTo(10), { onError: "settle" }),
  );
  assert(settled instanceof RangeError, String(settled));
  await inTime(pool.join());
});

test("WorkerPool rejects calls when a module of 'preload' does not exist", async () => {
  await using pool = new WorkerPool({
    nJobs: 1,
    preload: ["./fixtures/life/there_is_none.ts"],
  });
  const error = await reasonOf(pool.map(evaluations, upTo(10)));
  assert(error instanceof Error);
  assertStringIncludes(error.message, "there_is_none.ts");
});
