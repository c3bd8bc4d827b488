import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { test } from "node:test";
import {
  LockAbandonedError,
  Semaphore,
  sharedArray,
  TimeoutError,
  WorkerDiedError,
} from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { testShared } from "./support/shared.ts";
import { pause, soon, until } from "./support/waiting.ts";

test("Semaphore gives as many permits as it has", async () => {
  const semaphore = new Semaphore(2);
  assertEquals(semaphore.value, 2);
  const first = await semaphore.acquire();
  semaphore.acquireSync();
  assertEquals(semaphore.value, 0);
  assertEquals(semaphore.tryAcquire(), undefined);
  await assertRejects(() => semaphore.acquire({ timeout: 10 }), TimeoutError);
  assertThrows(() => semaphore.acquireSync({ timeout: 10 }), TimeoutError);
  first.release();
  first.release();
  assertEquals(semaphore.value, 1);
  semaphore.release();
  semaphore.release(3);
  assertEquals(semaphore.value, 5);
  assertEquals(new Semaphore().value, 1);
});

test("Semaphore wakes as many as permits are released", async () => {
  const semaphore = new Semaphore(0);
  const got: number[] = [];
  const waiters = [1, 2, 3].map((n) =>
    semaphore.acquire().then(() => got.push(n))
  );
  await pause(20);
  assertEquals(got, []);
  semaphore.release(2);
  await until(() => got.length === 2, "two");
  await pause(20);
  assertEquals(got.length, 2);
  semaphore.release();
  await soon(Promise.all(waiters), "the third");
  assertEquals(semaphore.value, 0);
});

test("Semaphore that is bounded refuses more permits than it had", () => {
  const semaphore = new Semaphore(2, { bounded: true });
  assertThrows(() => semaphore.release(), RangeError, "more than 2 permits");
  semaphore.acquireSync();
  assertThrows(() => semaphore.release(2), RangeError);
  semaphore.release();
  assertEquals(semaphore.value, 2);
  const none = new Semaphore(0, { bounded: true });
  assertThrows(() => none.release(), RangeError);
});

test("Semaphore refuses bad input", () => {
  assertThrows(() => new Semaphore("1" as never), TypeError, "'permits'");
  assertThrows(() => new Semaphore(-1), RangeError, "'permits'");
  assertThrows(() => new Semaphore(1.5), RangeError, "'permits'");
  assertThrows(() => new Semaphore(2 ** 30), RangeError, "at most 536870911");
  assertThrows(() => new Semaphore(1, 5 as never), TypeError, "'options'");
  assertThrows(() => new Semaphore(1, { bound: 1 } as never), RangeError);
  assertThrows(() => new Semaphore(1, { bounded: 1 } as never), TypeError);
  const semaphore = new Semaphore();
  assertThrows(() => semaphore.release(0), RangeError, "'permits'");
  assertThrows(() => semaphore.release("1" as never), TypeError, "'permits'");
});

testShared(
  "Semaphore lets no more in than it has permits: tasks and the main thread",
  async () => {
    const semaphore = new Semaphore(2);
    // Inside now, the most that ever were, turns.
    const counts = sharedArray(Int32Array, 3);
    await using pool = new WorkerPool({
      nJobs: 3,
      sharedObjects: { semaphore, counts },
    });
    let isOver = false;
    const tasks = pool.map(
      ({ semaphore, counts }, n: number) => {
        for (let i = 0; i < n; i++) {
          semaphore.acquireSync();
          const inside = Atomics.add(counts, 0, 1) + 1;
          if (inside > Atomics.load(counts, 1)) {
            Atomics.store(counts, 1, inside);
          }
          Atomics.add(counts, 2, 1);
          Atomics.sub(counts, 0, 1);
          semaphore.release();
        }
      },
      [350_000, 350_000, 350_000],
      { chunkSize: 1 },
    ).finally(() => isOver = true);
    let mine = 0;
    while (!isOver) {
      using _permit = await semaphore.acquire();
      const inside = Atomics.add(counts, 0, 1) + 1;
      if (inside > counts[1]!) Atomics.store(counts, 1, inside);
      mine++;
      await pause(0);
      Atomics.sub(counts, 0, 1);
    }
    await tasks;
    assertEquals(semaphore.value, 2);
    assertEquals([...counts], [0, 2, 1_050_000]);
    assert(mine > 5);
  },
);

