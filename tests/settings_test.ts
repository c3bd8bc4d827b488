import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { test } from "node:test";
import { sharedArray } from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { open, pause, soon, startMethods, until } from "./support/waiting.ts";

function range(count: number, start = 0): number[] {
  return Array.from({ length: count }, (_, i) => start + i);
}

/** Counts the tasks of a worker since it started. */
const count = (state: { tasks?: number }, _x: unknown) =>
  state.tasks = (state.tasks ?? 0) + 1;

for (const startMethod of startMethods) {
  test(`WorkerPool passes worker ID, shared objects and state in this order [${startMethod}]`, async () => {
    for (const passWorkerId of [false, true]) {
      for (const useWorkerState of [false, true]) {
        for (const sharedObjects of [undefined, { shared: 1 }]) {
          await using pool = new WorkerPool<never, never, never>({
            nJobs: 1,
            startMethod,
            passWorkerId: passWorkerId as never,
            useWorkerState: useWorkerState as never,
            sharedObjects: sharedObjects as never,
            workerInit: ((...args: unknown[]) => {
              (globalThis as { seen?: unknown }).seen = structuredClone(args);
            }) as never,
            workerExit: ((...args: unknown[]) => args) as never,
          });
          const leading: unknown[] = [
            ...passWorkerId ? [0] : [],
            ...sharedObjects ? [sharedObjects] : [],
            ...useWorkerState ? [{}] : [],
          ];
          const task = (...args: unknown[]) => [
            args,
            (globalThis as { seen?: unknown }).seen,
          ];
          const expected = [[...leading, "a", "b"], leading] as never;
          assertEquals(await pool.map(task as never, [["a", "b"]] as never), [
            expected,
          ]);
          assertEquals(
            await pool.apply(task as never, ["a", "b"] as never),
            expected,
          );
          const lazy = pool.imap(task as never, [["a", "b"]] as never);
          assertEquals((await lazy.next()).value, expected);
          await lazy.return!();
          await pool.join();
          assertEquals(pool.getExitResults(), [leading]);
        }
      }
    }
  });

  test(`WorkerPool passes sharedObjects unless they are undefined [${startMethod}]`, async () => {
    const values = [null, 0, -0, "", false, NaN, [], {}, [1, [2]], new Map()];
    for (const value of values) {
      await using pool = new WorkerPool<unknown>({
        nJobs: 1,
        startMethod,
        sharedObjects: value,
      });
      const results = await pool.map(
        (...args: unknown[]) => args,
        ["x"],
      );
      // An array is one argument too.
      assertEquals(results, [[value, "x"]]);
    }
    await using none = new WorkerPool({
      nJobs: 1,
      startMethod,
      sharedObjects: undefined,
    });
    assertEquals(await none.map((...args: unknown[]) => args, ["x"]), [["x"]]);
    const zero = none.setSharedObjects(0);
    assertEquals(
      await zero.map((shared: number, x: string) => [shared, x], ["x"]),
      [[0, "x"]],
    );
    assertEquals(
      await zero.setSharedObjects().map((...args: unknown[]) => args, ["x"]),
      [["x"]],
    );
  });

  test(`WorkerPool keeps the state of a worker between calls [${startMethod}]`, async () => {
    await using pool = new WorkerPool({
      nJobs: 1,
      startMethod,
      useWorkerState: true,
    });
    assertEquals(await pool.map(count, range(3)), [1, 2, 3]);
    assertEquals(await pool.apply(count, [0]), 4);
    const lazy = pool.imap(count, range(2));
    assertEquals((await lazy.next()).value, 5);
    assertEquals((await lazy.next()).value, 6);
    assert((await lazy.next()).done);
    await pool.join();
    assertEquals(await pool.map(count, range(2)), [1, 2], "after join()");
    await pool.terminate();
    assertEquals(await pool.map(count, range(2)), [1, 2], "after terminate()");
  });

  test(`WorkerPool keeps the state when a task throws [${startMethod}]`, async () => {
    await using pool = new WorkerPool({
      nJobs: 1,
      startMethod,
      useWorkerState: true,
    });
    await pool.map(count, range(3));
    await assertRejects(
      () =>
        pool.map((state: { tasks: number }, _x: number) => {
          state.tasks++;
          throw new RangeError("no");
        }, [1]),
      RangeError,
    );
    assertEquals(await pool.map(count, [1]), [5]);
  });

  test(`WorkerPool restarts nothing for settings set to the same value [${startMethod}]`, async () => {
    const shared = { a: 1 };
    await using pool = new WorkerPool({
      nJobs: 1,
      startMethod,
      useWorkerState: true,
      passWorkerId: true,
      sharedObjects: shared as { a: number } | number,
    });
    const tasks = (_id: number, _shared: unknown, state: { n?: number }) =>
      state.n = (state.n ?? 0) + 1;
    assertEquals(await pool.apply(tasks), 1);
    pool.setSharedObjects(shared).setUseWorkerState().passOnWorkerId();
    pool.setKeepAlive().setOrderTasks(false);
    assertEquals(await pool.apply(tasks), 2);
    pool.setOrderTasks();
    assertEquals(await pool.map(tasks as never, [[]]), [3] as never);
    // What was set and set back has not changed.
    pool.setSharedObjects(5);
    pool.passOnWorkerId(false);
    pool.setSharedObjects(shared);
    pool.passOnWorkerId(true);
    assertEquals(await pool.apply(tasks), 4);
    pool.setSharedObjects(NaN);
    assertEquals(await pool.apply(tasks), 1);
    pool.setSharedObjects(NaN);
    assertEquals(await pool.apply(tasks), 2);
  });

  test(`WorkerPool restarts workers for changed settings at the next call [${startMethod}]`, async () => {
    const init = (...args: unknown[]) => {
      const state = args.at(-1) as { born?: number };
      if (typeof state === "object") state.born = 1;
    };
    await using pool = new WorkerPool({
      nJobs: 1,
      startMethod,
      useWorkerState: true,
      workerInit: init,
      workerExit: (...args: unknown[]) => args.length,
    });
    const counted = pool.map(count as never, range(5) as never[]);
    assertEquals(await counted as number[], range(5, 1));
    const changed = pool.setSharedObjects("new");
    await pause(20);
    assertEquals(pool.getExitResults(), [], "nothing before the call");
    const results = await changed.map(
      (shared: string, state: { tasks?: number; born?: number }, x: number) => {
        state.tasks = (state.tasks ?? 0) + 1;
        return [shared, state.tasks, state.born, x];
      },
      [7],
    );
    assertEquals(results, [["new", 1, 1, 7]]);
    const withId = changed.passOnWorkerId();
    assertEquals(
      await withId.apply((id, shared, state) => [id, shared, state.tasks]),
      [0, "new", undefined],
    );
    const stateless = withId.setUseWorkerState(false).passOnWorkerId(false);
    assertEquals(await stateless.apply((...args) => args), ["new"]);
  });

  test(`WorkerPool runs workerExit of stale workers before the next call [${startMethod}]`, async () => {
    const log = sharedArray(Int32Array, 4);
    await using pool = new WorkerPool({
      nJobs: 1,
      startMethod,
      sharedObjects: { log, name: 1 },
      workerExit: ({ log, name }: { log: Int32Array; name: number }) => {
        Atomics.add(log, name, 1);
      },
    });
    const task = ({ log }: { log: Int32Array }) => [...log];
    assertEquals(await pool.apply(task), [0, 0, 0, 0]);
    pool.setSharedObjects({ log, name: 2 });
    assertEquals(await pool.apply(task), [0, 1, 0, 0]);
    await pool.join();
    assertEquals([...log], [0, 1, 1, 0]);
  });

  test(`WorkerPool takes the settings of a call when it is made [${startMethod}]`, async () => {
    await using pool = new WorkerPool({
      nJobs: 1,
      startMethod,
      sharedObjects: "one",
    });
    const show = (...args: unknown[]) => args;
    const calls: Promise<unknown>[] = [];
    calls.push(pool.map(show, ["a"]));
    pool.setSharedObjects("two");
    calls.push(pool.map(show, ["b"]));
    calls.push(pool.passOnWorkerId().map(show, ["c"]));
    pool.setSharedObjects();
    calls.push(pool.apply(show as never, ["d"] as never));
    assertEquals(await soon(Promise.all(calls), "all calls"), [
      [["one", "a"]],
      [["two", "b"]],
      [[0, "two", "c"]],
      [0, "d"],
    ]);
  });

  test(`WorkerPool restarts workers for a call's own workerInit and workerExit [${startMethod}]`, async () => {
    await using pool = new WorkerPool({
      nJobs: 1,
      startMethod,
      useWorkerState: true,
      workerInit: (state: { by?: string }) => {
        state.by = "pool";
      },
    });
    const by = (state: { by?: string; n?: number }, _x: number) => {
      state.n = (state.n ?? 0) + 1;
      return `${state.by} ${state.n}`;
    };
    const own = (state: { by?: string }) => {
      state.by = "call";
    };
    assertEquals(await pool.map(by, [1]), ["pool 1"]);
    assertEquals(await pool.map(by, [1], { workerInit: own }), ["call 1"]);
    assertEquals(
      await pool.map(by, [1], { workerInit: own }),
      ["call 2"],
      "the same function again restarts nothing",
    );
    assertEquals(await pool.apply(by, [1], { workerInit: own }), "call 3");
    assertEquals(await pool.map(by, [1]), ["pool 1"]);
  });

  test(`WorkerPool stops its workers after each call with keepAlive false [${startMethod}]`, async () => {
    await using pool = new WorkerPool({
      nJobs: 1,
      startMethod,
      keepAlive: false,
      useWorkerState: true,
      workerExit: (state: { tasks?: number }) => state.tasks,
    });
    for (let round = 0; round < 2; round++) {
      assertEquals(await pool.map(count, range(3)), [1, 2, 3]);
      assertEquals(pool.getExitResults(), [3], "before the call settles");
      assertEquals(await pool.apply(count, [0]), 1);
      assertEquals(pool.getExitResults(), [1]);
      const all = [];
      for await (const n of pool.imap(count, range(2))) all.push(n);
      assertEquals(all, [1, 2]);
      assertEquals(pool.getExitResults(), [2]);
      for await (const _ of pool.imap(count, range(9), { chunkSize: 1 })) break;
      assertEquals(pool.getExitResults().length, 1, "when left, too");
    }
  });

  test(`WorkerPool.setKeepAlive(false) stops the workers after the next call [${startMethod}]`, async () => {
    await using pool = new WorkerPool({
      nJobs: 1,
      startMethod,
      useWorkerState: true,
    });
    assertEquals(await pool.map(count, [1]), [1]);
    pool.setKeepAlive(false);
    assertEquals(await pool.map(count, [1]), [2], "uses the live workers");
    assertEquals(await pool.map(count, [1]), [1]);
    pool.setKeepAlive();
    assertEquals(await pool.map(count, [1]), [1]);
    assertEquals(await pool.map(count, [1]), [2]);
  });

  test(`WorkerPool without keepAlive rejects with the task's error, then with workerExit's [${startMethod}]`, async () => {
    await using pool = new WorkerPool({
      nJobs: 1,
      startMethod,
      keepAlive: false,
      workerExit: () => {
        throw new EvalError("exit");
      },
    });
    const fails = () => {
      throw new RangeError("task");
    };
    await assertRejects(() => pool.map(fails, [1]), RangeError, "task");
    await assertRejects(() => pool.apply(fails), RangeError, "task");
    await assertRejects(
      () => pool.imap(fails, [1]).next(),
      RangeError,
      "task",
    );
    const fine = (x: number) => x;
    await assertRejects(() => pool.map(fine, [1]), EvalError, "exit");
    await assertRejects(() => pool.apply(fine, [1]), EvalError, "exit");
    await assertRejects(
      async () => {
        for await (const _ of pool.imap(fine, [1])) { /* to the end */ }
      },
      EvalError,
      "exit",
    );
  });

  test(`WorkerPool with onError "settle" gives each outcome its place [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const picky = (x: number) => {
      if (x % 3 === 1) throw new RangeError(`no ${x}`);
      if (x % 3 === 2) throw x;
      return x;
    };
    for (const chunkSize of [1, 4, 100]) {
      const outcomes = await pool.map(picky, range(30), {
        onError: "settle",
        chunkSize,
      });
      assertEquals(outcomes.length, 30);
      outcomes.forEach((outcome, x) => {
        if (x % 3 === 0) {
          assertEquals(outcome, { status: "fulfilled", value: x });
        } else if (x % 3 === 2) {
          assertEquals(outcome, { status: "rejected", reason: x });
        } else {
          assert(outcome.status === "rejected");
          assert(outcome.reason instanceof RangeError);
          assertEquals(outcome.reason.message, `no ${x}`);
        }
      });
    }
    const unordered = await pool.mapUnordered(picky, range(9), {
      onError: "settle",
    });
    assertEquals(
      unordered.map(({ status }) => status).sort(),
      [...new Array(3).fill("fulfilled"), ...new Array(6).fill("rejected")],
    );
    const asynchronous = await pool.map(
      async (x: number) => await Promise.reject(x),
      [1, 2],
      { onError: "settle" },
    );
    assertEquals(asynchronous, [
      { status: "rejected", reason: 1 },
      { status: "rejected", reason: 2 },
    ]);
    const nothing = await pool.map(
      () => {
        throw undefined;
      },
      [1],
      { onError: "settle" },
    );
    assertEquals(nothing, [{ status: "rejected", reason: undefined }]);
  });

  test(`WorkerPool with onError "settle" keeps results that look like outcomes apart [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 1, startMethod });
    const outcomes = await pool.map(
      (x: number) => x ? new Error("a result") : { status: "rejected" },
      [0, 1],
      { onError: "settle" },
    );
    assertEquals(outcomes.map(({ status }) => status), [
      "fulfilled",
      "fulfilled",
    ]);
    const [, error] = await pool.map(
      (x: number) => x ? new RangeError("a result") : 0,
      [0, 1],
    );
    assert(
      error instanceof RangeError,
      "an error that is a result is no failure",
    );
  });

  test(`WorkerPool runs as many asynchronous tasks at the same time as concurrency says [${startMethod}]`, async () => {
    await using pool = new WorkerPool({
      nJobs: 1,
      startMethod,
      useWorkerState: true,
    });
    interface State {
      running?: number;
      most?: number;
    }
    const task = async (state: State, wanted: number) => {
      state.running = (state.running ?? 0) + 1;
      state.most = Math.max(state.most ?? 0, state.running);
      // Until as many run, or it is clear that they never will.
      for (let i = 0; i < 200 && state.most < wanted; i++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
      state.running--;
      return state.most;
    };
    for (
      const [concurrency, options] of [
        [1, {}],
        [4, {}],
        [4, { chunkSize: 1 }],
        [4, { chunkSize: 10 }],
        [40, { chunkSize: 3 }],
        [7, { maxTasksActive: 100 }],
      ] as [number, object][]
    ) {
      const data = range(40).map(() => concurrency);
      const most = await pool.map(task, data, { ...options, concurrency });
      assertEquals(Math.max(...most), concurrency, JSON.stringify(options));
      await pool.terminate();
      const unknown = await pool.map(task, data.values(), {
        ...options,
        concurrency,
      });
      assertEquals(Math.max(...unknown), concurrency, JSON.stringify(options));
      await pool.terminate();
    }
  });

  test(`WorkerPool gives results in order with concurrency [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const task = async (x: number) => {
      await new Promise((resolve) => setTimeout(resolve, (x * 7) % 5));
      if (x === 1000) throw new RangeError("thousand");
      return x;
    };
    const options = { concurrency: 8 };
    assertEquals(await pool.map(task, range(100), options), range(100));
    const unordered = await pool.mapUnordered(task, range(100), options);
    assertEquals(unordered.sort((a, b) => a - b), range(100));
    const lazy = [];
    for await (const x of pool.imap(task, range(100).values(), options)) {
      lazy.push(x);
    }
    assertEquals(lazy, range(100));
    await assertRejects(
      () => pool.map(task, range(2000), { ...options, iterableLen: 1500 }),
      RangeError,
      "thousand",
    );
    const settled = await pool.map(task, [1000, 1, 1000], {
      ...options,
      onError: "settle",
    });
    assertEquals(
      settled.map(({ status }) => status),
      ["rejected", "fulfilled", "rejected"],
    );
    // Those that end in the same turn of the event loop are told together.
    const quick = async (x: number) => {
      for (let i = (x * 7) % 5; i > 0; i--) await undefined;
      return x % 100 === 99 ? `${x}` : x;
    };
    assertEquals(
      await pool.map(quick, range(5000), options),
      range(5000).map((x) => x % 100 === 99 ? `${x}` : x),
    );
    const partly = await pool.map(
      async (x: number) => {
        await undefined;
        return x % 100 === 99 ? () => x : x;
      },
      range(200),
      { ...options, onError: "settle" },
    );
    // In one thread nothing needs to be sent.
    assertEquals(
      partly.filter(({ status }) => status === "rejected").length,
      startMethod === "serial" ? 0 : 2,
    );
    // Synchronous tasks are not harmed.
    assertEquals(
      await pool.map((x: number) => x, range(50), options),
      range(50),
    );
  });

  test(`WorkerPool starts nothing when it is made and set [${startMethod}]`, async () => {
    const pool = new WorkerPool({
      nJobs: 2,
      startMethod,
      workerExit: () => 1,
    });
    pool.setKeepAlive(false).passOnWorkerId().setSharedObjects(1);
    await pool.join();
    await pool.terminate();
    await pool.join();
    assertEquals(pool.getExitResults(), []);
  });
}

test("WorkerPool gives its workers the IDs from 0 to nJobs - 1", async () => {
  for (const nJobs of [1, 2, 5]) {
    await using pool = new WorkerPool({ nJobs, passWorkerId: true });
    const met = sharedArray(Int32Array, 1);
    const ids = await pool.map(
      (id: number, met: Int32Array, nJobs: number) => {
        // Each worker holds its task until all have one.
        Atomics.add(met, 0, 1);
        Atomics.notify(met, 0);
        for (
          let n = Atomics.load(met, 0);
          n < nJobs;
          n = Atomics.load(met, 0)
        ) {
          const until = Date.now() + 10_000;
          while (Atomics.load(met, 0) === n) {
            if (Date.now() > until) return -1;
            Atomics.wait(met, 0, n, 2);
          }
        }
        return id;
      },
      range(nJobs).map((): [Int32Array, number] => [met, nJobs]),
      { chunkSize: 1 },
    );
    assertEquals(ids.sort(), range(nJobs));
    // As many workers as that, not one more.
    const more = await pool.map((id: number, _x: number) => id, range(500));
    for (const id of more) assert(id >= 0 && id < nJobs, `${id}`);
  }
});

test("WorkerPool copies sharedObjects once per worker", async () => {
  await using pool = new WorkerPool({
    nJobs: 1,
    sharedObjects: { count: 0 },
  });
  const increment = (shared: { count: number }, _x: number) => ++shared.count;
  assertEquals(await pool.map(increment, range(3)), [1, 2, 3]);
  assertEquals(await pool.map(increment, range(2)), [4, 5]);
  pool.setSharedObjects({ count: 0 });
  assertEquals(await pool.map(increment, range(2)), [1, 2], "a changed object");
});

test("WorkerPool gives each worker a state of its own", async () => {
  await using pool = new WorkerPool({
    nJobs: 2,
    passWorkerId: true,
    useWorkerState: true,
    orderTasks: true,
  });
  const results = await pool.map(
    (id: number, state: { n?: number }, _x: number) => {
      state.n = (state.n ?? 0) + 1;
      return [id, state.n];
    },
    range(6),
    { chunkSize: 1 },
  );
  assertEquals(results, [[0, 1], [1, 1], [0, 2], [1, 2], [0, 3], [1, 3]]);
});

test("WorkerPool without keepAlive keeps workers while another call runs", async () => {
  await using pool = new WorkerPool({
    nJobs: 1,
    keepAlive: false,
    useWorkerState: true,
  });
  const gate = sharedArray(Int32Array, 2);
  const long = pool.map(
    (state: { tasks?: number }, gate: Int32Array) => {
      state.tasks = (state.tasks ?? 0) + 1;
      Atomics.add(gate, 1, 1);
      while (Atomics.load(gate, 0) === 0) Atomics.wait(gate, 0, 0, 2);
      return state.tasks;
    },
    [[gate], [gate]],
    { chunkSize: 1 },
  );
  await until(() => gate[1] === 1, "the task to run");
  const failing = pool.apply(() => {
    throw new RangeError("no");
  });
  failing.catch(() => {});
  open(gate);
  await assertRejects(() => failing, RangeError);
  assertEquals(await long, [1, 2], "the same worker all along");
});

test("WorkerPool setters give the pool itself", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  assertStrictEquals(pool.setKeepAlive() as unknown, pool);
  assertStrictEquals(pool.setOrderTasks() as unknown, pool);
  assertStrictEquals(pool.passOnWorkerId() as unknown, pool);
  assertStrictEquals(pool.setUseWorkerState() as unknown, pool);
  assertStrictEquals(pool.setSharedObjects(1) as unknown, pool);
});

test("WorkerPool.terminate() does not wait for stale workers that are ending", async () => {
  const gate = sharedArray(Int32Array, 2);
  await using pool = new WorkerPool({
    nJobs: 1,
    sharedObjects: gate,
    workerExit: (gate: Int32Array) => {
      Atomics.store(gate, 1, 1);
      while (Atomics.load(gate, 0) === 0) Atomics.wait(gate, 0, 0, 2);
    },
  });
  await pool.apply(() => 1);
  pool.setSharedObjects(sharedArray(Int32Array, [1, 0]) as typeof gate);
  const rejected = assertRejects(() => pool.apply(() => 2)) as Promise<Error>;
  await until(() => gate[1] === 1, "the exit function to run");
  await soon(pool.terminate(), "terminate()");
  assertEquals((await soon(rejected, "the call")).name, "PoolTerminatedError");
  open(gate);
});
