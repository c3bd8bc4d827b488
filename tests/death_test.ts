import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { test } from "node:test";
import { importTasks, sharedArray, WorkerDiedError } from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { runProgram } from "./support/program.ts";
import { soon } from "./support/waiting.ts";

function upTo(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

/** Each number with the same shared array: arguments of a task. */
function withShared(
  n: number,
  shared: Int32Array,
): [x: number, shared: Int32Array][] {
  return upTo(n).map((x) => [x, shared]);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// --- how a worker ends ---

test("WorkerPool.map() rejects with a WorkerDiedError when a task calls process.exit()", async () => {
  await using pool = new WorkerPool({ nJobs: 2, passWorkerId: true });
  for (const exitCode of [0, 1, 7]) {
    const error = await assertRejects(
      () =>
        pool.map((_id, exitCode: number) => {
          globalThis.process.exit(exitCode);
        }, [exitCode]),
      WorkerDiedError,
    );
    assertEquals(error.name, "WorkerDiedError");
    assertEquals(error.exitCode, exitCode);
    assertEquals(error.signal, undefined);
    assert(error.workerId === 0 || error.workerId === 1);
    assertStringIncludes(error.message, `orker ${error.workerId}`);
    assertStringIncludes(error.message, `${exitCode}`);
  }
  assertEquals(await pool.map((_id, x: number) => x, [1, 2]), [1, 2]);
});

test("WorkerPool.apply() rejects with the exit code when a task calls process.exit() after an await", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const error = await assertRejects(
    () =>
      pool.apply(async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        globalThis.process.exit(9);
      }),
    WorkerDiedError,
  );
  assertEquals(error.exitCode, 9);
  assertEquals(error.workerId, 0);
});

test("WorkerPool.apply() rejects with the exit code when a task imports exit() from node:process", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const error = await assertRejects(
    () =>
      pool.apply(async () => {
        const { exit } = await import("node:process");
        exit(4);
      }),
    WorkerDiedError,
  );
  assertEquals(error.exitCode, 4);
});

test("WorkerPool.apply() rejects with the exit code when process.exitCode was set before process.exit()", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const error = await assertRejects(
    () =>
      pool.apply(() => {
        globalThis.process.exitCode = 5;
        globalThis.process.exit();
      }),
    WorkerDiedError,
  );
  assertEquals(error.exitCode, 5);
});

test("WorkerPool.apply() rejects with the exit code when a task ends its worker as the runtime itself offers", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const error = await assertRejects(
    () =>
      pool.apply(() => {
        const { Deno, process } = globalThis as unknown as {
          Deno?: { exit(code: number): void };
          process: { exit(code: number): void };
        };
        (Deno ?? process).exit(5);
      }),
    WorkerDiedError,
  );
  assertEquals(error.exitCode, 5);
});

test("WorkerPool.apply() rejects with a WorkerDiedError when a task closes its worker's scope", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  for (const pause of [0, 5]) {
    await assertRejects(
      () =>
        pool.apply(async (pause: number) => {
          if (pause > 0) await new Promise((r) => setTimeout(r, pause));
          // Only web workers have close().
          const { close = () => globalThis.process.exit() } =
            globalThis as unknown as { close?: () => void };
          close();
          await new Promise(() => {});
        }, [pause]),
      WorkerDiedError,
    );
  }
});

test("WorkerPool rejects with a WorkerDiedError that leads to the caller and names the arguments", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const { stack } = await assertRejects(
    () => pool.apply((_x: number) => globalThis.process.exit(3), [41]),
    WorkerDiedError,
  );
  assertMatch(stack!, /worker 0.*\(41\)/);
  assertStringIncludes(stack!, "death_test.ts");
});

test("WorkerPool.apply() rejects when a task ends its thread behind the library's back", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  await assertRejects(
    () =>
      pool.apply(async () => {
        const { process } = globalThis as unknown as {
          process: { reallyExit(code: number): void };
        };
        process.reallyExit(3);
        await new Promise(() => {});
      }),
    WorkerDiedError,
  );
  assertEquals(await pool.apply((x: number) => x, [1]), 1);
});

