import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { sharedArray } from "../mod.ts";
import { inThreads, WorkerPool } from "./support/pool.ts";
import { testIf } from "./support/skip.ts";
import { open } from "./support/waiting.ts";

async function gather<T>(results: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const result of results) all.push(result);
  return all;
}

function upTo(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

// --- start ---

testIf(inThreads, "what starts a process needs the event loop")(
  "WorkerPool runs a first call while its caller goes on computing",
  async () => {
    const raise = (flag: Int32Array) => Atomics.store(flag, 0, 1);
    const calls = [
      (pool: WorkerPool, flag: Int32Array) => pool.apply(raise, [flag]),
      (pool: WorkerPool, flag: Int32Array) => pool.map(raise, [flag]),
    ];
    for (const call of calls) {
      const pool = new WorkerPool({ nJobs: 2 });
      const flag = sharedArray(Int32Array, 1);
      const result = call(pool, flag);
      const deadline = Date.now() + 20_000;
      while (Atomics.load(flag, 0) === 0 && Date.now() < deadline);
      assertEquals(flag[0], 1);
      await result;
      await pool.join();
    }
  },
);

// --- workerInit ---

test("WorkerPool runs 'workerInit' once in each worker that gets a task, before it", async () => {
  const counts = sharedArray(Int32Array, 4);
  const pool = new WorkerPool({
    nJobs: 4,
    passWorkerId: true,
    sharedObjects: counts,
    workerInit: (id, counts) => {
      Atomics.add(counts, id, 1);
    },
  });
  await pool.start();
  assertEquals([...counts], [0, 0, 0, 0]);
  const first = await pool.apply((id, counts) => [id, counts[id]] as const);
  assertEquals(first[1], 1);
  assertEquals([...counts].reduce((a, b) => a + b), 1);
  const seen = await pool.map(
    (id, counts, _x: number) => [id, counts[id]!] as const,
    upTo(100),
    { chunkSize: 1 },
  );
  for (const [, count] of seen) assertEquals(count, 1);
  const ids = new Set([first[0], ...seen.map(([id]) => id)]);
  assertEquals([...counts], upTo(4).map((id) => ids.has(id) ? 1 : 0));
  await pool.join();
});

test("WorkerPool passes 'workerInit' and 'workerExit' the leading arguments and nothing else", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    passWorkerId: true,
    sharedObjects: { tag: "shared" },
    useWorkerState: true,
    workerInit: (...args) => {
      const [id, shared, state] = args;
      state.init = [args.length, id, shared.tag, Object.keys(state).length];
    },
    workerExit: (...args) => {
      const [id, shared, state] = args;
      return { exit: [args.length, id, shared.tag], state };
    },
  });
  const seen = await pool.apply((...args: unknown[]) => args, [5]);
  assertEquals(seen, [
    0,
    { tag: "shared" },
    { init: [3, 0, "shared", 0] },
    5,
  ]);
  await pool.join();
  assertEquals(pool.getExitResults(), [
    { exit: [3, 0, "shared"], state: { init: [3, 0, "shared", 0] } },
  ]);
});

test("WorkerPool passes 'workerInit' nothing when nothing is switched on", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    workerInit: (...args: unknown[]) => {
      (globalThis as { initArgs?: number }).initArgs = args.length;
    },
    workerExit: (...args: unknown[]) => args.length,
  });
  assertEquals(
    await pool.apply(() => (globalThis as { initArgs?: number }).initArgs),
    0,
  );
  await pool.join();
  assertEquals(pool.getExitResults(), [0]);
});

test("WorkerPool waits for an async 'workerInit' before the first task", async () => {
  await using pool = new WorkerPool({
    nJobs: 2,
    useWorkerState: true,
    workerInit: async (state) => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      state.ready = true;
    },
  });
  const seen = await pool.map(
    (state, _x: number) => state.ready === true,
    upTo(20),
    { concurrency: 4 },
  );
  assertEquals(seen, new Array(20).fill(true));
});

test("WorkerPool rejects once with the error of 'workerInit' and stays usable", async () => {
  const fails = sharedArray(Int32Array, [1]);
  await using pool = new WorkerPool({
    nJobs: 2,
    sharedObjects: fails,
    workerInit: async (fails) => {
      await Promise.resolve();
      if (fails[0]) throw new RangeError("no database");
    },
  });
  for (const onError of ["throw", "settle"] as const) {
    await assertRejects(
      () => pool.map((_fails, x: number) => x, upTo(9), { onError }),
      RangeError,
      "no database",
    );
  }
  await assertRejects(
    () => pool.apply((_fails, x: number) => x, [1]),
    RangeError,
    "no database",
  );
  fails[0] = 0;
  assertEquals(await pool.map((_fails, x: number) => x, upTo(5)), upTo(5));
});

// --- workerExit ---

test("WorkerPool.join() runs 'workerExit' in workers that had a task only", async () => {
  const pool = new WorkerPool({
    nJobs: 3,
    passWorkerId: true,
    workerExit: (id) => `worker ${id}`,
  });
  const id = await pool.apply((id) => id);
  await pool.join();
  assertEquals(pool.getExitResults(), [`worker ${id}`]);
});

