import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertNotStrictEquals,
} from "@std/assert";
import fc from "fast-check";
import { test } from "node:test";
import { describeTask } from "../src/insights/describe_task.ts";
import { GroupSize } from "../src/insights/group_size.ts";
import {
  InsightsBook,
  type WorkerPoolInsights,
} from "../src/insights/insights.ts";
import { formatInsights, formatTime } from "../src/insights/print.ts";
import { TopFive } from "../src/insights/top_five.ts";
import {
  type WorkerInsightsDelta,
  WorkerMeter,
} from "../src/insights/worker_meter.ts";

/** A clock that the test sets; counts how often it is looked at. */
class Clock {
  time = 100;
  looks = 0;
  readonly now = (): number => {
    this.looks++;
    return this.time;
  };
}

/** Runs tasks in order as a worker does: `durations` are theirs, in ms. */
function runTasks(
  meter: WorkerMeter,
  clock: Clock,
  durations: readonly number[],
  elements: readonly unknown[] = durations,
): void {
  let untilLook = meter.beginTasks(elements, 1);
  for (const [index, duration] of durations.entries()) {
    clock.time += duration;
    if (--untilLook === 0) untilLook = meter.look(index + 1, clock.now());
  }
  meter.endTasks(durations.length);
}

function take(meter: WorkerMeter): WorkerInsightsDelta {
  const delta = meter.take();
  assert(delta);
  return delta;
}

/** Compares times, as sums of binary fractions are not exact. */
function assertTimes(delta: WorkerInsightsDelta, expected: number[]): void {
  const [, init, waiting, working, exit] = delta;
  [init, waiting, working, exit].forEach((time, index) =>
    assertAlmostEquals(time, expected[index]!, 1e-9)
  );
}

const durationsOf = (min: number) =>
  fc.array(fc.double({ min, max: 50, noNaN: true }), { maxLength: 200 });

test("TopFive keeps the five longest, the longest first", () => {
  fc.assert(fc.property(durationsOf(0), (durations) => {
    const top = new TopFive<number>();
    durations.forEach((duration, index) => top.add(duration, index));
    const expected = durations
      .map((duration, index): [number, number] => [duration, index])
      .filter(([duration]) => duration > 0)
      .sort(([a, i], [b, j]) => b - a || i - j)
      .slice(0, 5);
    assertEquals(top.entries, expected);
    assertEquals(top.threshold, expected[4]?.[0] ?? 0);
  }));
});

test("TopFive ignores tasks without a duration", () => {
  const top = new TopFive<string>();
  for (const duration of [0, -1, NaN]) top.add(duration, "");
  assertEquals(top.entries, []);
});

test("GroupSize stays at one for tasks of 4 us and more", () => {
  const size = new GroupSize();
  for (let i = 0; i < 100; i++) {
    assertEquals(size.current, 1);
    size.next(1, 0.0041);
  }
});

test("GroupSize doubles up to 64 while tasks are quick", () => {
  const size = new GroupSize();
  const sizes = Array.from({ length: 8 }, () => {
    const count = size.current;
    size.next(count, count * 0.00002);
    return count;
  });
  assertEquals(sizes, [1, 2, 4, 8, 16, 32, 64, 64]);
});

test("GroupSize doubles when the clock saw no time pass", () => {
  const size = new GroupSize();
  size.next(1, 0);
  assertEquals(size.current, 2);
});

test("GroupSize shrinks to one at once, for as long as the slow task paid", () => {
  const size = new GroupSize();
  for (let i = 0; i < 10; i++) size.next(size.current, size.current * 2e-5);
  assertEquals(size.current, 64);
  size.next(64, 1);
  let singles = 0;
  for (; size.current === 1; singles++) size.next(1, 2e-5);
  // 1 ms pays for 250 looks.
  assert(singles >= 240 && singles <= 251, `${singles}`);
});

test("GroupSize.reset() starts from one", () => {
  const size = new GroupSize();
  size.next(1, 2e-5);
  size.reset();
  assertEquals(size.current, 1);
});

test("GroupSize allows one look per 4 us of work, or per 64 tasks", () => {
  const duration = fc.double({ min: 1e-6, max: 0.05, noNaN: true });
  fc.assert(fc.property(duration, (duration) => {
    const size = new GroupSize();
    let tasks = 0;
    let looks = 0;
    for (; tasks < 10_000; looks++) {
      const count = size.current;
      assert(Number.isInteger(count) && count >= 1 && count <= 64);
      size.next(count, count * duration);
      tasks += count;
    }
    // Until groups have doubled often enough, there are a few more.
    const allowed = Math.max(tasks * duration / 0.004, tasks / 64) + 8;
    assert(looks <= Math.min(allowed, tasks), `${looks} > ${allowed}`);
  }));
});

