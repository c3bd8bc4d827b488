import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { test } from "node:test";
import { sharedArray, TimeoutError, WorkerDiedError } from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { inTime, reasonOf, sleep, until, upTo } from "./fixtures/life/wait.ts";
import { runProgram, runtimeName } from "./support/program.ts";

const programs = new URL("./fixtures/life/timeouts.ts", import.meta.url);
function assertTimeout(
  error: unknown,
  stage: TimeoutError["stage"],
  timeout: number,
): void {
  assertInstanceOf(error, TimeoutError);
  assertInstanceOf(error, Error);
  assertEquals(
    { name: error.name, stage: error.stage, timeout: error.timeout },
    { name: "TimeoutError", stage, timeout },
  );
}

/** A task that never ends if it gets a negative number. */
async function endlessIfNegative(x: number): Promise<number> {
  if (x < 0) await new Promise(() => {});
  return x;
}

// --- taskTimeout ---

test("WorkerPool.map() rejects with a TimeoutError when a task never ends", async () => {
  await using pool = new WorkerPool({ nJobs: 2, taskTimeout: 300 });
  const error = await reasonOf(pool.map(endlessIfNegative, [1, -1, 2]));
  assertTimeout(error, "task", 300);
  assert(error instanceof TimeoutError);
  assert(error.workerId === 0 || error.workerId === 1);
  assert(error.message.includes("300 ms"), error.message);
  assert(error.stack!.includes("timeouts_test.ts"), error.stack);
  assert(error.stack!.includes("(-1)"), error.stack);
  assertEquals(await inTime(pool.map(endlessIfNegative, [1, 2])), [1, 2]);
});

for (
  const program of ["map", "settle", "apply", "side-by-side", "waiting"]
) {
  test(`WorkerPool gives up a task that does not end, replaces the worker, and the program can end: ${program}`, async () => {
    const { code, stdout, stderr, timedOut } = await runProgram(programs, {
      args: [program],
      timeout: 30_000,
    });
    assertEquals(
      { code, stdout, timedOut },
      {
        code: 0,
        stdout: "TimeoutError task 150\n1 4 9 16\nend\n",
        timedOut: false,
      },
    );
    // Where the thread cannot be stopped, one line says so.
    const line = /^polypool: .*cannot stop a thread in a synchronous loop.*\n$/;
    const goesOn = runtimeName === "deno" && program !== "waiting";
    assertMatch(stderr, goesOn ? line : /^$/);
  });
}

test("WorkerPool stops the thread of a task that loops for ever, or goes on without it", async () => {
  const beats = sharedArray(Int32Array, 1);
  const release = sharedArray(Int32Array, 1);
  await using pool = new WorkerPool({ nJobs: 1, taskTimeout: 300 });
  const error = await reasonOf(
    pool.apply((beats: Int32Array, release: Int32Array) => {
      while (Atomics.load(release, 0) === 0) Atomics.add(beats, 0, 1);
    }, [beats, release]),
  );
  assertTimeout(error, "task", 300);
  await pool.apply(() => {});
  // Deno cannot stop a busy thread: there it ends when the test lets it.
  if (runtimeName === "deno") Atomics.store(release, 0, 1);
  let last = -1;
  await until(() => {
    const stands = Atomics.load(beats, 0) === last;
    last = Atomics.load(beats, 0);
    return stands;
  }, "the thread is gone");
});

test("WorkerPool counts the time that a task runs, not the time that it waits", async () => {
  await using pool = new WorkerPool({ nJobs: 1, taskTimeout: 600 });
  const task = async (x: number) => {
    await new Promise((resolve) => setTimeout(resolve, 60));
    return x;
  };
  // One after the other: the last one waits far longer than the timeout.
  const [applied, mapped, chunk] = await inTime(Promise.all([
    Promise.all(upTo(8).map((x) => pool.apply(task, [x]))),
    pool.map(task, upTo(8), { chunkSize: 1 }),
    pool.map(task, upTo(8), { chunkSize: 8 }),
  ]));
  assertEquals([applied, mapped, chunk], [upTo(8), upTo(8), upTo(8)]);
});

test("WorkerPool counts neither the start of a worker nor 'workerInit' as time of its first task", async () => {
  await using pool = new WorkerPool({
    nJobs: 1,
    taskTimeout: 400,
    workerInit: () => new Promise((resolve) => setTimeout(resolve, 600)),
  });
  assertEquals(await inTime(pool.map((x: number) => x, [1, 2])), [1, 2]);
});

