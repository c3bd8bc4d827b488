import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { test } from "node:test";
import {
  Condition,
  Lock,
  LockAbandonedError,
  RLock,
  sharedArray,
  WorkerDiedError,
} from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { testShared } from "./support/shared.ts";
import { pause, soon, until } from "./support/waiting.ts";

test("Condition.notify() wakes as many as asked for, the longest first", async () => {
  // One thread is one owner of an RLock, so that a Lock is needed here.
  const condition = new Condition(new Lock());
  const woken: number[] = [];
  const waiters = [0, 1, 2, 3, 4].map(async (n) => {
    using _guard = await condition.acquire();
    assertEquals(await condition.wait(), true);
    woken.push(n);
  });
  await pause(20);
  const notify = async (n?: number) => {
    using _guard = await condition.acquire();
    condition.notify(n);
  };
  await notify();
  await until(() => woken.length === 1, "the first");
  await notify(2);
  await until(() => woken.length === 3, "two more");
  await pause(20);
  assertEquals(woken[0], 0);
  assertEquals([...woken].sort(), [0, 1, 2]);
  {
    using _guard = await condition.acquire();
    condition.notifyAll();
    condition.notifyAll();
  }
  await soon(Promise.all(waiters), "all");
});

test("Condition.wait() has the lock again when the time is over or the signal aborts", async () => {
  for (const lock of [new Lock(), new RLock()]) {
    const condition = new Condition(lock);
    using _guard = condition.acquireSync();
    assertEquals(await condition.wait({ timeout: 10 }), false);
    assertEquals(lock.locked, true);
    assertEquals(condition.waitSync({ timeout: 10 }), false);
    assertEquals(lock.locked, true);
    const abort = new AbortController();
    setTimeout(() => abort.abort(new Error("no more")), 10);
    await assertRejects(
      () => condition.wait({ signal: abort.signal }),
      Error,
      "no more",
    );
    assertEquals(lock.locked, true);
    // Those who left are not notified.
    condition.notify();
    assertEquals(await condition.wait({ timeout: 10 }), false);
  }
});

test("Condition.wait() releases a reentrant lock however often it was acquired", async () => {
  const lock = new RLock();
  const condition = new Condition(lock);
  lock.acquireSync();
  condition.acquireSync();
  const waiting = condition.wait();
  assertEquals(lock.locked, false);
  lock.acquireSync();
  condition.notify();
  lock.release();
  assertEquals(await soon(waiting, "the notification"), true);
  lock.release();
  assertEquals(lock.locked, true);
  condition.release();
  assertEquals(lock.locked, false);
});

test("Condition.waitFor() resolves to what the predicate returned last", async () => {
  const condition = new Condition(new Lock());
  let value = 0;
  const waiting = (async () => {
    using _guard = await condition.acquire();
    return await condition.waitFor(() => value > 2 && `${value}`);
  })();
  for (let i = 0; i < 3; i++) {
    await pause(5);
    using _guard = await condition.acquire();
    value++;
    condition.notifyAll();
  }
  assertEquals(await soon(waiting, "the value"), "3");
  using _guard = condition.acquireSync();
  assertEquals(await condition.waitFor(() => 0, { timeout: 20 }), 0);
  assertEquals(condition.waitForSync(() => "", { timeout: 20 }), "");
  assertEquals(condition.waitForSync(() => "now"), "now");
});

test("Condition throws where the lock is not held, and for bad input", async () => {
  const condition = new Condition();
  assertThrows(() => condition.notify(), Error, "does not hold its lock");
  assertThrows(() => condition.notifyAll(), Error, "does not hold its lock");
  assertThrows(() => condition.waitSync(), Error, "does not hold its lock");
  await assertRejects(() => condition.wait(), Error, "does not hold its lock");
  assertThrows(() => new Condition({} as never), TypeError, "'lock'");
  condition.acquireSync();
  assertThrows(() => condition.notify(0), RangeError, "'n'");
  assertThrows(() => condition.waitForSync(5 as never), TypeError, "predicate");
});

