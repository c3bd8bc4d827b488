import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertNotStrictEquals,
} from "@std/assert";
import { test } from "node:test";
import { WorkerPool } from "./support/pool.ts";
import { inTime, until, upTo } from "./fixtures/life/wait.ts";

const FIELDS = [
  "exitRatio",
  "exitTime",
  "exitTimeMean",
  "exitTimeStd",
  "initRatio",
  "initTime",
  "initTimeMean",
  "initTimeStd",
  "nCompletedTasks",
  "startUpRatio",
  "startUpTime",
  "startUpTimeMean",
  "startUpTimeStd",
  "top5MaxTaskArgs",
  "top5MaxTaskDurations",
  "totalExitTime",
  "totalInitTime",
  "totalStartUpTime",
  "totalTime",
  "totalWaitingTime",
  "totalWorkingTime",
  "waitingRatio",
  "waitingTime",
  "waitingTimeMean",
  "waitingTimeStd",
  "workingRatio",
  "workingTime",
  "workingTimeMean",
  "workingTimeStd",
];

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, x) => total + x, 0);
}

/** Blocks for so many ms. */
function spin(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

function insightsOf(pool: { getInsights(): unknown }) {
  type Insights = ReturnType<WorkerPool["getInsights"]>;
  const insights = pool.getInsights() as Insights;
  assert(insights.nCompletedTasks !== undefined, "there are no insights");
  return insights;
}

/** What console.log() gets meanwhile. */
function printedBy(print: () => void): string {
  const lines: string[] = [];
  const { log } = console;
  console.log = (...args) => void lines.push(args.join(" "));
  try {
    print();
  } finally {
    console.log = log;
  }
  return lines.join("\n");
}

for (const startMethod of ["threading", "serial"] as const) {
  test(`WorkerPool.getInsights() tells where the time went when startMethod is ${startMethod}`, async () => {
    const pool = new WorkerPool({
      nJobs: 2,
      startMethod,
      enableInsights: true,
      orderTasks: true,
      workerInit: () => new Promise((resolve) => setTimeout(resolve, 20)),
      workerExit: () => new Promise((resolve) => setTimeout(resolve, 30)),
    });
    const nJobs = startMethod === "serial" ? 1 : 2;
    await pool.map(spin, [5, 5, 5, 5, 40, 5, 5, 5, 5, 5], { chunkSize: 1 });
    await pool.join();
    const insights = insightsOf(pool);
    assertEquals(Object.keys(insights).sort(), FIELDS);
    assertEquals(insights.nCompletedTasks, nJobs === 1 ? [10] : [5, 5]);
    // A timer may fire a little early.
    for (const time of insights.initTime) assert(time > 18, `init: ${time}`);
    for (const time of insights.exitTime) assert(time > 28, `exit: ${time}`);
    assert(insights.totalWorkingTime >= 84, `${insights.totalWorkingTime}`);
    for (const name of ["startUp", "init", "waiting", "working", "exit"]) {
      const figures = insights as unknown as Record<string, number[] & number>;
      const times: number[] = figures[`${name}Time`]!;
      assertEquals(times.length, nJobs);
      assert(times.every((time) => time >= 0), `${name}: ${times}`);
      const Name = name[0]!.toUpperCase() + name.slice(1);
      const total = sum(times);
      assertAlmostEquals(figures[`total${Name}Time`]!, total, 1e-6);
      const mean = total / nJobs;
      assertAlmostEquals(figures[`${name}TimeMean`]!, mean, 1e-6);
      const variance = sum(times.map((time) => (time - mean) ** 2)) / nJobs;
      assertAlmostEquals(figures[`${name}TimeStd`]!, Math.sqrt(variance), 1e-6);
      assertAlmostEquals(
        figures[`${name}Ratio`]!,
        total / insights.totalTime,
        1e-6,
      );
    }
    assertAlmostEquals(
      insights.startUpRatio + insights.initRatio + insights.waitingRatio +
        insights.workingRatio + insights.exitRatio,
      1,
      1e-6,
    );
    const { top5MaxTaskArgs, top5MaxTaskDurations } = insights;
    assertEquals([top5MaxTaskArgs.length, top5MaxTaskDurations.length], [5, 5]);
    assert(top5MaxTaskDurations[0]! >= 40);
    assert(top5MaxTaskArgs.includes("Arg 0: 40"), `${top5MaxTaskArgs}`);
    assertEquals(
      top5MaxTaskDurations,
      top5MaxTaskDurations.toSorted((a, b) => b - a),
    );
  });
}

test("WorkerPool.getInsights() gives {} when insights are off", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  assertEquals(pool.getInsights(), {});
  await pool.map((x: number) => x, [1, 2]);
  assertEquals(pool.getInsights(), {});
});

