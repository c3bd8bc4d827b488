import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertNotStrictEquals,
} from "@std/assert";
import fc from "fast-check";
import { test } from "node:test";
import {
  COMPLETED,
  type Counters,
  createCounters,
  EXIT,
  INIT,
  WAITING,
  WORKING,
} from "../src/insights/counters.ts";
import { describeTask } from "../src/insights/describe_task.ts";
import { GroupSize } from "../src/insights/group_size.ts";
import {
  InsightsBook,
  type WorkerPoolInsights,
} from "../src/insights/insights.ts";
import { formatInsights, formatTime } from "../src/insights/print.ts";
import { TopFive } from "../src/insights/top_five.ts";
import { WorkerMeter } from "../src/insights/worker_meter.ts";

/** A clock that the test sets; counts how often it is looked at. */
class Clock {
  time = 100;
  looks = 0;
  readonly now = (): number => {
    this.looks++;
    return this.time;
  };
}

/** A meter on such a clock, and what it counts. */
function createMeter() {
  const clock = new Clock();
  const counters = createCounters();
  return { clock, counters, meter: new WorkerMeter(counters, clock.now) };
}

/** Runs tasks in order as a worker does: `durations` are theirs, in ms. */
function runTasks(
  meter: WorkerMeter,
  clock: Clock,
  durations: readonly number[],
  elements: readonly unknown[] = durations,
): void {
  let untilLook = meter.beginTasks(elements, 1, clock.now());
  for (const [index, duration] of durations.entries()) {
    clock.time += duration;
    if (--untilLook === 0) untilLook = meter.look(index + 1, clock.now());
  }
  meter.endTasks(durations.length);
}

