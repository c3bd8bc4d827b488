import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { test } from "node:test";
import { AsyncResult, sharedArray, TimeoutError } from "../mod.ts";
import { withResolvers } from "../src/promises.ts";
import { WorkerPool } from "./support/pool.ts";
import { open, pause, soon, startMethods, until } from "./support/waiting.ts";

for (const startMethod of startMethods) {
  test(`WorkerPool.applyAsync() gives a handle at once [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 1, startMethod });
    const result = pool.applyAsync((x: number, y: number) => x + y, [1, 2]);
    assertInstanceOf(result, AsyncResult);
    assertEquals(result.ready(), false);
    assertEquals(await result, 3);
    assertEquals(result.ready(), true);
    assertEquals(result.successful(), true);
    // It can be asked again, in all ways.
    assertEquals(await result.get(), 3);
    assertEquals(await result.get({ timeout: 0 }), 3);
    assertEquals(await result.wait(), true);
    assertEquals(await result.wait({ timeout: 0 }), true);
    assertEquals(await result.then((x) => x * 2), 6);
    assertEquals(await result.finally(() => 0), 3);
    assertEquals(await Promise.all([result, result]), [3, 3]);
    assertEquals(result.cancel(), false);
    assertEquals(await result, 3);
  });

  test(`AsyncResult gives the error of a task that throws [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 1, startMethod });
    const result = pool.applyAsync((x: number) => {
      throw new RangeError(`no ${x}`);
    }, [1]);
    assertEquals(await result.wait(), true, "wait() does not reject");
    assertEquals(result.ready(), true);
    assertEquals(result.successful(), false);
    await assertRejects(() => result, RangeError, "no 1");
    await assertRejects(() => result.get(), RangeError, "no 1");
    await assertRejects(() => result.get({ timeout: 5 }), RangeError, "no 1");
    assertEquals(await result.wait({ timeout: 5 }), true);
    assertInstanceOf(await result.catch((error) => error), RangeError);
    assertEquals(await result.then(() => 1, () => 2), 2);
    let cleaned = 0;
    await assertRejects(() => result.finally(() => cleaned++), RangeError);
    assertEquals(cleaned, 1);
    assertEquals(result.cancel(), false);
  });

  test(`AsyncResult drops a failure that nobody asks for [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 1, startMethod });
    // An unhandled rejection would fail this test.
    pool.applyAsync(() => {
      throw new RangeError("nobody asks");
    });
    const cancelled = pool.applyAsync(() => 1);
    cancelled.cancel();
    pool.applyAsync(() => 1, [], {
      signal: AbortSignal.abort(new Error("no")),
    });
    assertEquals(await pool.apply(() => 5), 5);
    await pause(20);
  });

  test(`AsyncResult.get() and wait() give up when their time is over [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 1, startMethod });
    const result = pool.applyAsync(async () => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      return "late";
    });
    assertThrows(() => result.successful(), Error);
    assertEquals(await result.wait({ timeout: 0 }), false);
    assertEquals(await result.wait({ timeout: 5 }), false);
    for (const timeout of [0, 5]) {
      const error = await assertRejects(
        () => result.get({ timeout }),
        TimeoutError,
        `${timeout} ms`,
      );
      assertEquals(error.name, "TimeoutError");
      assertEquals(error.stage, "get");
    }
    assertEquals(result.ready(), false, "the task goes on");
    assertEquals(await result.get({ timeout: 20_000 }), "late");
    assertEquals(await result.get({ timeout: Infinity }), "late");
    assertEquals(await result.get({ timeout: 1e12 }), "late");
  });

  test(`AsyncResult.get() takes a time longer than timers can hold [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 1, startMethod });
    const slow = async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return 1;
    };
    assertEquals(await pool.applyAsync(slow).get({ timeout: 1e12 }), 1);
    assertEquals(await pool.applyAsync(slow).wait({ timeout: 2 ** 31 }), true);
  });

  test(`AsyncResult.get() and wait() check their options [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 1, startMethod });
    const result = pool.applyAsync(() => 1);
    for (const method of ["get", "wait"] as const) {
      const call = (options: unknown) => () => result[method](options as never);
      await assertRejects(call({ timeout: "5" }), TypeError, "timeout");
      await assertRejects(call({ timeout: null }), TypeError, "null");
      await assertRejects(call({ timeout: -1 }), RangeError, "-1");
      await assertRejects(call({ timeout: NaN }), RangeError, "NaN");
      await assertRejects(call({ timeOut: 5 }), RangeError, "timeOut");
      await assertRejects(call(5), TypeError, "options");
      await assertRejects(call([]), TypeError, "options");
      await assertRejects(call(null), TypeError, "null");
    }
    assertEquals(await result, 1);
  });

  test(`AsyncResult.cancel() rejects an unfinished task with an AbortError [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 1, startMethod });
    const result = pool.applyAsync(() => 1);
    assertEquals(result.cancel(), true);
    const error = await assertRejects(() => soon(result, "the result"));
    assertEquals((error as Error).name, "AbortError");
    assertEquals(result.ready(), true);
    assertEquals(result.successful(), false);
    assertEquals(result.cancel(), false);
    assertStrictEquals(await assertRejects(() => result.get()), error);
    assertEquals(await pool.apply(() => 2), 2);
  });

  test(`AsyncResult.cancel() is true once [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 1, startMethod });
    const result = pool.applyAsync(() => 1);
    assertEquals([result.cancel(), result.cancel()], [true, false]);
    assertEquals(result.ready(), true, "cancelled is finished");
    await assertRejects(() => result);
  });

  test(`AsyncResult rejects when its signal aborts or the pool terminates [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 1, startMethod });
    const controller = new AbortController();
    const slow = async () => {
      await new Promise((resolve) => setTimeout(resolve, 400));
    };
    const aborted = pool.applyAsync(slow, [], { signal: controller.signal });
    const stopped = pool.applyAsync(slow);
    controller.abort(new EvalError("by the signal"));
    await assertRejects(
      () => soon(aborted, "abort"),
      EvalError,
      "by the signal",
    );
    assertEquals(aborted.successful(), false);
    await pool.terminate();
    const error = await assertRejects(() => soon(stopped.get(), "terminate"));
    assertEquals((error as Error).name, "PoolTerminatedError");
  });

  test(`WorkerPool.join() finishes applyAsync() tasks [${startMethod}]`, async () => {
    const results: AsyncResult<number>[] = [];
    {
      await using pool = new WorkerPool({ nJobs: 2, startMethod });
      for (let i = 0; i < 50; i++) {
        results.push(pool.applyAsync((x: number) => x * 2, [i]));
      }
    }
    for (const [i, result] of results.entries()) {
      assert(result.ready());
      assertEquals(await result, i * 2);
    }
  });
}

test("AsyncResult.cancel() leaves a task that runs to end and drops its result", async () => {
  await using pool = new WorkerPool({ nJobs: 1, useWorkerState: true });
  const gate = sharedArray(Int32Array, 3);
  const task = (state: { n?: number }, gate: Int32Array) => {
    state.n = (state.n ?? 0) + 1;
    Atomics.store(gate, 1, 1);
    while (Atomics.load(gate, 0) === 0) Atomics.wait(gate, 0, 0, 2);
    Atomics.store(gate, 2, 1);
    return state.n;
  };
  const running = pool.applyAsync(task, [gate]);
  const waiting = pool.applyAsync(task, [gate]);
  await until(() => gate[1] === 1, "the task to run");
  assert(running.cancel());
  assert(waiting.cancel());
  await assertRejects(() => soon(running, "the running task"));
  await assertRejects(() => soon(waiting, "the waiting task"));
  assertEquals(gate[2], 0, "it rejects before the task ends");
  open(gate);
  assertEquals(await pool.apply((state) => state.n), 1, "one of them ran");
  assertEquals(gate[2], 1, "to its end");
});

test("AsyncResult adds nothing to its promise each time that it waits", async () => {
  let listeners = 0;
  const { promise, resolve } = withResolvers<number>();
  const then = promise.then;
  promise.then = function (...callbacks) {
    listeners++;
    return then.apply(this, callbacks) as never;
  };
  let state: "pending" | "fulfilled" = "pending";
  const result = new AsyncResult<number>({
    get state() {
      return state;
    },
    promise,
    cancel: () => false,
    quieten() {},
  });
  for (let i = 0; i < 10; i++) {
    assertEquals(await result.wait({ timeout: 0 }), false);
    await assertRejects(() => result.get({ timeout: 0 }), TimeoutError);
  }
  assertEquals(listeners, 1);
  const waiting = [result.wait({ timeout: 1e6 }), result.get({ timeout: 1e6 })];
  state = "fulfilled";
  resolve(5);
  assertEquals(await soon(Promise.all(waiting), "both"), [true, 5]);
});