const descriptions: [element: unknown, text: string][] = [
  [19, "Arg 0: 19"],
  [[19, "z"], 'Arg 0: 19 | Arg 1: "z"'],
  [[[1, 2]], "Arg 0: [1, 2]"],
  [{ x: 1 }, "Arg 0: {x: 1}"],
  [[], ""],
  [undefined, "Arg 0: undefined"],
  [new Float64Array(3), "Arg 0: Float64Array(3)"],
];

for (const [element, text] of descriptions) {
  test(`describeTask() gives ${JSON.stringify(text)}`, () => {
    assertEquals(describeTask(element), text);
  });
}

test("describeTask() shortens long values and lists", () => {
  assert(describeTask("x".repeat(1e6)).length < 100);
  const text = describeTask(Array.from({ length: 1e5 }, (_, i) => i));
  assert(text.startsWith("Arg 0: 0 | Arg 1: 1 | "));
  assert(text.endsWith("Arg 9: 9 | …"));
});

test("WorkerMeter.take() gives undefined when nothing happened", () => {
  const meter = new WorkerMeter(new Clock().now);
  assertEquals(meter.take(), undefined);
  meter.addInit(1);
  assert(meter.take());
  assertEquals(meter.take(), undefined);
});

test("WorkerMeter measures slow tasks one by one", () => {
  const clock = new Clock();
  const meter = new WorkerMeter(clock.now);
  runTasks(meter, clock, [3, 1, 7, 2, 6, 5, 4]);
  const delta = take(meter);
  assertEquals(delta[0], 7);
  assertTimes(delta, [0, 0, 28, 0]);
  assertEquals(delta[5], [
    [7, "Arg 0: 7"],
    [6, "Arg 0: 6"],
    [5, "Arg 0: 5"],
    [4, "Arg 0: 4"],
    [3, "Arg 0: 3"],
  ]);
});

test("WorkerMeter counts all tasks and all their time", () => {
  fc.assert(
    fc.property(fc.array(durationsOf(0), { maxLength: 5 }), (chunks) => {
      const clock = new Clock();
      const meter = new WorkerMeter(clock.now);
      let nCompleted = 0;
      let working = 0;
      for (const chunk of chunks) {
        runTasks(meter, clock, chunk);
        const delta = meter.take();
        nCompleted += delta?.[0] ?? 0;
        working += delta?.[3] ?? 0;
      }
      assertEquals(nCompleted, chunks.flat().length);
      assertAlmostEquals(working, clock.time - 100, 1e-6);
    }),
  );
});

test("WorkerMeter tells the five longest of tasks of 4 us and more", () => {
  fc.assert(fc.property(durationsOf(0.005), (durations) => {
    const clock = new Clock();
    const meter = new WorkerMeter(clock.now);
    const half = Math.floor(durations.length / 2);
    const book = new InsightsBook(1);
    for (const chunk of [durations.slice(0, half), durations.slice(half)]) {
      runTasks(meter, clock, chunk);
      const delta = meter.take();
      if (delta) book.add(0, delta);
    }
    const expected = durations.toSorted((a, b) => b - a).slice(0, 5);
    const found = book.snapshot().top5MaxTaskDurations;
    assertEquals(found.length, expected.length);
    found.forEach((time, i) => assertAlmostEquals(time, expected[i]!, 1e-9));
  }));
});

test("WorkerMeter seldom looks at the clock for tiny tasks", () => {
  const clock = new Clock();
  const meter = new WorkerMeter(clock.now);
  runTasks(meter, clock, new Array(100_000).fill(2 ** -16));
  assert(clock.looks < 1_600, `${clock.looks}`);
  assertEquals(take(meter)[0], 100_000);
});

test("WorkerMeter gives each task of a group the mean", () => {
  const clock = new Clock();
  const meter = new WorkerMeter(clock.now);
  const tiny = 2 ** -16;
  // Groups of 1, 2 and 4; the last one is cut short.
  runTasks(meter, clock, [tiny, tiny, 3 * tiny, tiny, tiny, 4 * tiny]);
  assertEquals(
    take(meter)[5].map(([duration]) => duration / tiny),
    [2, 2, 2, 2, 2],
  );
});