// --- what is lost ---

test("WorkerPool.map() loses only the running task when a worker ends and onError is settle", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  for (const chunkSize of [1, 5, 20]) {
    const runs = sharedArray(Int32Array, 20);
    const outcomes = await pool.map(
      (x: number, runs: Int32Array) => {
        Atomics.add(runs, x, 1);
        if (x === 3 || x === 12) globalThis.process.exit(x);
        return x * 2;
      },
      withShared(20, runs),
      { chunkSize, onError: "settle" },
    );
    outcomes.forEach((outcome, x) => {
      if (x === 3 || x === 12) {
        assert(outcome.status === "rejected");
        assertInstanceOf(outcome.reason, WorkerDiedError);
        assertEquals(outcome.reason.exitCode, x);
      } else {
        assertEquals(outcome, { status: "fulfilled", value: x * 2 });
      }
    });
    assertEquals(outcomes.length, 20);
    // Nothing ran twice, nothing was left out.
    assertEquals([...runs], new Array(20).fill(1));
  }
});

test("WorkerPool.map() loses only the running task when an async task ends the worker and onError is settle", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const runs = sharedArray(Int32Array, 10);
  const outcomes = await pool.map(
    async (x: number, runs: Int32Array) => {
      Atomics.add(runs, x, 1);
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (x === 4) globalThis.process.exit(2);
      return x;
    },
    withShared(10, runs),
    { chunkSize: 5, onError: "settle" },
  );
  assertEquals(
    outcomes.map((o) => o.status === "fulfilled" ? o.value : o.reason.name),
    [0, 1, 2, 3, "WorkerDiedError", 5, 6, 7, 8, 9],
  );
  assertEquals([...runs], new Array(10).fill(1));
});

test("WorkerPool.map() loses only running tasks when a worker with concurrent tasks ends", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const runs = sharedArray(Int32Array, 12);
  const outcomes = await pool.map(
    async (x: number, runs: Int32Array) => {
      Atomics.add(runs, x, 1);
      if (x === 5) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        globalThis.process.exit(1);
      }
      // What has been started with task 5 and cannot end before it.
      if (x > 5 && x < 8) {
        await new Promise((r) => setTimeout(r, 60_000).unref());
      }
      return x;
    },
    withShared(12, runs),
    { chunkSize: 4, concurrency: 3, onError: "settle" },
  );
  assertEquals(
    outcomes.map((o) => o.status === "fulfilled" ? o.value : o.reason.name),
    upTo(12).map((x) => x >= 5 && x < 8 ? "WorkerDiedError" : x),
  );
  assertEquals([...runs], new Array(12).fill(1));
});

test("WorkerPool.apply() rejects only the running task when a worker ends", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const runs = sharedArray(Int32Array, 60);
  const outcomes = await Promise.allSettled(
    withShared(60, runs).map((args) =>
      pool.apply((x: number, runs: Int32Array) => {
        Atomics.add(runs, x, 1);
        if (x % 20 === 7) globalThis.process.exit(1);
        return x;
      }, args)
    ),
  );
  assertEquals(
    outcomes.map((o) => o.status === "fulfilled" ? o.value : o.reason.name),
    upTo(60).map((x) => x % 20 === 7 ? "WorkerDiedError" : x),
  );
  assertEquals([...runs], new Array(60).fill(1));
});

