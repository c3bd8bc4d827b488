import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { test } from "node:test";
import { sharedArray } from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { inTime, sleep, until, upTo } from "./fixtures/life/wait.ts";
import { runProgram } from "./support/program.ts";

/** Indexes of what is counted in shared memory. */
const INITS = 0;
const EXITS = 1;

function idlePool(nJobs: number, idleTimeout: number, exitTime = 0) {
  const counts = sharedArray(Int32Array, 2);
  const pool = new WorkerPool({
    nJobs,
    idleTimeout,
    sharedObjects: [counts, exitTime] as const,
    useWorkerState: true,
    workerInit([counts], state) {
      state.life = Atomics.add(counts, 0, 1) + 1;
    },
    async workerExit([counts, exitTime], state) {
      Atomics.add(counts, 1, 1);
      if (exitTime > 0) await new Promise((r) => setTimeout(r, exitTime));
      return state.life;
    },
  });
  return { pool, count: (which: number) => Atomics.load(counts, which) };
}

const lifeOf = (_shared: unknown, state: { life: number }, _x: number) =>
  state.life;

test("WorkerPool stops workers in an orderly way when they were idle for 'idleTimeout'", async () => {
  const { pool, count } = idlePool(2, 60);
  await pool.map(lifeOf, [1, 2, 3, 4], { chunkSize: 1 });
  const lives = count(INITS);
  await until(() => count(EXITS) === lives, "all workers have stopped");
  await until(
    () => pool.getExitResults().length === lives,
    "all results are there",
  );
  assertEquals(pool.getExitResults().sort(), upTo(lives).map((i) => i + 1));
  await inTime(pool.join());
  assertEquals(pool.getExitResults().length, lives);
});

test("WorkerPool starts workers again when a call comes after 'idleTimeout'", async () => {
  const { pool, count } = idlePool(1, 60);
  for (let life = 1; life <= 3; life++) {
    assertEquals(await inTime(pool.map(lifeOf, [1, 2])), [life, life]);
    await until(() => count(EXITS) === life, "the worker has stopped");
  }
  assertEquals(await inTime(pool.apply(lifeOf, [1])), 4);
  await inTime(pool.join());
  assertEquals(pool.getExitResults(), [4]);
});

test("WorkerPool runs calls that come while idle workers stop", async () => {
  const { pool, count } = idlePool(2, 30, 200);
  await pool.map(lifeOf, [1, 2], { chunkSize: 1 });
  await until(() => count(EXITS) > 0, "the exit functions run");
  const lives = await inTime(pool.map(lifeOf, upTo(6)));
  assertEquals(lives.length, 6);
  await inTime(pool.join());
  assertEquals(count(EXITS), count(INITS));
});

test("WorkerPool runs 'workerExit' once when it takes longer than 'idleTimeout'", async () => {
  const { pool, count } = idlePool(1, 30, 300);
  await pool.apply(lifeOf, [1]);
  await until(() => count(EXITS) > 0, "the exit function runs");
  await until(
    () => pool.getExitResults().length > 0,
    "the exit function has ended",
  );
  await sleep(100);
  assertEquals(count(EXITS), 1);
  assertEquals(pool.getExitResults(), [1]);
  await inTime(pool.join());
});

test("WorkerPool.join() waits for idle workers that stop already, and runs 'workerExit' once", async () => {
  const { pool, count } = idlePool(1, 30, 150);
  await pool.apply(lifeOf, [1]);
  await until(() => count(EXITS) > 0, "the exit function runs");
  await inTime(pool.join());
  assertEquals(pool.getExitResults(), [1]);
  assertEquals(count(EXITS), 1);
});

test("WorkerPool keeps workers that are busy for longer than 'idleTimeout'", async () => {
  const { pool, count } = idlePool(1, 40);
  const slow = async (_shared: unknown, state: { life: number }) => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    return state.life;
  };
  assertEquals(await inTime(pool.apply(slow)), 1);
  assertEquals(count(INITS), 1);
  await inTime(pool.join());
  assertEquals(pool.getExitResults(), [1]);
});

test("WorkerPool keeps workers that get work again and again within 'idleTimeout'", async () => {
  const { pool, count } = idlePool(1, 5000);
  for (let i = 0; i < 20; i++) {
    assertEquals(await pool.apply(lifeOf, [i]), 1);
    await sleep(5);
  }
  assertEquals(count(EXITS), 0);
  await pool.terminate();
});

test("WorkerPool stops idle workers that have never had a task", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    idleTimeout: 40,
    enableInsights: true,
  });
  await pool.start();
  const startUpTime = () => pool.getInsights().startUpTime?.[0];
  const first = startUpTime();
  assert(first! > 0);
  const end = performance.now() + 20_000;
  do {
    await sleep(150);
    await inTime(pool.start());
  } while (startUpTime() === first && performance.now() < end);
  assertNotEquals(startUpTime(), first);
  await inTime(pool.join());
});

test("WorkerPool.join() rejects with the error of a 'workerExit' that ran as its worker was idle", async () => {
  const exits = sharedArray(Int32Array, 1);
  const pool = new WorkerPool({
    nJobs: 1,
    idleTimeout: 30,
    sharedObjects: exits,
    workerExit(exits) {
      Atomics.add(exits, 0, 1);
      throw new RangeError("idle exit");
    },
  });
  await pool.apply(() => {});
  await until(() => Atomics.load(exits, 0) === 1, "the exit function ran");
  await sleep(600);
  const error = await inTime(pool.join().then(() => undefined, (e) => e));
  assert(error instanceof RangeError, `join() gave ${error}`);
  assertEquals(error.message, "idle exit");
  assertEquals(await inTime(pool.apply((_exits, x: number) => x, [3])), 3);
  await pool.terminate();
});

for (const idleTimeout of ["50", "60000"]) {
  test(`WorkerPool lets the program end at once when 'idleTimeout' is ${idleTimeout}`, async () => {
    const { code, stdout, stderr, timedOut, ms } = await runProgram(
      new URL("./fixtures/life/idle.ts", import.meta.url),
      { args: [idleTimeout], timeout: 30_000 },
    );
    assertEquals(
      { code, stdout, stderr, timedOut },
      { code: 0, stdout: "1 2 3\n", stderr: "", timedOut: false },
    );
    assert(ms < 30_000);
  });
}
