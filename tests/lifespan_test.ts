import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
} from "@std/assert";
import { test } from "node:test";
import { PoolTerminatedError, sharedArray } from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { inTime, reasonOf, sleep, until, upTo } from "./fixtures/life/wait.ts";

interface State {
  life: number;
  tasks: number;
}

/** A pool whose functions know how many lives its workers have had. */
function countingPool(nJobs: number, workerLifespan?: number) {
  return new WorkerPool({
    nJobs,
    workerLifespan,
    sharedObjects: sharedArray(Int32Array, 1),
    useWorkerState: true,
    workerInit(lives, state: State) {
      state.life = Atomics.add(lives, 0, 1) + 1;
      state.tasks = 0;
    },
    workerExit: (_lives, state: State) => state.tasks,
  });
}

/** Tells which life runs the task, and counts it. */
function lifeOf(_lives: Int32Array, state: State, _task: number): number {
  state.tasks++;
  return state.life;
}

test("WorkerPool lets each worker end its chunk, then replaces it, when 'workerLifespan' is over", async () => {
  const pool = countingPool(2, 2);
  const lives = await pool.map(lifeOf, upTo(12), { chunkSize: 3 });
  await pool.join();
  assertEquals(pool.getExitResults(), [3, 3, 3, 3]);
  const tasksOf = new Map<number, number[]>();
  lives.forEach((life, task) =>
    tasksOf.set(life, [...tasksOf.get(life) ?? [], task])
  );
  assertEquals([...tasksOf.keys()].sort(), [1, 2, 3, 4]);
  assertEquals(
    [...tasksOf.values()].sort(([a], [b]) => a! - b!),
    [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]],
  );
});

test("WorkerPool gives each task a worker of its own when 'workerLifespan' is 1", async () => {
  const pool = countingPool(2, 1);
  const lives = await pool.map(lifeOf, upTo(7), { chunkSize: 1 });
  await pool.join();
  assertEquals(new Set(lives), new Set([1, 2, 3, 4, 5, 6, 7]));
  assertEquals(pool.getExitResults(), new Array(7).fill(1));
});

test("WorkerPool counts the tasks of a worker's life across calls", async () => {
  await using pool = countingPool(1, 3);
  const lives: number[][] = [];
  for (let i = 0; i < 4; i++) {
    lives.push(await pool.map(lifeOf, [0, 1], { chunkSize: 1 }));
  }
  for (let i = 0; i < 2; i++) lives.push([await pool.apply(lifeOf, [i])]);
  assertEquals(lives, [[1, 1], [1, 2], [2, 2], [3, 3], [3], [4]]);
});

test("WorkerPool.map() takes a 'workerLifespan' of its own", async () => {
  await using pool = countingPool(1, 100);
  const options = { chunkSize: 1, workerLifespan: 1 };
  assertEquals(await pool.map(lifeOf, upTo(3), options), [1, 2, 3]);
  // The pool's own counts again.
  assertEquals(await pool.map(lifeOf, upTo(3), { chunkSize: 1 }), [4, 4, 4]);
});

test("WorkerPool keeps workers for ever when there is no 'workerLifespan'", async () => {
  await using pool = countingPool(1);
  const lives = await pool.map(lifeOf, upTo(3000));
  assertEquals(new Set(lives), new Set([1]));
});

test("WorkerPool gives the next worker the ID of the old one, and state of its own", async () => {
  const pool = new WorkerPool({
    nJobs: 3,
    workerLifespan: 2,
    orderTasks: true,
    passWorkerId: true,
    useWorkerState: true,
    workerExit: (workerId) => workerId,
  });
  const task = (workerId: number, state: { seen?: number[] }, x: number) => {
    (state.seen ??= []).push(x);
    return [workerId, ...state.seen];
  };
  const results = await pool.map(task, upTo(12), { chunkSize: 1 });
  const wanted = upTo(12).map((x) =>
    x < 3 || (x >= 6 && x < 9) ? [x % 3, x] : [x % 3, x - 3, x]
  );
  assertEquals(results, wanted);
  await pool.join();
  assertEquals(pool.getExitResults().sort(), [0, 0, 1, 1, 2, 2]);
});

test("WorkerPool starts the next worker while the old one is still at its last task", async () => {
  const release = sharedArray(Int32Array, 1);
  await using pool = new WorkerPool({
    nJobs: 1,
    workerLifespan: 1,
    enableInsights: true,
    sharedObjects: release,
  });
  await pool.start();
  const startUpTime = () => pool.getInsights().startUpTime![0];
  const first = startUpTime();
  assertNotEquals(first, 0);
  const call = pool.map(async (release, x: number) => {
    while (Atomics.load(release, 0) === 0) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return x;
  }, [1, 2]);
  try {
    // The figure is that of the latest worker which became ready.
    await until(() => startUpTime() !== first, "the next worker is there");
  } finally {
    Atomics.store(release, 0, 1);
  }
  assertEquals(await inTime(call), [1, 2]);
});