test("WorkerMeter looks at another function's tasks from the first one on", () => {
  const clock = new Clock();
  const meter = new WorkerMeter(clock.now);
  runTasks(meter, clock, new Array(1000).fill(2 ** -16));
  assertEquals(meter.beginTasks([], 1), 64);
  assertEquals(meter.beginTasks([], 2), 1);
});

test("WorkerMeter tells a long task once, and again after a restart", () => {
  const clock = new Clock();
  const meter = new WorkerMeter(clock.now);
  runTasks(meter, clock, [9]);
  assertEquals(take(meter)[5].length, 1);
  runTasks(meter, clock, [8]);
  assertEquals(take(meter)[5], [[8, "Arg 0: 8"]]);
  const next = new WorkerMeter(clock.now);
  runTasks(next, clock, [8]);
  assertEquals(take(next)[5], [[8, "Arg 0: 8"]]);
});

test("WorkerMeter describes only tasks that are among the longest", () => {
  const clock = new Clock();
  const meter = new WorkerMeter(clock.now);
  let described = 0;
  const elements = Array.from({ length: 100 }, () => ({
    get x() {
      return described++;
    },
  }));
  runTasks(meter, clock, elements.map((_, i) => i + 1), elements);
  take(meter);
  assertEquals(described, 5);
});

test("WorkerMeter.addFailure() makes a task count as not completed", () => {
  const clock = new Clock();
  const meter = new WorkerMeter(clock.now);
  meter.beginTasks([1, 2], 1);
  clock.time += 5;
  meter.addFailure();
  meter.look(1, clock.now());
  clock.time += 5;
  meter.endTasks(2);
  const delta = take(meter);
  assertEquals(delta[0], 1);
  assertTimes(delta, [0, 0, 10, 0]);
});

test("WorkerMeter.pauseTasks() leaves out time until resumeTasks()", () => {
  const clock = new Clock();
  const meter = new WorkerMeter(clock.now);
  meter.beginTasks(["a", "b"], 1);
  clock.time += 5;
  meter.pauseTasks(1);
  clock.time += 100;
  meter.resumeTasks();
  clock.time += 3;
  meter.endTasks(2);
  const delta = take(meter);
  assertTimes(delta, [0, 0, 8, 0]);
  assertEquals(delta[5], [[5, 'Arg 0: "a"'], [3, 'Arg 0: "b"']]);
});

test("WorkerMeter measures waiting, init and exit", () => {
  const clock = new Clock();
  const meter = new WorkerMeter(clock.now);
  meter.endWaiting();
  meter.beginWaiting();
  clock.time += 4;
  assertTimes(take(meter), [0, 4, 0, 0]);
  clock.time += 2;
  meter.endWaiting();
  clock.time += 1;
  meter.addInit(1);
  runTasks(meter, clock, [10]);
  assertTimes(take(meter), [1, 2, 10, 0]);
  meter.beginWaiting();
  clock.time += 3;
  meter.endWaiting();
  meter.endWaiting();
  meter.addExit(8);
  assertTimes(take(meter), [0, 3, 0, 8]);
});

test("WorkerMeter counts time once where tasks run side by side", () => {
  const clock = new Clock();
  const meter = new WorkerMeter(clock.now);
  meter.beginWaiting();
  clock.time += 1;
  meter.endWaiting();
  const first = meter.enterTask();
  clock.time += 2;
  const second = meter.enterTask();
  clock.time += 2;
  meter.leaveTask("first", first);
  // No more chunks, but a task still runs.
  meter.beginWaiting();
  clock.time += 2;
  const early = take(meter);
  assertEquals(early[0], 1);
  assertTimes(early, [0, 1, 6, 0]);
  assertEquals(early[5], [[4, 'Arg 0: "first"']]);
  clock.time += 2;
  meter.leaveTask("second", second);
  clock.time += 5;
  meter.endWaiting();
  const late = take(meter);
  assertEquals(late[0], 1);
  assertTimes(late, [0, 5, 2, 0]);
  assertEquals(late[5], [[6, 'Arg 0: "second"']]);
});

test("WorkerMeter.take() gives data that can be cloned", () => {
  const clock = new Clock();
  const meter = new WorkerMeter(clock.now);
  runTasks(meter, clock, [1], [() => 1]);
  const delta = take(meter);
  assertEquals(structuredClone(delta), delta);
});

