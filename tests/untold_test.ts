// Quick tasks of apply() are told of together; what becomes of the results of
// those that ran before one that is slow, or ends its worker.
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { test } from "node:test";
import {
  sharedArray,
  TimeoutError,
  WorkerDiedError,
  WorkerPool,
} from "../mod.ts";

import {
  begin,
  beginTask,
  createControl,
  endTasks,
  offer,
} from "../src/wire/control.ts";
import { UntoldResults } from "../src/wire/untold.ts";

const COUNT = 2000;
const numbers = Array.from({ length: COUNT }, (_, i) => i);

/** Lets the pool learn that such tasks are quick, so that many go together. */
async function warmUp(
  pool: WorkerPool,
  task: (x: number, runs: Int32Array) => unknown,
): Promise<void> {
  const runs = sharedArray(Int32Array, COUNT);
  for (let i = 0; i < 3; i++) {
    await Promise.all(numbers.map((x) => pool.apply(task, [x, runs])));
  }
}

test("WorkerPool.apply() gives results that do not wait for a slow task after them", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const task = (x: number, runs: Int32Array) => {
    runs[x]!++;
    const end = performance.now() + (x === -1 ? 3000 : 0);
    while (performance.now() < end);
    return x;
  };
  await warmUp(pool, task);
  const runs = sharedArray(Int32Array, COUNT);
  const start = performance.now();
  let settled = 0;
  const slow = numbers.length / 2;
  const before = numbers.slice(0, slow).map((x) =>
    pool.apply(task, [x, runs]).then(() => settled++)
  );
  const last = pool.apply(task, [-1, runs]);
  const after = numbers.slice(slow).map((x) => pool.apply(task, [x, runs]));
  await Promise.all(before);
  assert(performance.now() - start < 2500, "held back by the slow task");
  assertEquals(settled, slow);
  assertEquals(await last, -1);
  await Promise.all(after);
  assert(runs.every((n) => n === 1), "each task runs once");
});

for (
  const [way, timeout] of [["exits", undefined], ["hangs", 300]] as const
) {
  test(`WorkerPool.apply() loses only the task whose worker ${way}`, async () => {
    await using pool = new WorkerPool({ nJobs: 2 });
    const task = (x: number, runs: Int32Array) => {
      runs[x]!++;
      if (x === 777 && runs.length === 1999) {
        const end = performance.now() + 4000;
        while (performance.now() < end);
      } else if (x === 777 && runs.length === 1998) {
        globalThis.process.exit(3);
      }
      return x % 100 === 50 ? { x } : x % 2 === 0 ? x : undefined;
    };
    await warmUp(pool, task);
    const runs = sharedArray(Int32Array, timeout ? 1999 : 1998);
    const inputs = numbers.slice(0, 1900);
    const outcomes = await Promise.allSettled(
      inputs.map((x) =>
        pool.apply(task, [x, runs], { taskTimeout: timeout ?? 60_000 })
      ),
    );
    const failed = outcomes.flatMap((outcome, x) =>
      outcome.status === "rejected" ? [[x, outcome.reason]] : []
    );
    assertEquals(failed.map(([x]) => x), [777]);
    assertInstanceOf(failed[0]![1], timeout ? TimeoutError : WorkerDiedError);
    assertEquals(
      outcomes.flatMap((o) => o.status === "fulfilled" ? [o.value] : []),
      inputs.filter((x) => x !== 777).map((x) =>
        x % 100 === 50 ? { x } : x % 2 === 0 ? x : undefined
      ),
    );
    assert(
      runs.subarray(0, 1900).every((n) => n === 1),
      "each task runs once",
    );
  });
}

test("WorkerPool.apply() gives results of quick asynchronous tasks while one waits", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const task = async (x: number, _runs: Int32Array) => {
    if (x === -1) await new Promise((resolve) => setTimeout(resolve, 3000));
    return await Promise.resolve(x);
  };
  await warmUp(pool, task);
  const runs = sharedArray(Int32Array, 1);
  const start = performance.now();
  const quick = numbers.map((x) => pool.apply(task, [x, runs]));
  const slow = pool.apply(task, [-1, runs]);
  assertEquals(await Promise.all(quick), numbers);
  assert(performance.now() - start < 2500, "held back by the slow task");
  assertEquals(await slow, -1);
});

test("UntoldResults.fetch() gives what has ended and not been told", () => {
  const control = createControl();
  const worker = new UntoldResults(control);
  const owner = new UntoldResults(control);
  const values = [1.5, NaN, undefined, null, true, false, -0, Infinity];
  offer(control, 1);
  begin(control, 1);
  worker.setTold(0);
  values.forEach((value, i) => {
    assert(beginTask(control, 1, i));
    assert(worker.put(i, value));
  });
  assertEquals(owner.fetch(1)?.results, values.slice(0, -1));
  assert(beginTask(control, 1, values.length));
  assertEquals(owner.fetch(1), { first: 0, results: values });
  worker.setTold(3);
  assertEquals(owner.fetch(1), { first: 3, results: values.slice(3) });
  assertEquals(worker.put(8, "text"), false);
  assertEquals(worker.put(8, {}), false);
  endTasks(control, 1);
  assertEquals(owner.fetch(1), undefined);
});