test("WorkerPool.getExitResults() has big results of all workers that were replaced", async () => {
  const pool = new WorkerPool({
    nJobs: 2,
    workerLifespan: 1,
    useWorkerState: true,
    workerExit: (state: { x: number }) =>
      new Uint8Array(10_000_000).fill(state.x),
  });
  const task = (state: { x: number }, x: number) => {
    state.x = x;
  };
  // No wait between the last task and the end.
  const call = pool.map(task, [1, 2, 3, 4], { chunkSize: 1 });
  await inTime(pool.join());
  await inTime(call);
  const results = pool.getExitResults() as Uint8Array[];
  assertEquals(results.map((result) => result.length), [
    10_000_000,
    10_000_000,
    10_000_000,
    10_000_000,
  ]);
  assertEquals(
    new Set(results.map((r) => r[9_999_999])),
    new Set([1, 2, 3, 4]),
  );
});

test("WorkerPool.join() resolves when it comes right after a call that wears workers out", async () => {
  for (let round = 0; round < 5; round++) {
    const pool = countingPool(2, 1);
    const call = pool.map(lifeOf, upTo(4), { chunkSize: 1 });
    if (round % 2 === 0) await inTime(call);
    await inTime(pool.join());
    assertEquals((await inTime(call)).length, 4);
    assertEquals(pool.getExitResults(), [1, 1, 1, 1]);
    assertEquals((await inTime(pool.map(lifeOf, upTo(3)))).length, 3);
    await inTime(pool.join());
  }
});

test("WorkerPool.terminate() ends calls while workers are being replaced", async () => {
  const pool = new WorkerPool({ nJobs: 2, workerLifespan: 1 });
  for (const taken of [0, 1, 2, 3]) {
    const results = pool.imapUnordered((x: number) => x, upTo(1000), {
      chunkSize: 1,
    });
    for (let i = 0; i < taken; i++) await inTime(results.next());
    const other = pool.map((x: number) => x, upTo(1000), { chunkSize: 1 });
    const reason = reasonOf(other);
    await inTime(pool.terminate());
    assertInstanceOf(await reason, PoolTerminatedError);
    if (taken === 0) continue;
    const rest = await reasonOf((async () => {
      for await (const _ of results);
    })());
    assertInstanceOf(rest, PoolTerminatedError);
  }
  assertEquals(await inTime(pool.map((x: number) => x, [1, 2])), [1, 2]);
  await inTime(pool.join());
});

test("WorkerPool rejects the running call once when the 'workerExit' of a replaced worker throws", async () => {
  const exits = sharedArray(Int32Array, 1);
  const pool = new WorkerPool({
    nJobs: 1,
    workerLifespan: 1,
    sharedObjects: exits,
    workerExit(exits) {
      if (Atomics.add(exits, 0, 1) === 0) throw new RangeError("first exit");
      return "fine";
    },
  });
  const task = (_exits: Int32Array, x: number) => x;
  const error = await reasonOf(pool.map(task, upTo(20), { chunkSize: 1 }));
  assertInstanceOf(error, RangeError);
  assertEquals(error.message, "first exit");
  assertEquals(await inTime(pool.map(task, upTo(3), { chunkSize: 1 })), [
    0,
    1,
    2,
  ]);
  await inTime(pool.join());
  assert(pool.getExitResults().every((result) => result === "fine"));
});

test("WorkerPool.join() rejects when the 'workerExit' of a replaced worker threw after the call", async () => {
  const exits = sharedArray(Int32Array, 1);
  const pool = new WorkerPool({
    nJobs: 1,
    workerLifespan: 1,
    sharedObjects: exits,
    workerExit(exits) {
      Atomics.add(exits, 0, 1);
      throw new RangeError("late exit");
    },
  });
  assertEquals(await pool.map((_exits, x: number) => x, [5]), [5]);
  await until(() => Atomics.load(exits, 0) === 1, "the exit function ran");
  await sleep(700);
  const error = await reasonOf(pool.join());
  assertInstanceOf(error, RangeError);
  assertEquals(error.message, "late exit");
  // Once.
  await inTime(pool.join());
});

test("WorkerPool replaces workers between chunks when tasks run side by side", async () => {
  const pool = countingPool(2, 4);
  const lives = await inTime(pool.map(
    async (_lives, state: State, _x: number) => {
      state.tasks++;
      await new Promise((resolve) => setTimeout(resolve, 2));
      return state.life;
    },
    upTo(24),
    { chunkSize: 2, concurrency: 4 },
  ));
  await inTime(pool.join());
  const results = pool.getExitResults() as number[];
  assertEquals(results.reduce((sum, n) => sum + n, 0), 24);
  assertEquals(results.length, new Set(lives).size);
  assert(results.every((tasks) => tasks <= 4), `tasks of lives: ${results}`);
});

test("WorkerPool replaces the worker when startMethod is serial", async () => {
  const lives = sharedArray(Int32Array, 1);
  const pool = new WorkerPool({
    startMethod: "serial",
    workerLifespan: 2,
    sharedObjects: lives,
    useWorkerState: true,
    workerInit(lives, state: State) {
      state.life = ++lives[0]!;
    },
    workerExit: (_lives, state: State) => state.life,
  });
  const results = await inTime(pool.map(
    (_lives, state: State, _x: number) => state.life,
    upTo(5),
    { chunkSize: 1 },
  ));
  assertEquals(results, [1, 1, 2, 2, 3]);
  await inTime(pool.join());
  assertEquals(pool.getExitResults(), [1, 2, 3]);
});