test("WorkerMeter measures with the real clock", () => {
  const meter = new WorkerMeter();
  meter.beginTasks([1], 1);
  const end = performance.now() + 5;
  while (performance.now() < end);
  meter.endTasks(1);
  const [nCompleted, , , working] = take(meter);
  assertEquals(nCompleted, 1);
  assert(working >= 5, `${working}`);
});

test("InsightsBook.snapshot() is all zero at first", () => {
  const { top5MaxTaskArgs, top5MaxTaskDurations, ...rest } = new InsightsBook(3)
    .snapshot();
  assertEquals([...top5MaxTaskArgs, ...top5MaxTaskDurations], []);
  for (const [name, value] of Object.entries(rest)) {
    assertEquals(value, Array.isArray(value) ? [0, 0, 0] : 0, name);
  }
});

/** Two workers with round figures. */
function filledBook(): InsightsBook {
  const book = new InsightsBook(2);
  book.startUp(0, 10);
  book.startUp(1, 30);
  book.add(0, [3, 5, 0, 400, 0, [[19, 'Arg 0: 19 | Arg 1: "z"']]]);
  book.add(1, [1, 5, 100, 340, 0, [[300, "Arg 0: 1"], [17, ""]]]);
  book.add(0, [2, 0, 10, 60, 40, [[20, "Arg 0: 20"]]]);
  return book;
}

const filled: WorkerPoolInsights = {
  nCompletedTasks: [5, 1],
  startUpTime: [10, 30],
  initTime: [5, 5],
  waitingTime: [10, 100],
  workingTime: [460, 340],
  exitTime: [40, 0],
  totalStartUpTime: 40,
  totalInitTime: 10,
  totalWaitingTime: 110,
  totalWorkingTime: 800,
  totalExitTime: 40,
  totalTime: 1000,
  startUpTimeMean: 20,
  startUpTimeStd: 10,
  initTimeMean: 5,
  initTimeStd: 0,
  waitingTimeMean: 55,
  waitingTimeStd: 45,
  workingTimeMean: 400,
  workingTimeStd: 60,
  exitTimeMean: 20,
  exitTimeStd: 20,
  startUpRatio: 40 / (1000 + 1e-8),
  initRatio: 10 / (1000 + 1e-8),
  waitingRatio: 110 / (1000 + 1e-8),
  workingRatio: 800 / (1000 + 1e-8),
  exitRatio: 40 / (1000 + 1e-8),
  top5MaxTaskDurations: [300, 20, 19, 17],
  top5MaxTaskArgs: ["Arg 0: 1", "Arg 0: 20", 'Arg 0: 19 | Arg 1: "z"', ""],
};

test("InsightsBook.snapshot() sums up what workers told", () => {
  assertEquals(filledBook().snapshot(), filled);
});

test("InsightsBook.snapshot() gives copies", () => {
  const book = filledBook();
  const first = book.snapshot();
  first.nCompletedTasks[0] = 99;
  first.top5MaxTaskArgs.pop();
  assertNotStrictEquals(book.snapshot(), first);
  assertEquals(book.snapshot(), filled);
});

test("InsightsBook.startUp() replaces the time of the worker before", () => {
  const book = filledBook();
  book.startUp(0, 50);
  assertEquals(book.snapshot().startUpTime, [50, 30]);
  assertEquals(book.snapshot().totalStartUpTime, 80);
});

test("InsightsBook.reset() forgets everything", () => {
  const book = filledBook();
  book.reset();
  assertEquals(book.snapshot(), new InsightsBook(2).snapshot());
});

test("InsightsBook accumulates as MPIRE does over kept workers", () => {
  const book = new InsightsBook(2);
  for (const expected of [[5, 5], [10, 10], [15, 15]]) {
    for (const id of [0, 1]) book.add(id, [5, 0, 0, 1, 0, []]);
    assertEquals(book.snapshot().nCompletedTasks, expected);
  }
});

test("InsightsBook.snapshot() has ratios that add up to one", () => {
  const time = fc.double({ min: 0, max: 1e6, noNaN: true });
  const delta = fc.tuple(fc.nat(), time, time, time, time);
  const deltas = fc.array(delta, { minLength: 1, maxLength: 8 });
  fc.assert(fc.property(deltas, (all) => {
    const book = new InsightsBook(all.length);
    all.forEach((parts, id) => book.add(id, [...parts, []]));
    const x = book.snapshot();
    const sum = x.startUpRatio + x.initRatio + x.waitingRatio +
      x.workingRatio + x.exitRatio;
    assertAlmostEquals(sum, x.totalTime / (x.totalTime + 1e-8), 1e-9);
    assertAlmostEquals(
      x.workingTimeMean * all.length,
      x.totalWorkingTime,
      1e-6 * (1 + x.totalWorkingTime),
    );
    assert(x.workingTimeStd >= 0);
  }));
});