testShared(
  "Condition hands a counter round between tasks and the main thread",
  async () => {
    for (const lock of [new Lock(), new RLock()]) {
      const condition = new Condition(lock);
      const counter = sharedArray(Int32Array, 1);
      await using pool = new WorkerPool({
        nJobs: 3,
        sharedObjects: { condition, counter },
      });
      const rounds = 200;
      const tasks = pool.map(
        ({ condition, counter }, place: number, rounds: number) => {
          for (let round = 0; round < rounds; round++) {
            condition.acquireSync();
            condition.waitForSync(() => counter[0]! % 4 === place);
            counter[0] = counter[0]! + 1;
            condition.notifyAll();
            condition.release();
          }
        },
        [[1, rounds], [2, rounds], [3, rounds]],
        { chunkSize: 1 },
      );
      for (let round = 0; round < rounds; round++) {
        using _guard = await condition.acquire();
        await soon(
          condition.waitFor(() => counter[0]! % 4 === 0),
          "its turn",
        );
        assertEquals(counter[0], round * 4);
        counter[0] = counter[0]! + 1;
        condition.notifyAll();
      }
      await tasks;
      assertEquals(counter[0], rounds * 4);
    }
  },
);

testShared(
  "Condition.wait() rejects when a worker dies that holds the lock",
  async () => {
    const condition = new Condition();
    const held = sharedArray(Int32Array, 2);
    await using pool = new WorkerPool({
      nJobs: 1,
      sharedObjects: { condition, held },
    });
    condition.acquireSync();
    const mine = condition.wait().then(() => "woken", (error) => error);
    await assertRejects(
      () =>
        pool.apply(({ condition }) => {
          condition.acquireSync();
          globalThis.process.exit(3);
        }),
      WorkerDiedError,
    );
    const error = await soon(mine, "the death");
    assertInstanceOf(error, LockAbandonedError);
    assertEquals(error.workerId, 0);
    condition.acquireSync();
    condition.notifyAll();
    condition.release();
  },
);

testShared(
  "Condition notifies another in the place of a worker that died",
  async () => {
    const condition = new Condition(new Lock());
    const waiting = sharedArray(Int32Array, 1);
    const pool = new WorkerPool({
      nJobs: 1,
      sharedObjects: { condition, waiting },
    });
    const task = assertRejects(() =>
      pool.apply(async ({ condition, waiting }) => {
        await condition.acquire();
        Atomics.store(waiting, 0, 1);
        await condition.wait();
      })
    );
    await until(() => waiting[0] === 1, "the task");
    const mine = (async () => {
      using _guard = await condition.acquire();
      return await condition.wait();
    })();
    await pause(20);
    await pool.terminate();
    await task;
    using guard = await condition.acquire();
    condition.notify();
    guard.release();
    assertEquals(await soon(mine, "the notification"), true);
  },
);

testShared("Condition keeps its lock wherever it is sent", async () => {
  const lock = new Lock();
  const condition = new Condition(lock);
  await using pool = new WorkerPool({ nJobs: 1 });
  const [sent, isLocked] = await pool.apply((condition, lock) => {
    using _guard = condition.acquireSync();
    return [condition, lock.locked] as const;
  }, [condition, lock]);
  assert(sent === condition);
  assertEquals(isLocked, true);
});

test("Condition takes several tasks of a thread by default", async () => {
  const condition = new Condition();
  let isReady = false;
  const waiters = [1, 2, 3].map(async (x) => {
    await Promise.resolve();
    using _guard = await condition.acquire();
    await condition.waitFor(() => isReady);
    return x;
  });
  await pause(20);
  {
    using _guard = await condition.acquire();
    isReady = true;
    condition.notifyAll();
  }
  assertEquals(await soon(Promise.all(waiters), "all"), [1, 2, 3]);
  const lock = await soon(condition.acquire(), "the lock");
  lock.release();
});

test("Condition.wait() can be given up any number of times", async () => {
  const condition = new Condition();
  using _guard = await condition.acquire();
  for (let i = 0; i < 1100; i++) {
    assertEquals(await condition.wait({ timeout: 0 }), false);
  }
});