testShared(
  "Semaphore gets back the permits of a worker that dies",
  async () => {
    const semaphore = new Semaphore(2);
    const held = sharedArray(Int32Array, 2);
    await using pool = new WorkerPool({
      nJobs: 1,
      sharedObjects: { semaphore, held },
    });
    const ended = assertRejects(
      () =>
        pool.apply(({ semaphore, held }) => {
          semaphore.acquireSync();
          semaphore.acquireSync();
          Atomics.store(held, 0, 1);
          while (Atomics.load(held, 1) === 0);
          globalThis.process.exit(3);
        }),
      WorkerDiedError,
    );
    await until(() => held[0] === 1, "the holder");
    const waiters = [semaphore.acquire(), semaphore.acquire()].map((waiter) =>
      waiter.then(() => "acquired", (error: LockAbandonedError) => error)
    );
    await pause(50);
    held[1] = 1;
    await ended;
    for (const error of await soon(Promise.all(waiters), "the waiters")) {
      assertInstanceOf(error, LockAbandonedError);
      assertEquals(error.workerId, 0);
    }
    assertEquals(semaphore.value, 2);
    semaphore.acquireSync();
    assertEquals(semaphore.value, 1);

    await assertRejects(
      () =>
        pool.apply(({ semaphore }) => {
          semaphore.acquireSync();
          globalThis.process.exit(3);
        }),
      WorkerDiedError,
    );
    await until(() => semaphore.value === 1, "the permit");
    assertThrows(() => semaphore.acquireSync(), LockAbandonedError);
    semaphore.acquireSync();
    assertEquals(semaphore.value, 0);
  },
);

testShared(
  "Semaphore that is bounded gets no more than it had by a worker that dies",
  async () => {
    const semaphore = new Semaphore(2, { bounded: true });
    await using pool = new WorkerPool({ nJobs: 1, sharedObjects: semaphore });
    await pool.apply((semaphore) => {
      semaphore.acquireSync();
      semaphore.acquireSync();
    });
    semaphore.release();
    await assertRejects(
      () => pool.apply(() => globalThis.process.exit(3)),
      WorkerDiedError,
    );
    await until(() => semaphore.value !== 1, "the permits");
    await assertRejects(() => semaphore.acquire(), LockAbandonedError);
    assertEquals(semaphore.value, 2);
  },
);

testShared(
  "Semaphore keeps the permits that a worker acquired and released",
  async () => {
    const semaphore = new Semaphore(1);
    const pool = new WorkerPool({ nJobs: 1, sharedObjects: semaphore });
    await pool.apply((semaphore) => {
      for (let i = 0; i < 3; i++) semaphore.acquireSync().release();
      semaphore.acquireSync();
      semaphore.release();
    });
    await pool.terminate();
    assertEquals(semaphore.value, 1);
    semaphore.acquireSync().release();
  },
);

testShared(
  "Semaphore leaves its permits as they are when a worker ends in an orderly way",
  async () => {
    const items = new Semaphore(0);
    await using pool = new WorkerPool({ nJobs: 1, sharedObjects: items });
    const taken = pool.map((items, x: number) => {
      items.acquireSync();
      return x;
    }, [1, 2, 3]);
    items.release(3);
    assertEquals(await soon(taken, "the permits"), [1, 2, 3]);
    await pool.join();
    assertEquals(items.value, 0);
    assertEquals(items.tryAcquire(), undefined);
  },
);

test("Semaphore counts permits that are added while others are held", () => {
  const semaphore = new Semaphore(2);
  const guards = [semaphore.acquireSync(), semaphore.acquireSync()];
  semaphore.release(2);
  for (const guard of guards) guard.release();
  assertEquals(semaphore.value, 4);
});