test("WorkerPool.getInsights() gives {} before workers have started", async () => {
  await using pool = new WorkerPool({ nJobs: 2, enableInsights: true });
  assertEquals(pool.getInsights(), {});
  assertEquals(await pool.map((x: number) => x, []), []);
  assertEquals(pool.getInsights(), {});
  await pool.start();
  const insights = insightsOf(pool);
  assertEquals(insights.nCompletedTasks, [0, 0]);
  for (const time of insights.startUpTime) assert(time > 0);
  assertEquals(insights.top5MaxTaskArgs, []);
});

test("WorkerPool.getInsights() adds up over calls, and starts anew after join()", async () => {
  const pool = new WorkerPool({
    nJobs: 2,
    enableInsights: true,
    orderTasks: true,
  });
  const task = (x: number) => x;
  for (let call = 1; call <= 3; call++) {
    await pool.map(task, upTo(10), { chunkSize: 1 });
    assertEquals(insightsOf(pool).nCompletedTasks, [5 * call, 5 * call]);
  }
  await pool.apply(task, [1]);
  assertEquals(sum(insightsOf(pool).nCompletedTasks), 31);
  await pool.join();
  // They stay until workers start again.
  assertEquals(sum(insightsOf(pool).nCompletedTasks), 31);
  await pool.map(task, upTo(4), { chunkSize: 1 });
  assertEquals(insightsOf(pool).nCompletedTasks, [2, 2]);
  await pool.join();
});

test("WorkerPool.getInsights() adds up over workers that are replaced", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    enableInsights: true,
    workerLifespan: 2,
    workerExit: () => new Promise((resolve) => setTimeout(resolve, 10)),
  });
  await pool.map((x: number) => x, upTo(6), { chunkSize: 1 });
  await pool.join();
  const insights = insightsOf(pool);
  assertEquals(insights.nCompletedTasks, [6]);
  assert(insights.totalExitTime >= 27, `${insights.totalExitTime}`);
});

test("WorkerPool.getInsights() can be called while imap() runs", async () => {
  await using pool = new WorkerPool({ nJobs: 1, enableInsights: true });
  const counts: number[] = [];
  for await (const _ of pool.imap(spin, [2, 2, 2, 2], { chunkSize: 1 })) {
    counts.push(insightsOf(pool).nCompletedTasks[0]!);
  }
  for (const [i, count] of counts.entries()) {
    assert(count > i && count <= 4, `after ${i + 1} results: ${count}`);
  }
});

test("WorkerPool.getInsights() does not count tasks that failed", async () => {
  await using pool = new WorkerPool({ nJobs: 2, enableInsights: true });
  const task = (x: number) => {
    if (x % 3 === 0) throw new Error("three");
    return x;
  };
  await pool.map(task, upTo(30), { onError: "settle" });
  assertEquals(sum(insightsOf(pool).nCompletedTasks), 20);
  await pool.apply(task, [0]).catch(() => {});
  await pool.apply(task, [1]);
  assertEquals(sum(insightsOf(pool).nCompletedTasks), 21);
});

test("WorkerPool.getInsights() has tasks whose results cannot be sent", async () => {
  await using pool = new WorkerPool({ nJobs: 1, enableInsights: true });
  const task = (ms: number) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
    return () => ms;
  };
  await pool.map(task, [2, 3], { chunkSize: 2, onError: "settle" });
  const insights = insightsOf(pool);
  assert(insights.workingTime[0]! >= 5, `${insights.workingTime}`);
  assertEquals(insights.top5MaxTaskArgs.toSorted(), ["Arg 0: 2", "Arg 0: 3"]);
});

