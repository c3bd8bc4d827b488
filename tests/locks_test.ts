import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { test } from "node:test";
import {
  Lock,
  LockAbandonedError,
  RLock,
  Semaphore,
  sharedArray,
  TimeoutError,
  WorkerDiedError,
} from "../mod.ts";
import { inThreads, startMethod, WorkerPool } from "./support/pool.ts";
import { runProgram, runtimeName } from "./support/program.ts";
import { testIf } from "./support/skip.ts";
import { testShared } from "./support/shared.ts";
import { pause, soon, until } from "./support/waiting.ts";

const programs = new URL("./fixtures/shared/waiting.ts", import.meta.url);

const kinds = { Lock, RLock };

for (const [name, Kind] of Object.entries(kinds)) {
  const what = name === "Lock" ? "lock" : "reentrant lock";

  // --- one thread ---

  test(`${name}.acquire() gives a guard whose disposal releases the lock`, async () => {
    const lock = new Kind();
    {
      using guard = await lock.acquire();
      assertEquals(lock.locked, true);
      assertEquals(typeof guard.release, "function");
    }
    assertEquals(lock.locked, false);
    {
      using _guard = lock.acquireSync();
      assertEquals(lock.locked, true);
    }
    assertEquals(lock.locked, false);
  });

  test(`${name} guards release once, and never another's acquisition`, () => {
    const lock = new Kind();
    const first = lock.acquireSync();
    first.release();
    const second = lock.tryAcquire();
    assert(second);
    first.release();
    first[Symbol.dispose]();
    assertEquals(lock.locked, true);
    second.release();
    second.release();
    assertEquals(lock.locked, false);
  });

  test(`${name}.release() throws when nobody holds the lock`, () => {
    const lock = new Kind();
    const error = assertThrows(() => lock.release(), Error);
    assertStringIncludes(error.message, `Cannot release the ${what}`);
    lock.acquireSync();
    lock.release();
    assertThrows(() => lock.release(), Error);
  });

  test(`${name}.acquire() refuses bad options`, async () => {
    const lock = new Kind();
    const refused: [unknown, typeof TypeError | typeof RangeError, string][] = [
      [5, TypeError, "'options' must be an object"],
      [{ timeout: "5" }, TypeError, "'timeout' must be a number"],
      [{ timeout: -1 }, RangeError, "'timeout' must be a number"],
      [{ timeout: NaN }, RangeError, "'timeout' must be a number"],
      [{ timeOut: 5 }, RangeError, "'timeOut' is unknown"],
      [{ signal: 5 }, TypeError, "'signal' must be an AbortSignal"],
    ];
    for (const [options, errorClass, text] of refused) {
      const error = await assertRejects(
        () => lock.acquire(options as never),
        errorClass,
        text,
      );
      assertStringIncludes(error.message, `Cannot acquire `);
      if (text.includes("signal")) continue;
      assertThrows(() => lock.acquireSync(options as never), errorClass, text);
    }
    assertThrows(
      () => lock.acquireSync({ signal: new AbortController().signal } as never),
      RangeError,
      "'signal' is unknown",
    );
    assertEquals(lock.locked, false);
  });

  // --- with workers ---

  testShared(
    `${name} lets one at a time in: sync tasks, async tasks and the main thread`,
    async () => {
      const lock = new Kind();
      // The sum is kept in two halves, so that any overlap shows.
      const sums = sharedArray(Float64Array, 2);
      const sharedObjects = { lock, sums };
      await using pool = new WorkerPool({ nJobs: 2, sharedObjects });
      // Threads beside processes, or processes beside threads.
      await using others = new WorkerPool({
        nJobs: 1,
        sharedObjects,
        startMethod: inThreads ? "spawn" : "threading",
      });
      const count = ({ lock, sums }: typeof sharedObjects, n: number) => {
        for (let i = 0; i < n; i++) {
          lock.acquireSync();
          const sum = sums[0]! + 1;
          sums[0] = sum;
          sums[1] = sums[1]! + 1;
          if (sums[1] !== sum) throw new Error("not alone");
          lock.release();
        }
        return n;
      };
      const sync = [
        pool.map(count, [300_000, 300_000], { chunkSize: 1 }),
        others.map(count, [300_000, 100_000], { chunkSize: 1 }),
      ];
      const async = pool.map(
        async ({ lock, sums }, n: number) => {
          for (let i = 0; i < n; i++) {
            const guard = await lock.acquire();
            const sum = sums[0]! + 1;
            sums[0] = sum;
            // Another async task of the worker would come in here.
            if (i % 16 === 0) await Promise.resolve();
            sums[1] = sums[1]! + 1;
            if (sums[1] !== sum) throw new Error("not alone");
            guard.release();
          }
          return n;
        },
        [5_000, 5_000],
        { chunkSize: 1, concurrency: name === "Lock" ? 2 : 1 },
      );
      let mine = 0;
      let isOver = false;
      const all = Promise.all([...sync, async]).finally(() => isOver = true);
      while (!isOver) {
        using _guard = await lock.acquire();
        const sum = sums[0]! + 1;
        sums[0] = sum;
        if (mine % 16 === 0) await pause(0);
        sums[1] = sums[1]! + 1;
        assertEquals(sums[1], sum);
        mine++;
      }
      const counts = (await all).flat();
      const total = counts.reduce((a, b) => a + b, mine);
      assertEquals([...sums], [total, total]);
      assert(total > 1_000_000);
      assert(mine > 10, `the main thread had ${mine} turns`);
    },
  );

  testShared(`${name} is the same lock wherever it is sent`, async () => {
    const lock = new Kind();
    await using pool = new WorkerPool({ nJobs: 1, sharedObjects: [lock] });
    const results = await pool.apply(
      ([shared], argument, deep) => {
        const inMap = deep.get("lock")!.inner[0]!;
        return [
          shared === argument,
          argument === inMap,
          argument instanceof Object.getPrototypeOf(argument).constructor,
          argument.locked,
          argument.tryAcquire() === undefined,
          argument,
        ] as const;
      },
      [lock, new Map([["lock", { inner: [lock] }]])],
    );
    assertEquals(results.slice(0, 5), [true, true, true, false, false]);
    assert(results[5] === lock);
    assertEquals(lock.locked, true);
    await pool.apply(([lock]) => lock!.release());
    assertEquals(lock.locked, false);
  });

  testShared(`${name} from a worker works in the main thread`, async () => {
    await using pool = new WorkerPool({ nJobs: 2 });
    const mine = new Kind();
    const made = await pool.apply(
      (lock) => new (lock.constructor as new () => Lock)(),
      [mine as Lock],
    );
    assertInstanceOf(made, Kind as typeof Lock);
    assert(made !== mine);
    const guard = await made.acquire();
    const tryIt = (lock: Lock) => lock.tryAcquire() !== undefined;
    assertEquals(await pool.apply(tryIt, [made]), false);
    guard.release();
    assertEquals(await pool.apply(tryIt, [made]), true);
  });

  testShared(
    `${name}.acquire() ends with a TimeoutError when the time is over, in tasks too`,
    async () => {
      const lock = new Kind();
      await using pool = new WorkerPool({ nJobs: 1, sharedObjects: lock });
      await pool.apply((lock) => {
        lock.acquireSync();
      });
      const start = performance.now();
      const error = await assertRejects(
        () => lock.acquire({ timeout: 50 }),
        TimeoutError,
      );
      assert(performance.now() - start >= 49);
      assertEquals([error.stage, error.timeout], ["acquire", 50]);
      assertThrows(() => lock.acquireSync({ timeout: 30 }), TimeoutError);
      assertThrows(() => lock.acquireSync({ timeout: 0 }), TimeoutError);
      await assertRejects(() => lock.acquire({ timeout: 0 }), TimeoutError);
      await pool.apply((lock) => lock.release());
      (await lock.acquire({ timeout: 0 })).release();
      using _guard = lock.acquireSync({ timeout: 0 });
      const names = await pool.apply(async (lock) => {
        const nameOf = (error: unknown) => (error as Error).name;
        const names: string[] = [];
        try {
          lock.acquireSync({ timeout: 20 });
        } catch (error) {
          names.push(nameOf(error));
        }
        await lock.acquire({ timeout: 20 }).catch((error) =>
          names.push(nameOf(error))
        );
        return names;
      });
      assertEquals(names, ["TimeoutError", "TimeoutError"]);
    },
  );

  testShared(
    `${name}.acquire() ends with the reason when its signal aborts, and passes no wake-up by`,
    async () => {
      const lock = new Kind();
      await using pool = new WorkerPool({ nJobs: 1, sharedObjects: lock });
      await pool.apply((lock) => {
        lock.acquireSync();
      });
      const reason = new Error("no more");
      await assertRejects(
        () => lock.acquire({ signal: AbortSignal.abort(reason) }),
        Error,
        "no more",
      );
      const aborts = Array.from({ length: 5 }, () => new AbortController());
      const outcomes = aborts.map(({ signal }) =>
        lock.acquire({ signal }).then(() => "acquired", (error) => error)
      );
      const last = lock.acquire();
      await pause();
      for (const abort of aborts) abort.abort(reason);
      assertEquals(await Promise.all(outcomes), aborts.map(() => reason));
      await pool.apply((lock) => lock.release());
      (await soon(last, "the lock")).release();
      assertEquals(lock.locked, false);
    },
  );

  testShared(
    `${name} does not let a waiter starve beside a task that takes it again and again`,
    async () => {
      const lock = new Kind();
      const control = sharedArray(Int32Array, 2);
      await using pool = new WorkerPool({
        nJobs: 1,
        sharedObjects: { lock, control },
      });
      const hot = pool.apply(({ lock, control }) => {
        let turns = 0;
        while (Atomics.load(control, 1) === 0) {
          lock.acquireSync();
          turns++;
          Atomics.store(control, 0, 1);
          // Held nearly all the time.
          for (let i = 0; i < 2_000; i++) Atomics.load(control, 1);
          lock.release();
        }
        return turns;
      });
      await until(() => control[0] === 1, "the task");
      for (let i = 0; i < 20; i++) {
        (await soon(lock.acquire(), "a turn")).release();
        lock.acquireSync({ timeout: 10_000 }).release();
      }
      control[1] = 1;
      assert(await hot > 0);
    },
  );

  // --- holders that die ---

  const deaths = {
    "calls process.exit()": WorkerDiedError,
    "takes longer than its timeout": TimeoutError,
  };
  for (const [death, errorClass] of Object.entries(deaths)) {
    testShared(
      `${name} is abandoned to those who wait when its holder ${death}`,
      async () => {
        const lock = new Kind();
        const control = sharedArray(Int32Array, 2);
        await using pool = new WorkerPool({
          nJobs: 1,
          sharedObjects: { lock, control },
          passWorkerId: true,
        });
        await using others = new WorkerPool({
          nJobs: 2,
          sharedObjects: { lock, control },
        });
        await others.start();
        const timesOut = errorClass === TimeoutError;
        const holder = pool.apply(
          (_id, { lock, control }, timesOut: boolean) => {
            lock.acquireSync();
            Atomics.store(control, 0, 1);
            // Not asleep: some runtimes can only stop the thread if it yields.
            while (Atomics.load(control, 1) === 0);
            if (!timesOut) globalThis.process.exit(3);
            return new Promise<void>(() => {});
          },
          [timesOut],
          timesOut ? { taskTimeout: 2_000 } : {},
        );
        const ended = assertRejects(
          () => holder,
          errorClass as typeof WorkerDiedError,
        );
        await until(() => control[0] === 1, "the holder");
        const waiters = [
          lock.acquire(),
          others.apply(({ lock, control }) => {
            Atomics.add(control, 0, 1);
            lock.acquireSync({ timeout: 15_000 });
          }),
          others.apply(async ({ lock, control }) => {
            Atomics.add(control, 0, 1);
            await lock.acquire();
          }),
        ].map((waiter) =>
          waiter.then(() => "acquired", (error: LockAbandonedError) => error)
        );
        await until(() => control[0] === 3, "the waiters");
        await pause(200);
        control[1] = 1;
        await ended;
        for (const error of await soon(Promise.all(waiters), "the waiters")) {
          assertInstanceOf(error, LockAbandonedError);
          assertEquals(error.workerId, 0);
          assertStringIncludes(error.message, `Worker 0 ended`);
        }
        const guard = await soon(lock.acquire(), "the lock to be free");
        assertEquals(lock.locked, true);
        guard.release();
        await others.apply(({ lock }) => lock.acquireSync().release());
        assertEquals(lock.locked, false);
      },
    );
  }

  testShared(
    `${name} is abandoned to the next who comes when nobody waited, once`,
    async () => {
      for (const way of ["acquire", "acquireSync", "tryAcquire"] as const) {
        const lock = new Kind();
        await using pool = new WorkerPool({ nJobs: 1, sharedObjects: lock });
        await assertRejects(
          () =>
            pool.apply((lock) => {
              lock.acquireSync();
              globalThis.process.exit(3);
            }),
          WorkerDiedError,
        );
        const error = await soon(
          assertRejects(async () => {
            // The thread may take a moment to end.
            while (lock.locked) await pause(1);
            await lock[way]();
          }, LockAbandonedError),
          "the next",
        );
        assertEquals(error.workerId, 0);
        assertEquals(lock.locked, false);
        using guard = lock.tryAcquire();
        assert(guard);
      }
    },
  );

  testShared(
    `${name} is abandoned when the pool is terminated or joined`,
    async () => {
      for (const way of ["terminate", "join"] as const) {
        const lock = new Kind();
        const pool = new WorkerPool({ nJobs: 1, sharedObjects: lock });
        await pool.apply((lock) => {
          lock.acquireSync();
        });
        const waiter = assertRejects(() => lock.acquire(), LockAbandonedError);
        await pool[way]();
        await soon(waiter, "the waiter");
        lock.acquireSync({ timeout: 1000 }).release();
      }
    },
  );

  testShared(`${name} goes on when workers that wait for it die`, async () => {
    const lock = new Kind();
    const waiting = sharedArray(Int32Array, 1);
    const pool = new WorkerPool({ nJobs: 2, sharedObjects: { lock, waiting } });
    const guard = lock.acquireSync();
    const calls = pool.map(async ({ lock, waiting }, x: number) => {
      Atomics.add(waiting, 0, 1);
      // Even those that block can be stopped by some runtimes only.
      await lock.acquire();
      return x;
    }, [1, 2]);
    const ended = assertRejects(() => calls);
    await until(() => waiting[0] === 2, "the tasks");
    const mine = lock.acquire();
    await pause();
    await pool.terminate();
    await ended;
    guard.release();
    (await soon(mine, "the lock")).release();
    assertEquals(lock.locked, false);
  });
}