test("WorkerPool keeps other calls complete when a worker that holds their chunks ends", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const runs = sharedArray(Int32Array, 300);
  const others = [
    pool.map(
      (x: number, runs: Int32Array) => {
        Atomics.add(runs, x, 1);
        return x + 1;
      },
      withShared(300, runs),
      { chunkSize: 3 },
    ),
    pool.mapUnordered((x: number) => x + 1, upTo(300), { chunkSize: 2 }),
    Promise.all(
      upTo(50).map((x) => pool.apply((x: number) => x + 1, [x])),
    ),
  ] as const;
  for (let i = 0; i < 3; i++) {
    await assertRejects(
      () => pool.map(() => globalThis.process.exit(1), [0]),
      WorkerDiedError,
    );
  }
  const [ordered, unordered, applied] = await Promise.all(others);
  const expected = upTo(300).map((x) => x + 1);
  assertEquals(ordered, expected);
  assertEquals(unordered.sort((a, b) => a - b), expected);
  assertEquals(applied, expected.slice(0, 50));
  assertEquals([...runs], new Array(300).fill(1));
});

test("WorkerPool.imap() rejects with a WorkerDiedError, then ends, when a worker ends", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const results = pool.imap(
    (x: number) => {
      if (x === 1) globalThis.process.exit(2);
      return x;
    },
    upTo(10),
    { chunkSize: 1, maxTasksActive: 1 },
  );
  assertEquals(await results.next(), { done: false, value: 0 });
  await assertRejects(() => results.next(), WorkerDiedError);
  assertEquals(await results.next(), { done: true, value: undefined });
});

test("WorkerPool.map() with ordered tasks goes on with the replaced worker", async () => {
  await using pool = new WorkerPool({
    nJobs: 2,
    orderTasks: true,
    passWorkerId: true,
  });
  const outcomes = await pool.map(
    (id, x: number) => {
      if (x === 2) globalThis.process.exit(1);
      return id;
    },
    upTo(8),
    { chunkSize: 1, onError: "settle" },
  );
  assertEquals(
    outcomes.map((o) => o.status === "fulfilled" ? o.value : "lost"),
    [0, 1, "lost", 1, 0, 1, 0, 1],
  );
});

// --- the worker that takes its place ---

test("WorkerPool gives a replaced worker the same ID and fresh state", async () => {
  await using pool = new WorkerPool({
    nJobs: 2,
    passWorkerId: true,
    useWorkerState: true,
    workerInit: (id, state) => {
      state.madeFor = id;
    },
  });
  await pool.map(
    (_id, state, _x: number) => {
      state.old = true;
    },
    upTo(20),
    { chunkSize: 1 },
  );
  const { workerId } = await assertRejects(
    () => pool.apply(() => globalThis.process.exit(1)),
    WorkerDiedError,
  );
  // Until the new worker has had a task.
  for (let found = false; !found;) {
    const seen = await pool.map(
      async (id, state, _x: number) => {
        await new Promise((resolve) => setTimeout(resolve, 2));
        return { id, old: state.old === true, madeFor: state.madeFor };
      },
      upTo(6),
      { chunkSize: 1 },
    );
    for (const { id, old, madeFor } of seen) {
      assert(id === 0 || id === 1, `ID ${id}`);
      assertEquals(madeFor, id);
      if (id === workerId) assertEquals(old, false);
      found ||= id === workerId;
    }
  }
});

test("WorkerPool replaces a worker that ends while idle", async () => {
  await using pool = new WorkerPool({ nJobs: 1, useWorkerState: true });
  for (let round = 0; round < 3; round++) {
    await pool.apply((state) => {
      state.old = true;
      setTimeout(() => globalThis.process.exit(3), 5);
    });
    let isOld = true;
    while (isOld) {
      await sleep(20);
      isOld = await pool.apply((state) => state.old === true).catch((error) => {
        // The task may have come right before the end.
        assertInstanceOf(error, WorkerDiedError);
        return true;
      });
    }
  }
});

test("WorkerPool.join() resolves when workers without 'workerExit' end at the same time", async () => {
  const pool = new WorkerPool({ nJobs: 2 });
  await pool.map((_x: number) => {
    setTimeout(() => globalThis.process.exit(3), 1);
  }, [1, 2, 3]);
  await pool.join();
  assertEquals(await pool.map((x: number) => x, [1, 2, 3]), [1, 2, 3]);
  await pool.join();
});