test("WorkerPool.join() runs no 'workerExit' when no worker had a task", async () => {
  const pool = new WorkerPool({ nJobs: 2, workerExit: () => "done" });
  await pool.join();
  assertEquals(pool.getExitResults(), []);
  await pool.start();
  await pool.join();
  assertEquals(pool.getExitResults(), []);
});

test("WorkerPool.join() waits for an async 'workerExit'", async () => {
  const pool = new WorkerPool({
    nJobs: 2,
    useWorkerState: true,
    workerExit: async (state) => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      return state.sum as number;
    },
  });
  await pool.map(
    (state, x: number) => {
      state.sum = (state.sum ?? 0) + x;
    },
    upTo(50),
    { chunkSize: 1 },
  );
  await pool.join();
  const sums = pool.getExitResults() as number[];
  assertEquals(sums.reduce((a, b) => a + b), 1225);
});

test("WorkerPool.getExitResults() gives copies of typed arrays, maps and undefined as they were", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    workerExit: () => new Map([["numbers", new Float32Array([1, 2])]]),
  });
  await pool.apply(() => 1);
  await pool.join();
  assertEquals(pool.getExitResults(), [
    new Map([["numbers", new Float32Array([1, 2])]]),
  ]);
});

test("WorkerPool.getExitResults() starts anew when workers start again", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    useWorkerState: true,
    workerExit: (state) => state.mark,
  });
  const mark = (state: { mark: number }, mark: number) => {
    state.mark = mark;
  };
  await pool.apply(mark, [1]);
  assertEquals(pool.getExitResults(), []);
  await pool.join();
  assertEquals(pool.getExitResults(), [1]);
  await pool.apply(mark, [2]);
  assertEquals(pool.getExitResults(), []);
  await pool.join();
  assertEquals(pool.getExitResults(), [2]);
});

test("WorkerPool.terminate() runs no 'workerExit'", async () => {
  const exits = sharedArray(Int32Array, 1);
  const pool = new WorkerPool({
    nJobs: 2,
    sharedObjects: exits,
    workerExit: (exits) => Atomics.add(exits, 0, 1),
  });
  await pool.map((_exits, x: number) => x, upTo(10));
  await pool.terminate();
  assertEquals(exits[0], 0);
  assertEquals(pool.getExitResults(), []);
});

test("WorkerPool.join() rejects once with the error of 'workerExit' and the pool stays usable", async () => {
  for (const isAsync of [false, true]) {
    const pool = new WorkerPool({
      nJobs: 3,
      sharedObjects: isAsync,
      workerExit: (isAsync) => {
        if (isAsync) return Promise.reject(new RangeError("not flushed"));
        throw new RangeError("not flushed");
      },
    });
    await pool.map((_isAsync, x: number) => x, upTo(30), { chunkSize: 1 });
    await assertRejects(() => pool.join(), RangeError, "not flushed");
    await pool.join();
    assertEquals(await pool.map((_isAsync, x: number) => x, [1, 2]), [1, 2]);
    await assertRejects(() => pool.join(), RangeError, "not flushed");
  }
});

test("WorkerPool.join() rejects when the result of 'workerExit' cannot be sent", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    workerExit: () => ({ close: () => {} }),
  });
  await pool.apply(() => 1);
  const error = await assertRejects(() => pool.join(), DOMException);
  assertEquals(error.name, "DataCloneError");
  await pool.join();
});

// --- for one call ---

test("WorkerPool.map() restarts the workers when a call has an init function of its own", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    useWorkerState: true,
    workerInit: (state) => {
      state.by = "pool";
    },
    workerExit: (state) => `left ${state.by}`,
  });
  const by = (state: { by: string }, _x: number) => state.by;
  const workerInit = (state: { by: string }) => {
    state.by = "call";
  };
  assertEquals(await pool.map(by, [1]), ["pool"]);
  assertEquals(await pool.map(by, [1], { workerInit }), ["call"]);
  assertEquals(await pool.apply(by, [1], { workerInit }), "call");
  assertEquals(await pool.map(by, [1]), ["pool"]);
  await pool.join();
  assert(pool.getExitResults().includes("left pool"));
});

test("WorkerPool.apply() runs the exit function of the call when its workers stop", async () => {
  const pool = new WorkerPool({ nJobs: 1, workerExit: () => "the pool's" });
  await pool.apply(() => 1, [], { workerExit: () => "the call's" });
  await pool.join();
  assertEquals(pool.getExitResults(), ["the call's"]);
});

test("WorkerPool restarts the workers only when a setting changes", async () => {
  const shared = { a: 1 };
  const pool = new WorkerPool({
    nJobs: 1,
    useWorkerState: true,
    sharedObjects: shared,
    workerExit: (_shared, state) => state.calls,
  });
  const count = (_shared: unknown, state: { calls?: number }) =>
    state.calls = (state.calls ?? 0) + 1;
  assertEquals(await pool.apply(count), 1);
  pool.setSharedObjects(shared).setUseWorkerState(true).passOnWorkerId(false);
  assertEquals(await pool.apply(count), 2);
  pool.setSharedObjects({ a: 1 });
  assertEquals(await pool.apply(count), 1);
  await pool.join();
});