test("WorkerPool.apply() that times out leaves other calls of the pool alone", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const task = async (x: number) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return x;
  };
  const others = [pool.map(task, upTo(60)), pool.map(task, upTo(60).reverse())];
  const applied = upTo(20).map((x) => pool.apply(task, [x]));
  const late = pool.apply(endlessIfNegative, [-1], { taskTimeout: 60 });
  assertTimeout(await reasonOf(late), "task", 60);
  assertEquals(await inTime(Promise.all(others)), [
    upTo(60),
    upTo(60).reverse(),
  ]);
  assertEquals(await inTime(Promise.all(applied)), upTo(20));
});

for (const chunkSize of [1, 4, 10, 40]) {
  test(`WorkerPool.map() loses only the slow tasks, and runs each once, when onError is settle and chunkSize is ${chunkSize}`, async () => {
    const runs = sharedArray(Int32Array, 40);
    await using pool = new WorkerPool({ nJobs: 2, sharedObjects: runs });
    const isSlow = (x: number) => x === 3 || x === 27;
    const results = await inTime(pool.map(
      async (runs, x: number) => {
        Atomics.add(runs, x, 1);
        if (x === 3 || x === 27) await new Promise(() => {});
        return -x;
      },
      upTo(40),
      { chunkSize, onError: "settle", taskTimeout: 400 },
    ));
    for (const [x, result] of results.entries()) {
      if (isSlow(x)) {
        assert(result.status === "rejected");
        assertTimeout(result.reason, "task", 400);
      } else {
        assertEquals(result, { status: "fulfilled", value: -x });
      }
    }
    assertEquals([...runs], new Array(40).fill(1));
  });
}

test("WorkerPool.map() loses only slow tasks when the worker's synchronous tasks precede them in the chunk", async () => {
  const runs = sharedArray(Int32Array, 30);
  await using pool = new WorkerPool({ nJobs: 1, sharedObjects: runs });
  const results = await inTime(pool.map(
    (runs, x: number) => {
      Atomics.add(runs, x, 1);
      return x % 10 === 9 ? new Promise<number>(() => {}) : x;
    },
    upTo(30),
    { chunkSize: 15, onError: "settle", taskTimeout: 300 },
  ));
  assertEquals(
    results.map(({ status }) => status === "fulfilled"),
    upTo(30).map((x) => x % 10 !== 9),
  );
  assertEquals([...runs], new Array(30).fill(1));
});

test("WorkerPool finds tasks that overrun a timeout of 10 ms", async () => {
  await using pool = new WorkerPool({ nJobs: 2, taskTimeout: 10 });
  await pool.start();
  const results = await inTime(pool.map(
    (_x: number) => new Promise<void>((resolve) => setTimeout(resolve, 500)),
    upTo(6),
    { onError: "settle", chunkSize: 2 },
  ));
  for (const result of results) {
    assert(result.status === "rejected");
    assertTimeout(result.reason, "task", 10);
  }
});

test("WorkerPool takes no task for late when it is quicker than the timeout and the main thread is busy", async () => {
  // Far from the tasks' 15 ms: a loaded machine may stop a thread for long.
  await using pool = new WorkerPool({ nJobs: 2, taskTimeout: 1000 });
  const call = pool.map((x: number) => {
    const end = performance.now() + 15;
    while (performance.now() < end);
    return x;
  }, upTo(60));
  for (let i = 0; i < 2; i++) {
    const end = performance.now() + 1200;
    while (performance.now() < end);
    await sleep(20);
  }
  assertEquals(await inTime(call), upTo(60));
});

test("WorkerPool.map() with a timeout gives all results of 100,000 tiny tasks", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const input = upTo(100_000);
  const results = await inTime(
    pool.map((x: number) => x + 1, input, { taskTimeout: 2000 }),
  );
  assertEquals(results.length, input.length);
  assert(results.every((result, i) => result === i + 1));
});

test("WorkerPool.map() loses only slow tasks when tasks run side by side", async () => {
  const runs = sharedArray(Int32Array, 24);
  await using pool = new WorkerPool({ nJobs: 2, sharedObjects: runs });
  const results = await inTime(pool.map(
    async (runs, x: number) => {
      Atomics.add(runs, x, 1);
      const wait = x % 6 === 1
        ? new Promise(() => {})
        : new Promise((resolve) => setTimeout(resolve, 2));
      await wait;
      return x;
    },
    upTo(24),
    { concurrency: 6, taskTimeout: 500, onError: "settle" },
  ));
  for (const [x, result] of results.entries()) {
    if (x % 6 === 1) {
      assert(result.status === "rejected");
      assertTimeout(result.reason, "task", 500);
    } else {
      assertEquals(result, { status: "fulfilled", value: x });
    }
  }
  assertEquals([...runs], new Array(24).fill(1));
});