// --- one and the other ---

testShared(
  "Lock.release() works in another thread than acquire()",
  async () => {
    const lock = new Lock();
    await using pool = new WorkerPool({ nJobs: 1, sharedObjects: lock });
    const guard = await lock.acquire();
    await pool.apply((lock) => lock.release());
    assertEquals(lock.locked, false);
    await pool.apply((lock) => void lock.acquireSync());
    // It is not this guard's any more.
    guard.release();
    assertEquals(lock.locked, true);
  },
);

testIf(inThreads && runtimeName === "deno", "busy workers can be stopped")(
  "Locks and semaphores are safe from a worker that was given up but goes on",
  async () => {
    const lock = new Lock();
    const semaphore = new Semaphore(1);
    const control = sharedArray(Int32Array, 2);
    await using pool = new WorkerPool({
      nJobs: 1,
      taskTimeout: 1_000,
      sharedObjects: { lock, semaphore, control },
    });
    const task = pool.apply(({ lock, semaphore, control }) => {
      const guards = [lock.acquireSync(), semaphore.acquireSync()];
      while (Atomics.load(control, 0) === 0);
      for (const guard of guards) guard.release();
      let refusals = 0;
      const attempts = [
        () => lock.release(),
        () => lock.acquireSync(),
        () => lock.tryAcquire(),
        () => semaphore.release(),
        () => semaphore.acquireSync(),
      ];
      for (const attempt of attempts) {
        try {
          if (attempt() === undefined) refusals += 10;
        } catch {
          refusals++;
        }
      }
      Atomics.store(control, 1, refusals);
    });
    await assertRejects(() => task, TimeoutError);
    await assertRejects(() => lock.acquire(), LockAbandonedError);
    await assertRejects(() => semaphore.acquire(), LockAbandonedError);
    const guard = await lock.acquire();
    const permit = await semaphore.acquire();
    control[0] = 1;
    await until(() => control[1] !== 0, "the worker");
    assertEquals([lock.locked, semaphore.value], [true, 0]);
    guard.release();
    permit.release();
    assertEquals([lock.locked, semaphore.value], [false, 1]);
    // tryAcquire() finds the lock taken, which is no error.
    assertEquals(control[1], 14);
  },
);

