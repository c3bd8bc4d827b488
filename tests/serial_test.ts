import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { test } from "node:test";
import { TimeoutError, WorkerPool } from "../mod.ts";
import { soon } from "./support/waiting.ts";

function range(count: number, start = 0): number[] {
  return Array.from({ length: count }, (_, i) => start + i);
}

test("A serial pool runs tasks in the calling thread, one after the other", async () => {
  await using pool = new WorkerPool({ nJobs: 4, startMethod: "serial" });
  const seen: string[] = [];
  // Closures work, as it is the function itself.
  const results = await pool.map((x: number) => {
    seen.push(`begin ${x}`, `end ${x}`);
    return x;
  }, range(3));
  assertEquals(results, [0, 1, 2]);
  assertEquals(seen, [
    "begin 0",
    "end 0",
    "begin 1",
    "end 1",
    "begin 2",
    "end 2",
  ]);
  seen.length = 0;
  await pool.map(async (x: number) => {
    seen.push(`begin ${x}`);
    await new Promise((resolve) => setTimeout(resolve, 2 - x));
    seen.push(`end ${x}`);
  }, range(2));
  assertEquals(seen, ["begin 0", "end 0", "begin 1", "end 1"]);
});

test("A serial pool passes values by reference", async () => {
  const shared = { any: Symbol("thing"), f: () => 1 };
  await using pool = new WorkerPool({
    startMethod: "serial",
    sharedObjects: shared,
  });
  const elements = [{ a: 1 }, { f() {} }, new WeakMap(), Promise, shared];
  const passed = await pool.map(
    (s: typeof shared, element: unknown) => [s === shared, element] as const,
    elements as never[],
  );
  passed.forEach(([isShared, element], i) => {
    assert(isShared);
    assertStrictEquals(element, elements[i]);
  });
  const array = [1];
  assertStrictEquals(await pool.apply((_s, a: number[]) => a, [array]), array);
  const lazy = pool.imap((_s, o: object) => o, [elements[0]!] as object[]);
  assertStrictEquals((await lazy.next()).value, elements[0]);
  const kept = new Map<string, unknown>();
  await pool.apply((_s, m: Map<string, unknown>) => {
    m.set("x", 1);
  }, [kept]);
  assertEquals([...kept], [["x", 1]]);
});

test("A serial pool gives the very error that a task threw", async () => {
  class OwnError extends Error {
    detail = { deep: 1 };
  }
  await using pool = new WorkerPool({ startMethod: "serial" });
  const error = new OwnError("mine");
  const fails = () => {
    throw error;
  };
  assertStrictEquals(await assertRejects(() => pool.map(fails, [1])), error);
  assertStrictEquals(await assertRejects(() => pool.apply(fails)), error);
  const [settled] = await pool.map(fails, [1], { onError: "settle" });
  assert(settled?.status === "rejected");
  assertStrictEquals(settled.reason, error);
  const frozen = Object.freeze(new Error("frozen"));
  const caught = await assertRejects(() =>
    pool.apply(() => {
      throw frozen;
    })
  );
  assertStrictEquals(caught, frozen);
});

test("A serial pool has one worker with ID 0, its state and its life", async () => {
  const log: unknown[] = [];
  const pool = new WorkerPool({
    nJobs: 3,
    startMethod: "serial",
    passWorkerId: true,
    useWorkerState: true,
    orderTasks: true,
    workerInit: (id, state) => {
      log.push(["init", id]);
      state.n = 0;
    },
    workerExit: (id, state) => {
      log.push(["exit", id]);
      return state.n;
    },
  });
  assertEquals(log, []);
  const task = (id: number, state: { n: number }, _x: number) => {
    state.n++;
    return id;
  };
  assertEquals(await pool.map(task, range(5), { chunkSize: 1 }), [
    0,
    0,
    0,
    0,
    0,
  ]);
  await pool.map(task, []);
  assertEquals(await pool.apply(task, [1]), 0);
  assertEquals(log, [["init", 0]]);
  await pool.join();
  assertEquals(log, [["init", 0], ["exit", 0]]);
  assertEquals(pool.getExitResults(), [6]);
  await pool.start();
  await pool.join();
  assertEquals(log.length, 2, "a worker without a task runs neither");
});