test("WorkerPool.map() settles when every task ends its worker", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const outcomes = await pool.map(
    () => globalThis.process.exit(1),
    upTo(30),
    { onError: "settle", chunkSize: 4 },
  );
  assertEquals(
    outcomes.map((o) => o.status === "rejected" && o.reason.name),
    new Array(30).fill("WorkerDiedError"),
  );
  assertEquals(await pool.map((x: number) => x, [1, 2, 3]), [1, 2, 3]);
});

// --- workers that cannot begin ---

test("WorkerPool rejects with the error of a module that cannot be evaluated", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  type Module = typeof import("./fixtures/death/throws_on_import.ts");
  const { unreachable } = importTasks<Module>(
    new URL("./fixtures/death/throws_on_import.ts", import.meta.url),
  );
  await assertRejects(
    () => pool.map(unreachable, [1, 2, 3, 4] as never[]),
    RangeError,
    "not evaluated",
  );
  await assertRejects(
    () => pool.apply(unreachable),
    RangeError,
    "not evaluated",
  );
  assertEquals(await pool.map((x: number) => x, [1]), [1]);
});

test("WorkerPool rejects with the runtime's error when a module does not exist", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const { nothing } = importTasks<{ nothing: (x: number) => void }>(
    new URL("./fixtures/death/no_such_file.ts", import.meta.url),
  );
  const error = await assertRejects(() => pool.map(nothing, [1, 2]), Error);
  assertMatch(error.message, /no_such_file\.ts['"]\.?$/);
  assertEquals(/\bdata:|\[eval/.test(error.stack!), false);
  await assertRejects(() => pool.apply(nothing, [1]), Error, "no_such_file.ts");
  assertEquals(await pool.map((x: number) => x, [1]), [1]);
});

test("WorkerPool rejects when the import of a module ends the worker", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  type Module = typeof import("./fixtures/death/exits_on_import.ts");
  const { unreachable } = importTasks<Module>(
    new URL("./fixtures/death/exits_on_import.ts", import.meta.url),
  );
  for (
    const call of [
      () => pool.apply(unreachable),
      () => pool.map(unreachable, [1, 2] as never[]),
    ]
  ) {
    const error = await assertRejects(call, WorkerDiedError);
    assertEquals(error.exitCode, 6);
  }
  assertEquals(await pool.map((x: number) => x, [1]), [1]);
});

test("WorkerPool rejects when 'workerInit' ends the worker", async () => {
  await using pool = new WorkerPool({
    nJobs: 2,
    workerInit: () => globalThis.process.exit(8),
  });
  const error = await assertRejects(
    () => pool.map((x: number) => x, upTo(10)),
    WorkerDiedError,
  );
  assertEquals(error.exitCode, 8);
});

test("WorkerPool rejects with the error of 'workerInit', and tries again with the next call", async () => {
  const tries = sharedArray(Int32Array, 1);
  await using pool = new WorkerPool({
    nJobs: 1,
    sharedObjects: tries,
    workerInit: (tries) => {
      if (Atomics.add(tries, 0, 1) === 0) throw new RangeError("not yet");
    },
  });
  await assertRejects(
    () => pool.map((_tries, x: number) => x, upTo(10)),
    RangeError,
    "not yet",
  );
  assertEquals(await pool.map((_tries, x: number) => x, [5]), [5]);
  assertEquals(tries[0], 2);
});

test("WorkerPool.join() rejects with a WorkerDiedError when 'workerExit' ends the worker", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    workerExit: () => globalThis.process.exit(3),
  });
  await pool.apply(() => 1);
  const error = await assertRejects(() => pool.join(), WorkerDiedError);
  assertEquals(error.exitCode, 3);
  await pool.join();
});