test("WorkerPool.getInsights() counts tasks that run side by side", async () => {
  await using pool = new WorkerPool({ nJobs: 1, enableInsights: true });
  await pool.map(
    (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
    new Array<number>(20).fill(20),
    { concurrency: 20 },
  );
  const insights = insightsOf(pool);
  assertEquals(insights.nCompletedTasks, [20]);
  assertEquals(insights.top5MaxTaskArgs, new Array(5).fill("Arg 0: 20"));
  // Time counts once: not 20 times 20 ms, were they to run one by one.
  assert(insights.workingTime[0]! >= 18);
  assert(sum(insights.top5MaxTaskDurations) > insights.workingTime[0]!);
});

test("WorkerPool.getInsights() has the arguments of tasks that run side by side, not their results", async () => {
  await using pool = new WorkerPool({ nJobs: 1, enableInsights: true });
  const task = async (ms: number) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return -1;
  };
  // So many that numbers travel in a buffer, where results could be put.
  const waits = upTo(100).map((i) => i < 5 ? 60 - 10 * i : 1);
  await pool.map(task, waits, { concurrency: 10, chunkSize: 100 });
  assertEquals(
    insightsOf(pool).top5MaxTaskArgs,
    ["Arg 0: 60", "Arg 0: 50", "Arg 0: 40", "Arg 0: 30", "Arg 0: 20"],
  );
});

test("WorkerPool.getInsights() has arguments only, no worker ID, shared objects or state", async () => {
  await using pool = new WorkerPool({
    nJobs: 1,
    enableInsights: true,
    passWorkerId: true,
    useWorkerState: true,
    sharedObjects: "shared",
  });
  await pool.map((_id, _shared, _state, ms: number, _name: string) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
  }, [[3, "z"]]);
  assertEquals(insightsOf(pool).top5MaxTaskArgs, ['Arg 0: 3 | Arg 1: "z"']);
});

test("WorkerPool.getInsights() gives copies", async () => {
  await using pool = new WorkerPool({ nJobs: 1, enableInsights: true });
  await pool.apply((x: number) => x, [1]);
  const insights = insightsOf(pool);
  insights.nCompletedTasks[0] = 1000;
  assertNotStrictEquals(insightsOf(pool), insights);
  assertEquals(insightsOf(pool).nCompletedTasks, [1]);
});

test("WorkerPool.getInsights() has all of 100,000 tiny tasks", async () => {
  await using pool = new WorkerPool({ nJobs: 2, enableInsights: true });
  await inTime(pool.map((x: number) => x, upTo(100_000)));
  assertEquals(sum(insightsOf(pool).nCompletedTasks), 100_000);
});

test("WorkerPool.printInsights() prints MPIRE's report", async () => {
  await using pool = new WorkerPool({ nJobs: 2, enableInsights: true });
  assertMatch(printedBy(() => pool.printInsights()), /^No profiling stats/);
  await pool.map(spin, [1, 1, 1, 300], { chunkSize: 1 });
  const text = printedBy(() => pool.printInsights());
  const time = "\\d:\\d\\d:\\d\\d(\\.\\d{3})?";
  const totals = ["start up", "init", "waiting", "working", "exit"].map((
    part,
  ) =>
    `Total ${part} time: ${time}s ` +
    `\\(mean: ${time}, std: ${time}, ratio: \\d+\\.\\d\\d%\\)\\n`
  );
  assertMatch(
    text,
    new RegExp(
      `^WorkerPool insights\n-+\nTotal number of tasks completed: 4\n` +
        totals.join(""),
    ),
  );
  for (const id of [0, 1]) {
    assertMatch(
      text,
      new RegExp(
        `\nWorker ${id} - Tasks completed: \\d - start up: ${time}s - ` +
          `init: ${time}s - waiting: ${time}s - working: ${time}s - ` +
          `exit: ${time}s`,
      ),
    );
  }
  assertMatch(
    text,
    /\nTop 5 longest tasks\n-+\n1\. Time: 0:00:00\.\d+ - Arg 0: 300\n/,
  );
});

test("WorkerPool.printInsights() says so when insights are off", () => {
  const pool = new WorkerPool({ nJobs: 1 });
  assertMatch(
    printedBy(() => pool.printInsights()),
    /^No profiling stats available/,
  );
});

for (const pauses of [true, false]) {
  const when = pauses ? "when calls pause" : "while calls follow each other";
  test(`WorkerPool starts workers that no call needs, too, ${when}`, async () => {
    await using pool = new WorkerPool({ nJobs: 3, enableInsights: true });
    const isStarted = () =>
      insightsOf(pool).startUpTime.every((time) => time > 0);
    const deadline = performance.now() + 20_000;
    let calls = 0;
    do {
      await pool.apply((x: number) => x, [calls]);
      assert(performance.now() < deadline);
    } while (++calls < 50 || (!pauses && !isStarted()));
    await until(isStarted, "all workers have started");
  });
}