test("WorkerPool.map() rejects with a TimeoutError when a task side by side with others never ends", async () => {
  await using pool = new WorkerPool({ nJobs: 1, taskTimeout: 300 });
  const error = await reasonOf(
    pool.map(endlessIfNegative, [1, -1, 2, 3], { concurrency: 4 }),
  );
  assertTimeout(error, "task", 300);
  assertEquals(
    await inTime(pool.map(endlessIfNegative, [4, 5], { concurrency: 4 })),
    [4, 5],
  );
});

test("WorkerPool rejects a synchronous task that overran when it ends when startMethod is serial", async () => {
  const pool = new WorkerPool({ startMethod: "serial", taskTimeout: 300 });
  let ended = 0;
  const spin = (ms: number) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
    ended++;
    return ms;
  };
  const results = await inTime(
    pool.map(spin, [0, 400, 0], { onError: "settle" }),
  );
  assertEquals(ended, 3);
  assertEquals(results.map(({ status }) => status), [
    "fulfilled",
    "rejected",
    "fulfilled",
  ]);
  assertTimeout((results[1] as PromiseRejectedResult).reason, "task", 300);
  assertTimeout(await reasonOf(pool.apply(spin, [400])), "task", 300);
});

test("WorkerPool rejects an asynchronous task that never ends when startMethod is serial", async () => {
  const pool = new WorkerPool({ startMethod: "serial", taskTimeout: 300 });
  const results = await inTime(
    pool.map(endlessIfNegative, [1, -1, 2], { onError: "settle" }),
  );
  assertEquals(results[0], { status: "fulfilled", value: 1 });
  assertEquals(results[2], { status: "fulfilled", value: 2 });
  assertTimeout((results[1] as PromiseRejectedResult).reason, "task", 300);
  assertTimeout(await reasonOf(pool.map(endlessIfNegative, [-1])), "task", 300);
});

test("WorkerPool takes the timeout of the call before its own", async () => {
  await using pool = new WorkerPool({ nJobs: 1, taskTimeout: 40 });
  const slow = async (x: number) => {
    await new Promise((resolve) => setTimeout(resolve, 150));
    return x;
  };
  const longer = { taskTimeout: 20_000 };
  assertEquals(await inTime(pool.map(slow, [1], longer)), [1]);
  assertEquals(await inTime(pool.apply(slow, [2], longer)), 2);
  assertTimeout(await reasonOf(pool.map(slow, [1])), "task", 40);
  assertTimeout(await reasonOf(pool.apply(slow, [1])), "task", 40);
  const shorter = { taskTimeout: 20 };
  assertTimeout(await reasonOf(pool.map(slow, [1], shorter)), "task", 20);
  const iterator = pool.imap(slow, [1], shorter);
  assertTimeout(await reasonOf(iterator.next()), "task", 20);
});

test("WorkerPool takes timeouts that are longer than a timer can wait", async () => {
  await using pool = new WorkerPool({
    nJobs: 1,
    taskTimeout: 1e12,
    workerInitTimeout: 1e12,
    workerExitTimeout: 1e12,
    idleTimeout: 1e12,
    workerInit: () => {},
    workerExit: () => {},
  });
  assertEquals(await inTime(pool.map((x: number) => x, [1, 2])), [1, 2]);
  const slow = async (x: number) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return x;
  };
  const options = { concurrency: 2 };
  assertEquals(await inTime(pool.map(slow, [1, 2], options)), [1, 2]);
  const serial = new WorkerPool({ startMethod: "serial", taskTimeout: 1e12 });
  assertEquals(await inTime(serial.map(slow, [1])), [1]);
});

// --- cancel ---