/** Compares times, as sums of binary fractions are not exact. */
function assertTimes(counters: Counters, expected: number[]): void {
  [INIT, WAITING, WORKING, EXIT].forEach((word, index) =>
    assertAlmostEquals(counters[word]!, expected[index]!, 1e-9)
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

test("GroupSize stays at one for tasks of 20 us and more", () => {
  const size = new GroupSize();
  for (let i = 0; i < 100; i++) {
    assertEquals(size.current, 1);
    size.next(1, 0.0201);
  }
});

test("GroupSize doubles up to 1024 while tasks are quick", () => {
  const size = new GroupSize();
  const sizes = Array.from({ length: 12 }, () => {
    const count = size.current;
    size.next(count, count * 0.00001);
    return count;
  });
  assertEquals(sizes, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024]);
});

test("GroupSize doubles when the clock saw no time pass", () => {
  const size = new GroupSize();
  size.next(1, 0);
  assertEquals(size.current, 2);
});

test("GroupSize shrinks to one at once, for as long as the slow task paid", () => {
  const size = new GroupSize();
  for (let i = 0; i < 12; i++) size.next(size.current, size.current * 1e-5);
  assertEquals(size.current, 1024);
  size.next(1024, 1);
  let singles = 0;
  for (; size.current === 1; singles++) size.next(1, 2e-5);
  // 1 ms pays for 25 looks.
  assert(singles >= 23 && singles <= 26, `${singles}`);
});

test("GroupSize.reset() starts from one", () => {
  const size = new GroupSize();
  size.next(1, 2e-5);
  size.reset();
  assertEquals(size.current, 1);
});

test("GroupSize allows one look per 20 us of work, or per 1024 tasks", () => {
  const duration = fc.double({ min: 1e-6, max: 0.05, noNaN: true });
  fc.assert(fc.property(duration, (duration) => {
    const size = new GroupSize();
    let tasks = 0;
    let looks = 0;
    for (; tasks < 10_000; looks++) {
      const count = size.current;
      assert(Number.isInteger(count) && count >= 1 && count <= 1024);
      size.next(count, count * duration);
      tasks += count;
    }
    // Until groups have doubled often enough, there are a few more.
    const allowed = Math.max(tasks * duration / 0.02, tasks / 1024) + 12;
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

test("WorkerMeter.takeLongest() gives undefined when there is nothing new", () => {
  const { clock, meter } = createMeter();
  assertEquals(meter.takeLongest(), undefined);
  runTasks(meter, clock, [1]);
  assert(meter.takeLongest());
  assertEquals(meter.takeLongest(), undefined);
  runTasks(meter, clock, [0]);
  assertEquals(meter.takeLongest(), undefined);
});

test("WorkerMeter measures slow tasks one by one", () => {
  const { clock, counters, meter } = createMeter();
  runTasks(meter, clock, [3, 1, 7, 2, 6, 5, 4]);
  assertEquals(counters[COMPLETED], 7);
  assertTimes(counters, [0, 0, 28, 0]);
  assertEquals(meter.takeLongest(), [
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
      const { clock, counters, meter } = createMeter();
      for (const chunk of chunks) runTasks(meter, clock, chunk);
      assertEquals(counters[COMPLETED], chunks.flat().length);
      assertAlmostEquals(counters[WORKING]!, clock.time - 100, 1e-6);
    }),
  );
});

test("WorkerMeter tells the five longest of tasks of 20 us and more", () => {
  fc.assert(fc.property(durationsOf(0.0201), (durations) => {
    const { clock, meter } = createMeter();
    const half = Math.floor(durations.length / 2);
    const book = new InsightsBook(1);
    for (const chunk of [durations.slice(0, half), durations.slice(half)]) {
      runTasks(meter, clock, chunk);
      book.add(meter.takeLongest() ?? []);
    }
    const expected = durations.toSorted((a, b) => b - a).slice(0, 5);
    const found = book.snapshot().top5MaxTaskDurations;
    assertEquals(found.length, expected.length);
    found.forEach((time, i) => assertAlmostEquals(time, expected[i]!, 1e-9));
  }));
});

test("WorkerMeter seldom looks at the clock for tiny tasks", () => {
  const { clock, counters, meter } = createMeter();
  runTasks(meter, clock, new Array(100_000).fill(2 ** -16));
  assert(clock.looks < 1_600, `${clock.looks}`);
  assertEquals(counters[COMPLETED], 100_000);
});

test("WorkerMeter gives each task of a group the mean", () => {
  const { clock, meter } = createMeter();
  const tiny = 2 ** -16;
  // Groups of 1, 2 and 4; the last one is cut short.
  runTasks(meter, clock, [tiny, tiny, 3 * tiny, tiny, tiny, 4 * tiny]);
  assertEquals(
    meter.takeLongest()?.map(([duration]) => duration / tiny),
    [2, 2, 2, 2, 2],
  );
});

test("WorkerMeter looks at another function's tasks from the first one on", () => {
  const { clock, meter } = createMeter();
  runTasks(meter, clock, new Array(1000).fill(2 ** -16));
  assertEquals(meter.beginTasks([], 1, clock.now()), 1024);
  assertEquals(meter.beginTasks([], 2, clock.now()), 1);
});

test("WorkerMeter knows numbers whose place results have taken", () => {
  const { clock, meter } = createMeter();
  const numbers = new Float64Array([7, 8, 9]);
  meter.beginTasks(numbers, 1, clock.now());
  for (const index of numbers.keys()) {
    clock.time += index + 1;
    numbers[index] = 0;
    meter.look(index + 1, clock.now());
  }
  meter.endTasks(3);
  assertEquals(
    meter.takeLongest(),
    [[3, "Arg 0: 9"], [2, "Arg 0: 8"], [1, "Arg 0: 7"]],
  );
});

test("WorkerMeter tells a long task once", () => {
  const { clock, meter } = createMeter();
  runTasks(meter, clock, [9]);
  assertEquals(meter.takeLongest()?.length, 1);
  runTasks(meter, clock, [8]);
  assertEquals(meter.takeLongest(), [[8, "Arg 0: 8"]]);
});

test("WorkerMeter describes only tasks that are among the longest", () => {
  const { clock, meter } = createMeter();
  let described = 0;
  const elements = Array.from({ length: 100 }, () => ({
    get x() {
      return described++;
    },
  }));
  runTasks(meter, clock, elements.map((_, i) => i + 1), elements);
  meter.takeLongest();
  assertEquals(described, 5);
});

test("WorkerMeter.addFailure() makes a task count as not completed", () => {
  const { clock, counters, meter } = createMeter();
  meter.beginTasks([1, 2], 1, clock.now());
  clock.time += 5;
  meter.addFailure();
  // Nobody shall see one task less than none.
  assertEquals(counters[COMPLETED], 0);
  meter.look(1, clock.now());
  clock.time += 5;
  meter.endTasks(2);
  assertEquals(counters[COMPLETED], 1);
  assertTimes(counters, [0, 0, 10, 0]);
});

test("WorkerMeter.pauseTasks() leaves out time until resumeTasks()", () => {
  const { clock, counters, meter } = createMeter();
  meter.beginTasks(["a", "b"], 1, clock.now());
  clock.time += 5;
  meter.pauseTasks(1);
  clock.time += 100;
  meter.resumeTasks();
  clock.time += 3;
  meter.endTasks(2);
  assertTimes(counters, [0, 0, 8, 0]);
  assertEquals(meter.takeLongest(), [[5, 'Arg 0: "a"'], [3, 'Arg 0: "b"']]);
});

test("WorkerMeter measures waiting, init and exit", () => {
  const { clock, counters, meter } = createMeter();
  meter.endWaiting();
  meter.beginWaiting();
  clock.time += 6;
  meter.endWaiting();
  assertTimes(counters, [0, 6, 0, 0]);
  clock.time += 1;
  meter.addInit(1);
  runTasks(meter, clock, [10]);
  assertTimes(counters, [1, 6, 10, 0]);
  meter.beginWaiting();
  clock.time += 3;
  meter.endWaiting();
  meter.endWaiting();
  meter.addExit(8);
  assertTimes(counters, [1, 9, 10, 8]);
});

test("WorkerMeter counts time once where tasks run side by side", () => {
  const { clock, counters, meter } = createMeter();
  meter.beginWaiting();
  clock.time += 1;
  meter.endWaiting();
  const first = meter.enterTask();
  clock.time += 2;
  const second = meter.enterTask();
  clock.time += 2;
  meter.leaveTask("first", first);
  assertEquals(counters[COMPLETED], 1);
  assertTimes(counters, [0, 1, 4, 0]);
  assertEquals(meter.takeLongest(), [[4, 'Arg 0: "first"']]);
  // No more chunks, but a task still runs.
  meter.beginWaiting();
  clock.time += 4;
  meter.leaveTask("second", second);
  clock.time += 5;
  meter.endWaiting();
  assertEquals(counters[COMPLETED], 2);
  assertTimes(counters, [0, 6, 8, 0]);
  assertEquals(meter.takeLongest(), [[6, 'Arg 0: "second"']]);
});

test("WorkerMeter.takeLongest() gives data that can be cloned", () => {
  const { clock, meter } = createMeter();
  runTasks(meter, clock, [1], [() => 1]);
  const longest = meter.takeLongest();
  assertEquals(structuredClone(longest), longest);
});

test("WorkerMeter measures with the real clock", () => {
  const counters = createCounters();
  const meter = new WorkerMeter(counters);
  meter.beginTasks([1], 1, performance.now());
  const end = performance.now() + 5;
  while (performance.now() < end);
  meter.endTasks(1);
  assertEquals(counters[COMPLETED], 1);
  assert(counters[WORKING]! >= 5, `${counters[WORKING]}`);
});

test("InsightsBook.snapshot() is all zero at first", () => {
  const { top5MaxTaskArgs, top5MaxTaskDurations, ...rest } = new InsightsBook(3)
    .snapshot();
  assertEquals([...top5MaxTaskArgs, ...top5MaxTaskDurations], []);
  for (const [name, value] of Object.entries(rest)) {
    assertEquals(value, Array.isArray(value) ? [0, 0, 0] : 0, name);
  }
});

/** Enters a worker that has counted so much, in the order of the words. */
function open(book: InsightsBook, id: number, counted: number[]): Counters {
  const counters = createCounters();
  counters.set(counted);
  book.open(id, counters);
  return counters;
}

/** Two workers with round figures, one of them replaced. */
function filledBook(): InsightsBook {
  const book = new InsightsBook(2);
  book.startUp(0, 10);
  book.startUp(1, 30);
  const replaced = open(book, 0, [3, 5, 0, 400, 0]);
  book.add([[19, 'Arg 0: 19 | Arg 1: "z"']]);
  open(book, 1, [1, 5, 100, 340, 0]);
  book.add([[300, "Arg 0: 1"], [17, ""]]);
  book.close(replaced);
  open(book, 0, [2, 0, 10, 60, 40]);
  book.add([[20, "Arg 0: 20"]]);
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

test("InsightsBook.snapshot() has what workers have counted by now", () => {
  const book = new InsightsBook(1);
  const counters = open(book, 0, [1, 2, 3, 4, 5]);
  assertEquals(book.snapshot().nCompletedTasks, [1]);
  counters[COMPLETED]!++;
  assertEquals(book.snapshot().nCompletedTasks, [2]);
});

test("InsightsBook.close() leaves out what is counted later", () => {
  const book = new InsightsBook(1);
  const counters = open(book, 0, [1, 2, 3, 4, 5]);
  for (let i = 0; i < 2; i++) {
    book.close(counters);
    counters[COMPLETED]!++;
    assertEquals(book.snapshot().nCompletedTasks, [1]);
  }
  book.reset();
  book.close(counters);
  assertEquals(book.snapshot().nCompletedTasks, [0]);
});

test("InsightsBook.snapshot() has ratios that add up to one", () => {
  const time = fc.double({ min: 0, max: 1e6, noNaN: true });
  const counted = fc.tuple(fc.nat(), time, time, time, time);
  const workers = fc.array(counted, { minLength: 1, maxLength: 8 });
  fc.assert(fc.property(workers, (all) => {
    const book = new InsightsBook(all.length);
    all.forEach((words, id) => open(book, id, words));
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