test("WorkerPool.join() settles when 'workerExit' ends the worker after an await", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    workerExit: async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      globalThis.process.exit(4);
    },
  });
  await pool.apply(() => 1);
  const error = await assertRejects(() => pool.join(), WorkerDiedError);
  assertEquals(error.exitCode, 4);
});

// --- errors outside any task ---

test("WorkerPool prints a stray error with the worker's ID and goes on", async () => {
  // In a program of its own, as test runners have a say in stray errors.
  const { code, stdout, stderr, timedOut } = await runProgram(
    new URL("./fixtures/death/stray.ts", import.meta.url),
    { timeout: 30_000 },
  );
  assertEquals({ code, timedOut }, { code: 0, timedOut: false }, stderr);
  assertEquals(stdout, "the same worker\n1 4 9\n");
  assertMatch(stderr, /worker 0[^]*RangeError[^]*stray rejection/);
  assertMatch(stderr, /worker 1[^]*TypeError[^]*stray timer/);
  assertMatch(stderr, /worker 2[^]*stray value/);
});

test("WorkerPool goes on when a task has damaged what all code needs", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const damage = (x: number) => {
    Map.prototype.get = () => {
      throw new Error("damaged");
    };
    return x;
  };
  // It may cost its own call, as the worker cannot go on.
  const outcome = pool.apply(damage, [1]).then((x) => x, () => 1);
  assertEquals(await soon(outcome, "the call"), 1);
  for (let i = 0; i < 3; i++) {
    const later = pool.apply(() => 2).then((x) => x, () => 2);
    assertEquals(await soon(later, "later calls"), 2);
  }
  assertEquals(await pool.map((x: number) => x, [3]), [3]);
});

test("WorkerPool heeds nothing that user code in its workers says or listens to", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const task = async (message: unknown) => {
    const { parentPort } = await import("node:worker_threads");
    const hear = () => {};
    const web = globalThis as {
      onmessage?: unknown;
      postMessage?: (message: unknown) => void;
    };
    web.onmessage = hear;
    globalThis.addEventListener?.("message", hear);
    parentPort?.on("message", hear);
    parentPort?.postMessage(message);
    web.postMessage?.(message);
    return 1;
  };
  const messages = [null, "a text", { a: 1 }];
  // These look like the pool's own.
  const alike = [[6, "done"], [4], [1, 2], [7], []];
  for (const message of [...messages, ...alike]) {
    const call = pool.apply(task, [message]);
    assertEquals(await soon(call, `the call with ${message}`), 1);
    assertEquals(await soon(pool.apply(() => 2), "the next call"), 2);
  }
});

test("WorkerPool keeps a task that takes longer than a thousand chunks apart from them", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const { length } = { length: 2400 };
  const results = await soon(
    pool.mapUnordered(
      async (x: number, last: number) => {
        if (x === 0) await new Promise(() => {});
        const { default: process } = await import("node:process");
        if (x === last) setTimeout(() => process.exit(3), 100);
        if (x === last) await new Promise(() => {});
        return x;
      },
      Array.from({ length }, (_, i): [number, number] => [i, length - 1]),
      { concurrency: 2, chunkSize: 1, onError: "settle" },
    ),
    "the results",
  );
  const values = results.flatMap((result) =>
    result.status === "fulfilled" ? [result.value] : []
  );
  assertEquals(
    values.toSorted((a, b) => a - b),
    Array.from({ length: length - 2 }, (_, i) => i + 1),
  );
  const rejected = results.filter(({ status }) => status === "rejected");
  assertEquals(rejected.length, 2);
});

test("WorkerPool tells how workers died that died in a row", async () => {
  await using pool = new WorkerPool({
    nJobs: 1,
    workerInit: async () => {
      const { default: process } = await import("node:process");
      process.exit(7);
    },
  });
  const calls = Array.from({ length: 12 }, () => pool.apply(() => 1));
  for (const call of calls) {
    const error = await assertRejects(() => call, WorkerDiedError);
    assertEquals(error.exitCode, 7);
  }
});