test("AsyncResult.cancel() rejects while the task runs on, and its worker stays", async () => {
  const ended = sharedArray(Int32Array, 1);
  await using pool = new WorkerPool({
    nJobs: 1,
    useWorkerState: true,
    sharedObjects: ended,
  });
  type State = { tasks?: number };
  const count = (_ended: Int32Array, state: State) =>
    state.tasks = (state.tasks ?? 0) + 1;
  assertEquals(await pool.apply(count), 1);
  const result = pool.applyAsync(async (ended, state: State) => {
    Atomics.store(ended, 0, 1);
    await new Promise((resolve) => setTimeout(resolve, 60));
    state.tasks = state.tasks! + 1;
    Atomics.store(ended, 0, 2);
    return "dropped";
  });
  await until(() => Atomics.load(ended, 0) === 1, "the task runs");
  assertEquals(result.cancel(), true);
  const error = await reasonOf(result);
  assertInstanceOf(error, DOMException);
  assertEquals(error.name, "AbortError");
  assertEquals(result.cancel(), false);
  assertEquals([result.ready(), result.successful()], [true, false]);
  // In the same worker, after the task that ran.
  assertEquals(await inTime(pool.apply(count)), 3);
  assertEquals(Atomics.load(ended, 0), 2);
});

test("AsyncResult.cancel() keeps a task that waits from running", async () => {
  const runs = sharedArray(Int32Array, 8);
  await using pool = new WorkerPool({ nJobs: 1, sharedObjects: runs });
  const results = upTo(8).map((x) =>
    pool.applyAsync(async (runs, x: number) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      Atomics.add(runs, x, 1);
    }, [x])
  );
  for (const result of results.slice(4)) assertEquals(result.cancel(), true);
  const outcomes = await inTime(Promise.allSettled(results));
  assertEquals(
    outcomes.map(({ status }) => status === "fulfilled"),
    upTo(8).map((x) => x < 4),
  );
  await inTime(pool.join());
  assertEquals([...runs], [1, 1, 1, 1, 0, 0, 0, 0]);
});

// --- workerInitTimeout ---

test("WorkerPool rejects once when 'workerInit' takes longer than 'workerInitTimeout'", async () => {
  const inits = sharedArray(Int32Array, 1);
  await using pool = new WorkerPool({
    nJobs: 1,
    workerInitTimeout: 80,
    sharedObjects: inits,
    async workerInit(inits) {
      if (Atomics.add(inits, 0, 1) === 0) await new Promise(() => {});
    },
  });
  const task = (_inits: Int32Array, x: number) => x;
  const error = await reasonOf(pool.map(task, upTo(20)));
  assertTimeout(error, "workerInit", 80);
  assert(error instanceof TimeoutError);
  assertEquals(error.workerId, 0);
  assertEquals(await inTime(pool.map(task, upTo(20))), upTo(20));
  assertEquals(Atomics.load(inits, 0), 2);
});

test("WorkerPool takes the 'workerInitTimeout' of the call before its own", async () => {
  const workerInit = () => new Promise((resolve) => setTimeout(resolve, 200));
  await using pool = new WorkerPool({
    nJobs: 1,
    workerInitTimeout: 20,
    workerInit,
  });
  const task = (x: number) => x;
  assertTimeout(await reasonOf(pool.apply(task, [1])), "workerInit", 20);
  const options = { workerInitTimeout: 20_000 };
  assertEquals(await inTime(pool.apply(task, [1], options)), 1);
  // It has run in this worker.
  assertEquals(await inTime(pool.map(task, [1])), [1]);
});

test("WorkerPool watches 'workerInit' when the first task could not be sent", async () => {
  await using pool = new WorkerPool({
    nJobs: 1,
    workerInitTimeout: 80,
    workerInit: () => new Promise(() => {}),
  });
  const error = await reasonOf(pool.apply((_x: unknown) => {}, [Symbol()]));
  assert(error instanceof Error);
  assertEquals(error.name, "DataCloneError");
  const late = await reasonOf(pool.apply((x: number) => x, [1]), 10_000);
  try {
    assertTimeout(late, "workerInit", 80);
  } finally {
    await pool.terminate();
  }
});

test("WorkerPool does not take the time of tasks for that of 'workerInit'", async () => {
  await using pool = new WorkerPool({
    nJobs: 1,
    workerInitTimeout: 100,
    workerInit: () => {},
  });
  const slow = async (x: number) => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    return x;
  };
  assertEquals(await inTime(pool.map(slow, [1, 2])), [1, 2]);
});

// --- workerExitTimeout ---