testShared(
  "Locks of a worker that dies can be had again, be they many",
  async () => {
    const locks = Array.from({ length: 200 }, () => new Lock());
    await using pool = new WorkerPool({ nJobs: 1, sharedObjects: locks });
    const task = (locks: Lock[]) => {
      for (const lock of locks) lock.acquireSync();
      globalThis.process.exit(1);
    };
    await assertRejects(() => pool.apply(task), WorkerDiedError);
    for (const lock of locks) {
      await assertRejects(
        () => lock.acquire({ timeout: 10_000 }),
        LockAbandonedError,
      );
      (await lock.acquire()).release();
    }
  },
);

testShared(
  "A worker takes no more locks than its owner could find",
  async () => {
    const locks = Array.from({ length: 600 }, () => new Lock());
    await using pool = new WorkerPool({ nJobs: 1, sharedObjects: locks });
    const message = await pool.apply((locks) => {
      let taken = 0;
      try {
        for (const lock of locks) {
          lock.acquireSync();
          taken++;
        }
      } catch (error) {
        const refused = locks[taken]!.locked;
        for (const lock of locks.slice(0, taken)) lock.release();
        // There is room again.
        locks[taken]!.acquireSync().release();
        const { name, message } = error as Error;
        return `${taken} ${refused} ${name}: ${message}`;
      }
      return "all";
    });
    assertEquals(
      message,
      "512 false RangeError: Cannot use one more lock, semaphore or the like as " +
        "a worker may hold or wait for 512 at a time",
    );
    // Nobody has to find those of the program.
    for (const lock of locks) lock.acquireSync();
    for (const lock of locks) lock.release();
  },
);