test("A serial pool lets tasks use the same pool", async () => {
  await using pool = new WorkerPool({ startMethod: "serial" });
  await using inner = new WorkerPool({ startMethod: "serial" });
  const results = await soon(
    pool.map(
      async (x: number) =>
        (await inner.map((y: number) => y * 10, [x, x + 1])).join(),
      range(3),
    ),
    "the nested calls",
  );
  assertEquals(results, ["0,10", "10,20", "20,30"]);
});

test("A serial pool lets timers and the consumer run between tasks", async () => {
  await using pool = new WorkerPool({ startMethod: "serial" });
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  try {
    await pool.map(() => {
      const end = performance.now() + 5;
      while (performance.now() < end) { /* busy */ }
    }, range(40));
    assert(ticks >= 3, `${ticks} ticks in 200 ms`);
  } finally {
    clearInterval(timer);
  }
  // So that a call without end can be ended.
  await assertRejects(
    () =>
      soon(
        pool.map((x: number) => x, endless(), {
          signal: AbortSignal.timeout(30),
          chunkSize: 1,
        }),
        "the timeout",
      ),
    DOMException,
  );

  function* endless() {
    for (let i = 0;; i++) yield i;
  }

  // A consumer that stops stops the tasks.
  let ran = 0;
  for await (const _ of pool.imap(() => ++ran, range(1000).values())) break;
  assert(ran < 100, `${ran}`);
});

test("A serial pool ends a call whose signal aborts between tasks", async () => {
  await using pool = new WorkerPool({ startMethod: "serial" });
  const controller = new AbortController();
  let ran = 0;
  const call = pool.map(
    (x: number) => {
      ran++;
      if (x === 3) controller.abort(new EvalError("from the task"));
      return x;
    },
    range(100),
    { signal: controller.signal },
  );
  await assertRejects(() => call, EvalError, "from the task");
  await pool.join();
  assertEquals(ran, 4, "the rest of the chunk is skipped");
});

test("A serial pool stops at once when it is terminated", async () => {
  await using pool = new WorkerPool({ startMethod: "serial" });
  let ran = 0;
  const call = pool.map(async () => {
    ran++;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }, range(1000));
  const rejected = assertRejects(() => call) as Promise<Error>;
  while (ran === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await pool.terminate();
  assertEquals((await rejected).name, "PoolTerminatedError");
  const before = ran;
  await new Promise((resolve) => setTimeout(resolve, 30));
  assertEquals(ran, before);
  assertEquals(await pool.map((x: number) => x, [1]), [1]);
});

test("A serial pool takes closure as variables, too", async () => {
  await using pool = new WorkerPool({ startMethod: "serial" });
  const closure = { factor: 3 };
  const scaled = await pool.map(
    new Function("x", "return x * factor") as (x: number) => number,
    [1, 2],
    { closure },
  );
  assertEquals(scaled, [3, 6]);
});

for (const isAsync of [true, false]) {
  test(`A serial pool keeps workerInitTimeout, ${isAsync ? "async" : "sync"}`, async () => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const pool = new WorkerPool({
      startMethod: "serial",
      workerInitTimeout: 30,
      workerInit: isAsync
        ? () =>
          new Promise<void>((resolve) => timer = setTimeout(resolve, 3_600_000))
        : () => {
          const end = performance.now() + 60;
          while (performance.now() < end);
        },
    });
    const call = pool.apply((x: number) => x, [1]);
    const error = await assertRejects(() => soon(call, "it"), TimeoutError);
    assertEquals(error.stage, "workerInit");
    clearTimeout(timer);
    await pool.terminate();
  });
}