// --- keepAlive ---

test("WorkerPool settles a call after 'workerExit' when keepAlive is false", async () => {
  const exits = sharedArray(Int32Array, 1);
  const pool = new WorkerPool({
    nJobs: 2,
    keepAlive: false,
    useWorkerState: true,
    sharedObjects: exits,
    workerExit: async (exits) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return Atomics.add(exits, 0, 1);
    },
  });
  const isOld = (_exits: Int32Array, state: { old?: boolean }, _x: number) => {
    const { old = false } = state;
    state.old = true;
    return old;
  };
  assertEquals(await pool.map(isOld, [1]), [false]);
  assertEquals(exits[0], 1);
  assertEquals(await pool.apply(isOld, [1]), false);
  assertEquals(exits[0], 2);
  assertEquals((await gather(pool.imap(isOld, [1]))).length, 1);
  assertEquals(exits[0], 3);
  assertEquals(await pool.applyAsync(isOld, [1]), false);
  assertEquals(exits[0], 4);
});

test("WorkerPool keeps workers for a call that still runs when keepAlive is false", async () => {
  const exits = sharedArray(Int32Array, 1);
  const gate = sharedArray(Int32Array, 1);
  const pool = new WorkerPool({
    nJobs: 2,
    keepAlive: false,
    sharedObjects: { exits, gate },
    workerExit: ({ exits }) => {
      Atomics.add(exits, 0, 1);
    },
  });
  const long = pool.apply(({ gate }) => {
    while (Atomics.load(gate, 0) === 0) Atomics.wait(gate, 0, 0, 2);
  });
  assertEquals(await pool.map((_shared, x: number) => x, [1, 2]), [1, 2]);
  assertEquals(exits[0], 0);
  open(gate);
  await long;
  assertEquals(exits[0], 2);
});

test("WorkerPool rejects the call that stops the workers when 'workerExit' throws", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    keepAlive: false,
    workerExit: () => {
      throw new RangeError("not flushed");
    },
  });
  const calls = [
    () => pool.map((x: number) => x, [1, 2]),
    () => pool.apply(() => 1),
    () => gather(pool.imap((x: number) => x, [1, 2])),
  ];
  for (const call of calls) {
    await assertRejects(call, RangeError, "not flushed");
  }
  await pool.join();
});

test("WorkerPool rejects with the task's own error when 'workerExit' throws after it", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    keepAlive: false,
    workerExit: () => {
      throw new RangeError("not flushed");
    },
  });
  const task = (_x: number): number => {
    throw new TypeError("boom");
  };
  const calls = [
    () => pool.map(task, [1, 2]),
    () => pool.apply(task, [1]),
    () => gather(pool.imap(task, [1, 2])),
  ];
  for (const call of calls) await assertRejects(call, TypeError, "boom");
});

test("WorkerPool.imap() tells the error of 'workerExit' once", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    keepAlive: false,
    workerExit: () => {
      throw new RangeError("not flushed");
    },
  });
  const end = { done: true, value: undefined } as const;
  const results = pool.imap((x: number) => x, [1]);
  assertEquals(await results.next(), { done: false, value: 1 });
  await assertRejects(() => results.next(), RangeError, "not flushed");
  assertEquals(await results.next(), end);
  assertEquals(await results.return!(), end);
  const left = pool.imap((x: number) => x, [1, 2, 3]);
  await left.next();
  await assertRejects(() => left.return!(), RangeError, "not flushed");
  assertEquals(await left.return!(), end);
  assertEquals(await left.next(), end);
});

test("WorkerPool.setKeepAlive() lets the next call use the live workers and stop them", async () => {
  const pool = new WorkerPool({ nJobs: 1, useWorkerState: true });
  const count = (state: { calls?: number }) =>
    state.calls = (state.calls ?? 0) + 1;
  assertEquals(await pool.apply(count), 1);
  pool.setKeepAlive(false);
  assertEquals(await pool.apply(count), 2);
  assertEquals(await pool.apply(count), 1);
  await pool.join();
});

test("WorkerPool runs 'workerInit' and 'workerExit' once for all calls when startMethod is serial", async () => {
  const log: string[] = [];
  const pool = new WorkerPool({
    startMethod: "serial",
    passWorkerId: true,
    useWorkerState: true,
    workerInit: (id, state) => {
      log.push(`init ${id}`);
      state.sum = 0;
    },
    workerExit: (id, state) => {
      log.push(`exit ${id}`);
      return state.sum;
    },
  });
  await pool.map((_id, state, x: number) => {
    state.sum += x;
  }, upTo(5));
  await pool.apply((_id, state, x: number) => {
    state.sum += x;
  }, [10]);
  await pool.join();
  assertEquals(log, ["init 0", "exit 0"]);
  assertEquals(pool.getExitResults(), [20]);
});