test("Lock.acquire() is not reentrant", async () => {
  const lock = new Lock();
  lock.acquireSync();
  assertEquals(lock.tryAcquire(), undefined);
  assertThrows(() => lock.acquireSync({ timeout: 5 }), TimeoutError);
  const second = lock.acquire();
  lock.release();
  (await second).release();
});

test("RLock.acquire() may be called again by the thread that holds it", async () => {
  const lock = new RLock();
  const outer = await lock.acquire();
  const inner = lock.acquireSync();
  assert(lock.tryAcquire());
  lock.release();
  inner.release();
  assertEquals(lock.locked, true);
  outer.release();
  assertEquals(lock.locked, false);
});

testShared(
  "RLock.release() throws in a thread that does not hold it",
  async () => {
    const lock = new RLock();
    lock.acquireSync();
    lock.acquireSync();
    await using pool = new WorkerPool({ nJobs: 1, sharedObjects: lock });
    await assertRejects(
      () => pool.apply((lock) => lock.release()),
      Error,
      "Cannot release the reentrant lock",
    );
    lock.release();
    assertEquals(await pool.apply((lock) => lock.tryAcquire()), undefined);
    lock.release();
    assertEquals(
      await pool.apply((lock) => lock.tryAcquire() !== undefined),
      true,
    );
  },
);

test("Locks work with start method serial", async () => {
  const lock = new Lock();
  const pool = new WorkerPool({ startMethod: "serial", sharedObjects: lock });
  const seen = await pool.map((shared, x: number) => {
    using _guard = shared.acquireSync();
    return shared.locked ? x : 0;
  }, [1, 2, 3]);
  assertEquals(seen, [1, 2, 3]);
  await using _guard2 = pool;
  assertEquals(lock.locked, false);
});

// --- the program's end ---

for (const program of ["awaited", "unused", "timed-out", "aborted"]) {
  test(`A program ends when nobody waits for a lock, and not before: ${program}`, async () => {
    const { code, stdout, stderr, timedOut, ms } = await runProgram(programs, {
      args: [program, startMethod],
      timeout: 30_000,
    });
    assertEquals({ code, stdout, stderr, timedOut }, {
      code: 0,
      stdout: `${program}\n`,
      stderr: "",
      timedOut: false,
    });
    assert(ms < 15_000);
  });
}
