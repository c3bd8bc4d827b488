// Calls and workers that end while something else is still going on.
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
} from "@std/assert";
import { test } from "node:test";
import { PoolTerminatedError, sharedArray } from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { open, pause, soon, until } from "./support/waiting.ts";

/** A task that ends when the gate, its shared object, is open. */
const wait = async (gate: Int32Array, x: number) => {
  while (Atomics.load(gate, 0) === 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return x;
};

/** A task of which 1 says that it has begun and never ends, and others fail. */
const hang = async (begun: Int32Array, x: number) => {
  if (x === 1) {
    Atomics.store(begun, 1, 1);
    await new Promise(() => {});
  }
  while (Atomics.load(begun, 1) === 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new RangeError("no");
};

for (const keepAlive of [true, false]) {
  test(`WorkerPool rejects at once when tasks of the call never end [keepAlive: ${keepAlive}]`, async () => {
    const begun = sharedArray(Int32Array, 2);
    const pool = new WorkerPool({ nJobs: 2, keepAlive, sharedObjects: begun });
    const failing = pool.map(hang, [1, 2], { chunkSize: 1 });
    await assertRejects(() => soon(failing, "the error"), RangeError, "no");
    Atomics.store(begun, 1, 0);
    const controller = new AbortController();
    const { signal } = controller;
    const aborted = [
      pool.apply(hang, [1], { signal }),
      pool.map(hang, [1], { signal }),
    ].map((call) => call.catch((reason) => reason));
    await until(() => Atomics.load(begun, 1) === 1, "a task");
    controller.abort("stop");
    const reasons = soon(Promise.all(aborted), "the reasons");
    assertEquals(await reasons, ["stop", "stop"]);
    await pool.terminate();
    const results = pool.imap(
      (begun, x: number) => x === 0 ? x : hang(begun, x),
      [0, 1],
      { chunkSize: 1, closure: { hang } },
    );
    assertEquals(await results.next(), { done: false, value: 0 });
    await soon(results.return!(), "the iterator");
    // Those that are let go do not keep others waiting.
    pool.setSharedObjects(begun.slice());
    const next = pool.map((_: Int32Array, x: number) => x, [3]);
    assertEquals(await soon(next, "the next call"), [3]);
    await pool.terminate();
  });
}

test("WorkerPool gives nothing to a worker whose tasks side by side go on after a failure", async () => {
  const gate = sharedArray(Int32Array, 1);
  await using pool = new WorkerPool({ nJobs: 2, sharedObjects: gate });
  await pool.start();
  const failing = pool.map(
    async (gate: Int32Array, x: number) => {
      if (x === 0) throw new RangeError("no");
      while (Atomics.load(gate, 0) === 0) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    },
    [0, 1],
    { concurrency: 2, chunkSize: 2 },
  );
  await assertRejects(() => failing, RangeError, "no");
  for (let i = 0; i < 4; i++) {
    const call = pool.apply((_: Int32Array) => 1);
    assertEquals(await soon(call, "another worker"), 1);
  }
  open(gate);
});

test("WorkerPool rejects with each kind of failure of tasks side by side, and goes on", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const fail = async (x: number) => {
    await new Promise((resolve) => setTimeout(resolve, x));
    if (x === 2) throw new RangeError("no");
    // Cannot be sent.
    return x === 4 ? () => {} : x;
  };
  const options = { concurrency: 8, chunkSize: 4 };
  for (const input of [[1, 2, 3, 4], [4, 1], [1, 4], [2, 2, 2], [4, 4, 4]]) {
    const call = pool.map(fail, input, options).then(() => 0, () => 1);
    assertEquals(await soon(call, `the failure of ${input}`), 1);
  }
  assertEquals(await soon(pool.map(fail, [1, 3], options), "a map"), [1, 3]);
});

test("WorkerPool.start() settles when the pool is joined or terminated meanwhile", async () => {
  const preload = [
    "data:text/javascript,await new Promise((r) => setTimeout(r, 200))",
  ];
  for (const end of ["join", "terminate"] as const) {
    const pool = new WorkerPool({
      nJobs: 1,
      preload,
      workerExitTimeout: 10,
      workerExit: () => 1,
    });
    const started = pool.start().then(() => "started", (error) => error);
    await soon(pool[end](), end);
    const outcome = await soon(started, "start()");
    if (end === "join") assertEquals(outcome, "started");
    else assertInstanceOf(outcome, PoolTerminatedError);
    await pool.terminate();
  }
});

test("WorkerPool.start() starts workers though an exit function failed before", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    workerExit: () => {
      throw new RangeError("exit");
    },
  });
  await pool.apply(() => 1);
  const joined = pool.join().then(() => "joined", (error) => error.message);
  const started = pool.start();
  assertEquals(await joined, "exit");
  await started;
  await pool.terminate();
});