const times: [ms: number, text: string][] = [
  [0, "0:00:00"],
  [1337, "0:00:01.337"],
  [2900, "0:00:02.900"],
  [123456789.01234, "1 day, 10:17:36.789"],
  [0.1, "0:00:00.000"],
  [0.0001, "0:00:00"],
  [1, "0:00:00.001"],
  [1.9999, "0:00:00.002"],
  [1.999, "0:00:00.001"],
  [59_999, "0:00:59.999"],
  [59_999.9999, "0:01:00"],
  [60_000, "0:01:00"],
  [3_600_000, "1:00:00"],
  [86_399_000, "23:59:59"],
  [86_400_000, "1 day, 0:00:00"],
  [10 * 86_400_000 + 2_500, "10 days, 0:00:02.500"],
];

for (const [ms, text] of times) {
  test(`formatTime() gives ${text} for ${ms} ms`, () => {
    assertEquals(formatTime(ms), text);
  });
}

test("formatTime() loses less than a millisecond", () => {
  const pattern = /^(?:(\d+) days?, )?(\d+):(\d\d):(\d\d)(?:\.(\d{3}))?$/;
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e11, noNaN: true }), (ms) => {
      const parts = pattern.exec(formatTime(ms))!.slice(1).map((part) =>
        Number(part ?? 0)
      );
      const [days, hours, minutes, seconds, millis] = parts;
      const read = ((days! * 24 + hours!) * 60 + minutes!) * 60_000 +
        seconds! * 1000 + millis!;
      assert(ms - read > -0.001 && ms - read < 1, `${ms}: ${read}`);
    }),
  );
});

test("formatInsights() prints MPIRE's report", () => {
  assertEquals(
    formatInsights(filled),
    `WorkerPool insights
-------------------
Total number of tasks completed: 6
Total start up time: 0:00:00.040s (mean: 0:00:00.020, std: 0:00:00.010, ratio: 4.00%)
Total init time: 0:00:00.010s (mean: 0:00:00.005, std: 0:00:00, ratio: 1.00%)
Total waiting time: 0:00:00.110s (mean: 0:00:00.055, std: 0:00:00.045, ratio: 11.00%)
Total working time: 0:00:00.800s (mean: 0:00:00.400, std: 0:00:00.060, ratio: 80.00%)
Total exit time: 0:00:00.040s (mean: 0:00:00.020, std: 0:00:00.020, ratio: 4.00%)

Efficiency warning: working ratio is < 80%!

Stats per worker
----------------
Worker 0 - Tasks completed: 5 - start up: 0:00:00.010s - init: 0:00:00.005s - waiting: 0:00:00.010s - working: 0:00:00.460s - exit: 0:00:00.040s
Worker 1 - Tasks completed: 1 - start up: 0:00:00.030s - init: 0:00:00.005s - waiting: 0:00:00.100s - working: 0:00:00.340s - exit: 0:00:00s

Top 5 longest tasks
-------------------
1. Time: 0:00:00.300 - Arg 0: 1
2. Time: 0:00:00.020 - Arg 0: 20
3. Time: 0:00:00.019 - Arg 0: 19 | Arg 1: "z"
4. Time: 0:00:00.017`,
  );
});

test("formatInsights() warns only of a working ratio below 0.8", () => {
  const warns = (workingRatio: number) =>
    formatInsights({ ...filled, workingRatio }).includes("Efficiency warning");
  assertEquals([0.79999, 0.8, 1].map(warns), [true, false, false]);
});

test("formatInsights() leaves out the longest tasks when there are none", () => {
  const text = formatInsights(new InsightsBook(1).snapshot());
  assertEquals(text.includes("Top 5"), false);
  assert(text.includes("Worker 0 - Tasks completed: 0 - start up: 0:00:00s"));
});

test("formatInsights() says so when there are no insights", () => {
  assertEquals(
    formatInsights({}),
    "No profiling stats available. " +
      "Try to run a function first with insights enabled ...",
  );
});