test("WorkerPool.join() rejects when 'workerExit' takes longer than 'workerExitTimeout'", async () => {
  // Long enough for an exit that ends, on a busy machine.
  const workerExitTimeout = 400;
  const exits = sharedArray(Int32Array, 1);
  const pool = new WorkerPool({
    nJobs: 2,
    workerExitTimeout,
    sharedObjects: exits,
    passWorkerId: true,
    orderTasks: true,
    async workerExit(workerId, exits) {
      if (Atomics.add(exits, 0, 1) < 2 && workerId === 1) {
        await new Promise(() => {});
      }
      return workerId;
    },
  });
  const task = (_workerId: number, _exits: Int32Array, x: number) => x;
  await pool.map(task, [1, 2], { chunkSize: 1 });
  const error = await reasonOf(pool.join());
  assertTimeout(error, "workerExit", workerExitTimeout);
  assert(error instanceof TimeoutError);
  assertEquals(error.workerId, 1);
  assertEquals(pool.getExitResults(), [0]);
  assertEquals(await inTime(pool.map(task, [1, 2], { chunkSize: 1 })), [1, 2]);
  await inTime(pool.join());
  assertEquals(pool.getExitResults().sort(), [0, 1]);
});

test("WorkerPool rejects the running call when the 'workerExit' of a replaced worker takes too long", async () => {
  const exits = sharedArray(Int32Array, 1);
  const pool = new WorkerPool({
    nJobs: 1,
    workerLifespan: 1,
    // Long enough for the exit of the others on a busy machine.
    workerExitTimeout: 400,
    sharedObjects: exits,
    async workerExit(exits) {
      if (Atomics.add(exits, 0, 1) === 0) await new Promise(() => {});
    },
  });
  const task = (_exits: Int32Array, x: number) => x;
  const error = await reasonOf(pool.map(task, upTo(20), { chunkSize: 1 }));
  assertTimeout(error, "workerExit", 400);
  const options = { chunkSize: 1 };
  assertEquals(await inTime(pool.map(task, upTo(3), options)), upTo(3));
  await inTime(pool.join());
});

test("WorkerPool takes the 'workerExitTimeout' of the call before its own", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    workerExitTimeout: 20,
    workerExit: () =>
      new Promise((resolve) => setTimeout(resolve, 200, "late")),
  });
  await pool.map((x: number) => x, [1], { workerExitTimeout: 20_000 });
  await inTime(pool.join());
  assertEquals(pool.getExitResults(), ["late"]);
  await pool.map((x: number) => x, [1]);
  assertTimeout(await reasonOf(pool.join()), "workerExit", 20);
  assertEquals(pool.getExitResults(), []);
});

test("WorkerPool rejects the call that stops the workers when 'workerExit' takes too long and keepAlive is false", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    keepAlive: false,
    workerExitTimeout: 60,
    workerExit: () => new Promise(() => {}),
  });
  const error = await reasonOf(pool.map((x: number) => x, [1]));
  assertTimeout(error, "workerExit", 60);
});

// --- errors of the user's own ---

test("WorkerPool passes on a TimeoutError that a task throws by itself as it is", async () => {
  await using pool = new WorkerPool({ nJobs: 1, taskTimeout: 5000 });
  const error = await reasonOf(pool.apply(() => {
    throw new DOMException("mine", "TimeoutError");
  }));
  assert(error instanceof Error);
  assertEquals([error.name, error.message], ["TimeoutError", "mine"]);
  assertStrictEquals(error instanceof TimeoutError, false);
});

// --- workers that die at each start ---

test("WorkerPool.map() rejects, and starts few workers, when each one dies in 'workerInit' and onError is settle", async () => {
  const inits = sharedArray(Int32Array, 1);
  const pool = new WorkerPool({
    nJobs: 2,
    sharedObjects: inits,
    workerInit(inits) {
      Atomics.add(inits, 0, 1);
      globalThis.process.exit(3);
    },
  });
  const error = await reasonOf(
    pool.map((_inits, x: number) => x, upTo(100), { onError: "settle" }),
    40_000,
  );
  assertInstanceOf(error, WorkerDiedError);
  const starts = Atomics.load(inits, 0);
  assert(starts <= 20, `${starts} workers were started`);
  await inTime(pool.join().catch(() => {}));
});

test("several tasks side by side that are late with their worker cost the call alone", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const task = async (x: number) => {
    if (x === 3) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      const end = performance.now() + 3_000;
      while (performance.now() < end);
    }
    await new Promise((resolve) => setTimeout(resolve, 3_600_000));
  };
  await assertRejects(
    () =>
      pool.map(task, [0, 1, 2, 3], {
        chunkSize: 1,
        concurrency: 4,
        taskTimeout: 300,
      }),
    TimeoutError,
  );
  assertEquals(await pool.apply(() => 2), 2);
});