test("WorkerPool counts neither start nor way as time of 'workerExit'", async () => {
  // One that never had a task runs none, however long it takes to start.
  const pool = new WorkerPool({
    nJobs: 1,
    workerExitTimeout: 1,
    workerExit: () => 1,
  });
  pool.start();
  await pool.join();
  assertEquals(pool.getExitResults(), []);
});

test("WorkerPool.imap() that pauses while settings change ends with the pool", async () => {
  const pool = new WorkerPool({ nJobs: 1, workerExit: () => "left" });
  function* numbers() {
    for (let i = 0;; i++) yield i;
  }
  const options = { maxTasksActive: 1 };
  const results = pool.imap((x: number) => x, numbers(), options);
  assertEquals((await results.next()).value, 0);
  const changed = pool.passOnWorkerId();
  assertEquals(await changed.map((_, x: number) => x, [7]), [7]);
  assertEquals((await results.next()).value, 1);
  assertEquals((await results.next()).value, 2);
  await results.return!();
  await soon(pool.join(), "join()");
  const exits = pool.getExitResults();
  assert(exits.length >= 2 && exits.every((exit) => exit === "left"));

  const others = changed.imap((_, x: number) => x, numbers(), options);
  assertEquals((await others.next()).value, 0);
  await changed.passOnWorkerId(false).map((x: number) => x, [7]);
  assertEquals((await others.next()).value, 1);
  await pool.terminate();
  await assertRejects(
    async () => {
      while (true) await soon(others.next(), "the end");
    },
    PoolTerminatedError,
  );
});

test("WorkerPool hands nothing to a worker that input has had stopped", async () => {
  const pool = new WorkerPool({ nJobs: 1, keepAlive: false });
  const controller = new AbortController();
  const calls: Promise<unknown>[] = [];
  let read = 0;
  const input = {
    [Symbol.iterator]: () => ({
      next() {
        if (read++ < 3) return { value: read };
        controller.abort();
        calls.push(pool.map((x: number) => x, [2]));
        calls.push(pool.map((x: number) => x * 3, [3]));
        return { value: 4 };
      },
    }),
  } as Iterable<number>;
  const results = pool.imap((x: number) => x, input, {
    signal: controller.signal,
    maxTasksActive: 2,
    chunkSize: 1,
  });
  await results.next();
  await pause();
  await results.next().catch(() => {});
  assertEquals(await soon(Promise.all(calls), "the calls"), [[2], [9]]);
  await pool.join();
});

test("WorkerPool.join() rejects with the error of the exit function of stale workers", async () => {
  const gate = sharedArray(Int32Array, 1);
  const pool = new WorkerPool({
    nJobs: 1,
    sharedObjects: gate,
    workerExit: () => {
      throw new RangeError("exit");
    },
  });
  const slow = pool.map(wait, [1]);
  await pause();
  const workerExit = () => "well";
  const other = pool.setSharedObjects(gate.subarray(0))
    .map((_, x: number) => x, [2], { workerExit });
  assertEquals(await other, [2]);
  open(gate);
  assertEquals(await slow, [1]);
  await assertRejects(() => pool.join(), RangeError, "exit");
  // It is told once.
  await pool.join();
});

test("WorkerPool keeps exit results while any of its workers lives", async () => {
  const gate = sharedArray(Int32Array, 1);
  const pool = new WorkerPool({
    nJobs: 1,
    sharedObjects: gate,
    workerExit: () => "A",
    enableInsights: true,
  });
  const slow = pool.map(wait, [1, 2, 3]);
  await pause();
  const workerExit = () => "B";
  await pool.map((_: Int32Array, x: number) => x, [9], { workerExit });
  open(gate);
  await slow;
  await pool.join();
  assertEquals(pool.getExitResults().toSorted(), ["A", "B"]);
  const { nCompletedTasks } = pool.getInsights() as {
    nCompletedTasks: number[];
  };
  assertEquals(nCompletedTasks, [4]);
});

test("WorkerPool.map() of nothing gives nothing while workers of others stop badly", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    keepAlive: false,
    workerExit: async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      throw new RangeError("exit");
    },
  });
  const call = pool.map((x: number) => x, [1]).then(() => 0, (e) => e.message);
  const empty: Promise<unknown>[] = [];
  for (let i = 0; i < 20; i++) {
    await pause(2);
    empty.push(pool.map((x: number) => x, []));
  }
  assertEquals(await call, "exit");
  for (const results of await Promise.all(empty)) assertEquals(results, []);
  await pool.join();
});

test("WorkerPool.join() finishes what was asked for while another join() stops the workers", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    workerExit: async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
    },
  });
  await pool.apply(() => 1);
  const joined = pool.join();
  await pause(20);
  let isOver = false;
  const call = pool.apply(async () => {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }).then(() => isOver = true);
  await pool.join();
  assert(isOver);
  await Promise.all([joined, call]);
});
