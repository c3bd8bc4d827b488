import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { PoolTerminatedError, sharedArray } from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { testShared } from "./support/shared.ts";
import { soon, startMethods } from "./support/waiting.ts";

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

// Calls in a loop share much: none may be taken for another.

for (const startMethod of startMethods) {
  test(`WorkerPool.apply() in a loop gives each call its own outcome [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    // Several bursts, and outcomes of all kinds.
    const task = (x: number) => {
      if (x % 7 === 3) throw new RangeError(`no ${x}`);
      return [x, undefined, `${x}`, null, { x }, NaN][x % 6];
    };
    const outcomes = await Promise.allSettled(
      range(700).map((x) => pool.apply(task, [x])),
    );
    for (const [x, outcome] of outcomes.entries()) {
      if (x % 7 === 3) {
        assert(outcome.status === "rejected");
        assert(outcome.reason instanceof RangeError);
        assertEquals(outcome.reason.message, `no ${x}`);
      } else {
        const value = [x, undefined, `${x}`, null, { x }, NaN][x % 6];
        assertEquals(outcome, { status: "fulfilled", value });
      }
    }
  });

  test(`WorkerPool.apply() in a loop passes arguments as they are [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const all: unknown[][] = range(40).flatMap((i) => [
      [],
      [i],
      [undefined],
      [[i]],
      [[]],
      [i, i],
      [[i], i],
      [new Float64Array(2).fill(i)],
      [{ i }],
    ]);
    const task = (...args: unknown[]) => args;
    assertEquals(
      await Promise.all(all.map((args) => pool.apply(task, args))),
      all,
    );
  });

  test(`WorkerPool.apply() in a loop tells functions and closures apart [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const results = await Promise.all(
      range(300).flatMap((x) => {
        const by = x % 3;
        const added = (y: number) => y + by;
        return [
          pool.apply((y: number) => y * 2, [x]),
          pool.apply(added, [x], { closure: { by } }),
          pool.apply((y: number) => y - 1, [x]),
          pool.apply((y: number) => y * 2, [x], { taskTimeout: 60_000 }),
        ];
      }),
    );
    assertEquals(
      results,
      range(300).flatMap((x) => [x * 2, x + x % 3, x - 1, x * 2]),
    );
  });

  test(`WorkerPool.apply() in a loop takes the settings of each call [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const task = (...args: number[]) => args;
    const results = range(40).map((x) => {
      if (x === 20) pool.setSharedObjects(100);
      return pool.apply(task, [x]);
    });
    assertEquals(
      await Promise.all(results),
      range(40).map((x) => x < 20 ? [x] : [100, x]),
    );
  });

  test(`WorkerPool.apply() in a loop settles without keepAlive [${startMethod}]`, async () => {
    const pool = new WorkerPool({
      nJobs: 2,
      startMethod,
      keepAlive: false,
      workerExit: () => "exited",
    });
    const results = range(50).map((x) => pool.apply((x: number) => -x, [x]));
    assertEquals(await Promise.all(results), range(50).map((x) => -x));
    assert(pool.getExitResults().length > 0);
  });

  test(`AsyncResult cancels one of many calls [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const calls = range(60).map((x) =>
      pool.applyAsync((x: number) => x + 1, [x])
    );
    const cancelled = calls.filter((_, x) => x % 5 === 4);
    for (const call of cancelled) {
      assert(call.cancel());
      assert(call.ready());
      assertEquals(call.successful(), false);
    }
    const outcomes = await Promise.allSettled(calls);
    for (const [x, outcome] of outcomes.entries()) {
      if (x % 5 === 4) {
        assert(outcome.status === "rejected");
        assertEquals(outcome.reason.name, "AbortError");
      } else assertEquals(outcome, { status: "fulfilled", value: x + 1 });
      assertEquals(calls[x]!.successful(), x % 5 !== 4);
    }
  });

  test(`WorkerPool.terminate() rejects all calls of a loop [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    await pool.apply((x: number) => x, [0]);
    const task = async (x: number) => {
      await new Promise((resolve) => setTimeout(resolve, 3_600_000));
      return x;
    };
    const outcomes = Promise.allSettled(
      range(300).map((x) => pool.apply(task, [x])),
    );
    await pool.terminate();
    for (const outcome of await outcomes) {
      assert(outcome.status === "rejected");
      assert(outcome.reason instanceof PoolTerminatedError);
    }
    assertEquals(await pool.apply((x: number) => x + 1, [1]), 2);
  });

  test(`WorkerPool.apply() in a loop tells where the call was made [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const task = (x: number) => {
      throw new Error(`no ${x}`);
    };
    async function callAndFail(x: number) {
      await pool.apply(task, [x]);
    }
    const outcomes = await Promise.allSettled(range(30).map(callAndFail));
    for (const outcome of outcomes) {
      assert(outcome.status === "rejected");
      const { stack } = outcome.reason as Error;
      assert(stack?.includes("callAndFail"), stack);
      assert(!/src.(?:pool|calls).ts/.test(stack!), stack);
    }
  });
}

testShared(
  "WorkerPool.apply() in a loop gives results while later tasks of it run",
  async () => {
    await using pool = new WorkerPool({ nJobs: 2 });
    // Quick ones first, so that many are sent together.
    for (let i = 0; i < 5; i++) {
      await Promise.all(
        range(500).map((x) => pool.apply((x: number) => x, [x])),
      );
    }
    const gate = sharedArray(Int32Array, 1);
    const task = (gate: Int32Array, x: number) => {
      // The last one ends when the program has got the others.
      while (x === 299 && Atomics.load(gate, 0) === 0) {
        Atomics.wait(gate, 0, 0, 2);
      }
      return x;
    };
    const results = range(300).map((x) => pool.apply(task, [gate, x]));
    const others = Promise.all(results.slice(0, -1));
    assertEquals(await soon(others, "the others"), range(299));
    Atomics.store(gate, 0, 1);
    assertEquals(await results[299], 299);
  },
);

test("WorkerPool.apply() in a loop keeps calls apart where chunks are parted and lost", async () => {
  await using pool = new WorkerPool({ nJobs: 3 });
  const task = (x: number, isHere: Int32Array) => {
    if (x === -1) {
      // Chunks are large only for quick tasks that all workers can take.
      Atomics.add(isHere, 0, 1);
      while (Atomics.load(isHere, 0) < 3) Atomics.wait(isHere, 0, 1, 1);
    } else if (x % 500 === 250) {
      globalThis.process.exit(3);
    } else if (x % 97 === 0) {
      const end = performance.now() + 4;
      while (performance.now() < end);
    }
    return x * 2;
  };
  const isHere = sharedArray(Int32Array, 1);
  await Promise.all(range(3).map(() => pool.apply(task, [-1, isHere])));
  await Promise.all(range(3000).map(() => pool.apply(task, [1, isHere])));
  const calls = range(3000).map((x) => pool.applyAsync(task, [x, isHere]));
  for (const [x, call] of calls.entries()) if (x % 11 === 5) call.cancel();
  const outcomes = await soon(Promise.allSettled(calls), "all calls");
  const expected = range(3000).map((x) =>
    x % 11 === 5 ? "AbortError" : x % 500 === 250 ? "WorkerDiedError" : x * 2
  );
  assertEquals(
    outcomes.map((outcome) =>
      outcome.status === "fulfilled" ? outcome.value : outcome.reason.name
    ),
    expected,
  );
});
